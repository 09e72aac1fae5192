//! The few file operations that a ledger is made of, so that tests can fail each of them.
//!
//! Paths are relative to the ledger's folder, with `/`. Nothing is durable before [`Disk::sync`] of the file,
//! and no name is durable before `sync` of its folder.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// One name in a folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The name alone.
    pub name: String,
    /// Whether it is a folder.
    pub folder: bool,
}

/// Where a ledger lives.
pub trait Disk: Send + Sync + fmt::Debug {
    /// The length of a file.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    fn len(&self, path: &str) -> io::Result<u64>;
    /// At most `len` bytes from `offset`.
    ///
    /// # Errors
    /// `NotFound` if there is no such file.
    fn read_at(&self, path: &str, offset: u64, len: usize) -> io::Result<Vec<u8>>;
    /// The names in a folder, sorted.
    ///
    /// # Errors
    /// `NotFound` if there is no such folder.
    fn list(&self, folder: &str) -> io::Result<Vec<Entry>>;
    /// Makes one folder; `false` if it is there already.
    ///
    /// # Errors
    /// If its parent is missing.
    fn create_folder(&self, path: &str) -> io::Result<bool>;
    /// Writes a new file.
    ///
    /// # Errors
    /// `AlreadyExists` if the name is taken.
    fn create(&self, path: &str, bytes: &[u8]) -> io::Result<()>;
    /// Adds to the end of a file, which is made if missing.
    ///
    /// # Errors
    /// As the file system says.
    fn append(&self, path: &str, bytes: &[u8]) -> io::Result<()>;
    /// Cuts a file.
    ///
    /// # Errors
    /// As the file system says.
    fn truncate(&self, path: &str, len: u64) -> io::Result<()>;
    /// Renames a file over another.
    ///
    /// # Errors
    /// As the file system says.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    ///
    /// # Errors
    /// As the file system says.
    fn remove(&self, path: &str) -> io::Result<()>;
    /// Removes an empty folder.
    ///
    /// # Errors
    /// As the file system says.
    fn remove_folder(&self, path: &str) -> io::Result<()>;
    /// Makes a file's content, or a folder's names, durable.
    ///
    /// # Errors
    /// As the file system says; what was written since the last sync is then in doubt.
    fn sync(&self, path: &str) -> io::Result<()>;
}

/// A folder of the real file system.
#[derive(Clone, Debug)]
pub struct RealDisk {
    root: PathBuf,
}

impl RealDisk {
    /// A ledger in `root`, which may be missing for reading and is made by the ledger for writing.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn at(&self, path: &str) -> PathBuf {
        if path.is_empty() { self.root.clone() } else { self.root.join(path) }
    }
}

impl Disk for RealDisk {
    fn len(&self, path: &str) -> io::Result<u64> {
        fs::metadata(self.at(path)).map(|meta| meta.len())
    }

    fn read_at(&self, path: &str, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut file = File::open(self.at(path))?;
        if offset > 0 {
            file.seek(SeekFrom::Start(offset))?;
        }
        let mut bytes = Vec::new();
        file.take(len as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<Entry>> {
        let mut list = Vec::new();
        for entry in fs::read_dir(self.at(folder))? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            list.push(Entry { name, folder: entry.file_type()?.is_dir() });
        }
        list.sort();
        Ok(list)
    }

    fn create_folder(&self, path: &str) -> io::Result<bool> {
        match fs::create_dir(self.at(path)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn create(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        OpenOptions::new().write(true).create_new(true).open(self.at(path))?.write_all(bytes)
    }

    fn append(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        OpenOptions::new().append(true).create(true).open(self.at(path))?.write_all(bytes)
    }

    fn truncate(&self, path: &str, len: u64) -> io::Result<()> {
        OpenOptions::new().write(true).open(self.at(path))?.set_len(len)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.at(from), self.at(to))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        fs::remove_file(self.at(path))
    }

    fn remove_folder(&self, path: &str) -> io::Result<()> {
        fs::remove_dir(self.at(path))
    }

    fn sync(&self, path: &str) -> io::Result<()> {
        File::open(self.at(path))?.sync_all()
    }
}

/// Reads a whole file of at most `limit` bytes; `None` if it is missing.
pub fn read(disk: &dyn Disk, path: &str, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX - 1);
    match disk.read_at(path, 0, limit + 1) {
        Ok(bytes) if bytes.len() > limit => {
            Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("longer than {limit} bytes")))
        }
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The names in a folder; none if it is missing.
pub fn list(disk: &dyn Disk, folder: &str) -> io::Result<Vec<Entry>> {
    match disk.list(folder) {
        Err(error) if is_missing(&error) => Ok(Vec::new()),
        other => other,
    }
}

/// The folder that a path lies in; the ledger's own is the empty path.
pub fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
