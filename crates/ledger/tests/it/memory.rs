//! A disk in memory that forgets what was not synced, and fails at a chosen step.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex};

use probity_ledger::{Disk, Entry};

/// What a failing step leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fails {
    /// The step did nothing.
    Before,
    /// The step did its work and then reported failure.
    After,
}

/// What a crash leaves of everything that was not synced.
#[derive(Clone, Copy, Debug)]
pub enum Keeps {
    Nothing,
    Everything,
    /// Each name and each content on its own, contents also in part.
    Some(u64),
}

#[derive(Clone, Debug, Default)]
pub struct MemoryDisk(Arc<Mutex<State>>);

#[derive(Clone, Debug, Default)]
struct State {
    files: Vec<File>,
    now: BTreeMap<String, Node>,
    durable: BTreeMap<String, Node>,
    steps: u64,
    fail_at: Option<(u64, Fails)>,
    dead: bool,
}

#[derive(Clone, Debug, Default)]
struct File {
    now: Vec<u8>,
    durable: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    Folder,
    File(usize),
}

impl MemoryDisk {
    pub fn steps(&self) -> u64 {
        self.0.lock().unwrap().steps
    }

    /// A disk like this one that fails its `step`-th step from now and every one after.
    pub fn failing(&self, step: u64, fails: Fails) -> Self {
        let mut state = self.0.lock().unwrap().clone();
        (state.steps, state.fail_at, state.dead) = (0, Some((step, fails)), false);
        Self(Arc::new(Mutex::new(state)))
    }

    /// The disk after the power came back.
    pub fn after_crash(&self, keeps: Keeps) -> Self {
        let old = self.0.lock().unwrap().clone();
        let mut random = Random(match keeps {
            Keeps::Some(seed) => seed,
            _ => 0,
        });
        let mut keep = || match keeps {
            Keeps::Nothing => false,
            Keeps::Everything => true,
            Keeps::Some(_) => random.below(2) == 0,
        };
        let mut names = BTreeMap::new();
        // Parents sort before what is in them.
        let all: BTreeSet<&String> = old.now.keys().chain(old.durable.keys()).collect();
        for name in all {
            let node = if keep() { old.now.get(name) } else { old.durable.get(name) };
            let parent_kept = parent(name).is_empty() || names.contains_key(parent(name));
            if let Some(node) = node.filter(|_| parent_kept) {
                names.insert(name.clone(), *node);
            }
        }
        let mut random = Random(match keeps {
            Keeps::Some(seed) => seed ^ 0x9e37,
            _ => 0,
        });
        let files = old.files.iter().map(|file| {
            let bytes = match keeps {
                Keeps::Nothing => file.durable.clone(),
                Keeps::Everything => file.now.clone(),
                Keeps::Some(_) => match random.below(4) {
                    0 => file.durable.clone(),
                    1 => file.now.clone(),
                    // The size was written and the content was not, wholly or past a place.
                    kind => {
                        let mut torn = file.now.clone();
                        let from = file.durable.len().min(torn.len());
                        let cut = from + random.below((torn.len() - from + 1) as u64) as usize;
                        if file.now.starts_with(&file.durable) {
                            if kind == 2 { torn.truncate(cut) } else { torn[cut..].fill(0) }
                        }
                        torn
                    }
                },
            };
            File { now: bytes.clone(), durable: bytes }
        });
        let files = files.collect();
        Self(Arc::new(Mutex::new(State { files, now: names.clone(), durable: names, ..State::default() })))
    }

    fn step<T>(&self, work: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.0.lock().unwrap();
        let failed = || io::Error::other("power cut");
        if state.dead {
            return Err(failed());
        }
        state.steps += 1;
        match state.fail_at {
            Some((at, fails)) if state.steps > at => {
                state.dead = true;
                if fails == Fails::After {
                    work(&mut state)?;
                }
                Err(failed())
            }
            _ => work(&mut state),
        }
    }

    fn read<T>(&self, work: impl FnOnce(&State) -> io::Result<T>) -> io::Result<T> {
        work(&self.0.lock().unwrap())
    }
}

impl State {
    fn file(&self, path: &str) -> io::Result<usize> {
        match self.now.get(path) {
            Some(Node::File(at)) => Ok(*at),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn needs_folder(&self, path: &str) -> io::Result<()> {
        let folder = parent(path);
        if folder.is_empty() || self.now.get(folder) == Some(&Node::Folder) {
            return Ok(());
        }
        Err(io::ErrorKind::NotFound.into())
    }
}

impl Disk for MemoryDisk {
    fn len(&self, path: &str) -> io::Result<u64> {
        self.read(|state| Ok(state.files[state.file(path)?].now.len() as u64))
    }

    fn read_at(&self, path: &str, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        self.read(|state| {
            let bytes = &state.files[state.file(path)?].now;
            let from = usize::try_from(offset).unwrap().min(bytes.len());
            let to = from.saturating_add(len).min(bytes.len());
            Ok(bytes[from..to].to_vec())
        })
    }

    fn list(&self, folder: &str) -> io::Result<Vec<Entry>> {
        self.read(|state| {
            if !folder.is_empty() && state.now.get(folder) != Some(&Node::Folder) {
                return Err(io::ErrorKind::NotFound.into());
            }
            let inside = state.now.iter().filter(|(path, _)| parent(path) == folder);
            let mut list: Vec<Entry> = inside
                .map(|(path, node)| Entry {
                    name: path.rsplit('/').next().unwrap().to_owned(),
                    folder: *node == Node::Folder,
                })
                .collect();
            list.sort();
            Ok(list)
        })
    }

    fn create_folder(&self, path: &str) -> io::Result<bool> {
        self.step(|state| {
            state.needs_folder(path)?;
            Ok(state.now.insert(path.to_owned(), Node::Folder).is_none())
        })
    }

    fn create(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        self.step(|state| {
            state.needs_folder(path)?;
            if state.now.contains_key(path) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            state.files.push(File { now: bytes.to_vec(), durable: Vec::new() });
            state.now.insert(path.to_owned(), Node::File(state.files.len() - 1));
            Ok(())
        })
    }

    fn append(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        self.step(|state| {
            state.needs_folder(path)?;
            if !state.now.contains_key(path) {
                state.files.push(File::default());
                state.now.insert(path.to_owned(), Node::File(state.files.len() - 1));
            }
            let at = state.file(path)?;
            state.files[at].now.extend_from_slice(bytes);
            Ok(())
        })
    }

    fn truncate(&self, path: &str, len: u64) -> io::Result<()> {
        self.step(|state| {
            let at = state.file(path)?;
            state.files[at].now.truncate(usize::try_from(len).unwrap());
            Ok(())
        })
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.step(|state| {
            let node = state.now.remove(from).ok_or(io::ErrorKind::NotFound)?;
            state.now.insert(to.to_owned(), node);
            Ok(())
        })
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.step(|state| {
            state.file(path)?;
            state.now.remove(path);
            Ok(())
        })
    }

    fn remove_folder(&self, path: &str) -> io::Result<()> {
        self.step(|state| {
            if state.now.keys().any(|name| parent(name) == path) {
                return Err(io::ErrorKind::DirectoryNotEmpty.into());
            }
            state.now.remove(path).map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
        })
    }

    fn sync(&self, path: &str) -> io::Result<()> {
        self.step(|state| {
            if let Ok(at) = state.file(path) {
                state.files[at].durable = state.files[at].now.clone();
                return Ok(());
            }
            if !path.is_empty() && state.now.get(path) != Some(&Node::Folder) {
                return Err(io::ErrorKind::NotFound.into());
            }
            state.durable.retain(|name, _| parent(name) != path);
            let inside = state.now.iter().filter(|(name, _)| parent(name) == path);
            state.durable.extend(inside.map(|(name, node)| (name.clone(), *node)));
            Ok(())
        })
    }
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// SplitMix64: small, seeded, the same everywhere.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }
}
