//! Exchanges, a clock that is moved by hand, and a storage that forgets and fails.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use probity_events::{
    Clock, EphemeralKeys, Events, Gap, Options, Reader, Record, Recovery, SegmentKeys, Storage, StorageFile,
};
use probity_model::exchange::{
    Authentication, AuthenticationState, CredentialScheme, Durations, End, PathRef, Protocol, Tls,
    UserAgentClass,
};
use probity_model::{
    Action, CheckId, ClassHit, DataClass, Decision, EnforcementMode, Exchange, GatewayId, Place, RequestId,
    ServiceId, Signals, Template, Timestamp,
};

pub const ROOT: [u8; 32] = [7; 32];

pub fn gateway() -> GatewayId {
    GatewayId::from("gateway-1")
}

pub fn keys() -> Arc<dyn SegmentKeys> {
    Arc::new(EphemeralKeys::with_root(&ROOT).unwrap())
}

/// A folder in memory where there is one: these tests end processes and pretend to end machines, so that waiting for
/// a real disk would show nothing.
pub fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    match memory.is_dir() {
        true => tempfile::tempdir_in(memory).unwrap(),
        false => tempfile::tempdir().unwrap(),
    }
}

/// The exchange with this tag; the tag stands in `request_bytes`.
pub fn exchange(tag: u64) -> Exchange {
    let low = u8::try_from(tag % 256).unwrap();
    Exchange {
        sequence: 0,
        request_id: RequestId::from_parts(1_700_000_000_000 + tag, [low; 10]),
        gateway: gateway(),
        started_at: Timestamp::from_millis(1_700_000_000_000 + i64::try_from(tag).unwrap()),
        revision: 7,
        service: ServiceId::from("clinic"),
        method: "GET".into(),
        path: PathRef::Template(Template::new("/v2/patients/{id}")),
        query: vec!["limit".into(), "page".into()],
        status: 200,
        end: End::Complete,
        shape: tag.wrapping_mul(0x9e37_79b9_7f4a_7c15),
        shape_fields: tag.is_multiple_of(16).then(|| vec!["/id".into(), "/name".into()]),
        request_type: "".into(),
        response_type: "application/json".into(),
        client: Some([192, 0, 2, low].into()),
        user_agent: UserAgentClass::Mobile,
        protocol: Protocol::Http11,
        tls: Some(Tls { version: "TLSv1.3".into(), suite: "TLS_AES_128_GCM_SHA256".into() }),
        request_bytes: tag,
        response_bytes: 1834,
        durations: Durations { total_us: 2311, upstream_us: 1990 },
        authentication: Authentication {
            state: AuthenticationState::Verified,
            scheme: CredentialScheme::Bearer,
            identity: Some([low; 16]),
            credential: None,
            key_version: 1,
        },
        classes: vec![ClassHit {
            class: DataClass::Email,
            place: Place::ResponseBody,
            field: "/email".into(),
            count: 1,
            masked: false,
        }],
        signals: Signals::default(),
        decisions: match tag.is_multiple_of(8) {
            true => vec![Decision {
                check: CheckId::from("response-dlp"),
                rule: "PRB-response-email".into(),
                mode: EnforcementMode::Observe,
                action: Action::Flag,
                input: probity_model::decision::DecisionInput {
                    place: Some(Place::ResponseBody),
                    field: "/email".into(),
                    class: Some(DataClass::Email),
                    found: "string".into(),
                },
                revision: 7,
            }],
            false => Vec::new(),
        },
    }
}

/// Moved by hand.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    pub fn at(seconds: i64) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(Timestamp::from_seconds(seconds).as_micros())))
    }
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_micros()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// Quick to sync and to retry.
pub fn options() -> Options {
    Options {
        sync_interval: Duration::from_micros(200),
        retry_interval: Duration::from_millis(1),
        clock: ManualClock::at(1_700_000_000),
        ..Options::default()
    }
}

pub fn open(dir: &Path, options: Options) -> (Events, Recovery) {
    Events::open(dir, gateway(), keys(), options).unwrap()
}

/// Accepts and appends one exchange and waits for it.
pub fn record(events: &Events, tag: u64) {
    let recorder = events.recorder();
    recorder.accepted();
    recorder.append(exchange(tag)).unwrap().wait().unwrap();
}

/// Everything a reader gives, apart: exchanges and gaps.
pub fn read_all(reader: Reader) -> (Vec<Exchange>, Vec<Gap>) {
    let (mut exchanges, mut gaps) = (Vec::new(), Vec::new());
    for record in reader {
        match record.unwrap() {
            Record::Exchange(exchange) => exchanges.push(exchange),
            Record::Gap(gap) => gaps.push(gap),
        }
    }
    (exchanges, gaps)
}

pub fn tags(exchanges: &[Exchange]) -> Vec<u64> {
    exchanges.iter().map(|exchange| exchange.request_bytes).collect()
}

/// Seeded; good enough to choose faults.
#[derive(Clone, Debug)]
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }
}

/// What a storage does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The step fails and does nothing.
    Refused,
    /// The step fails and was done all the same.
    Done,
    /// The step fails half way: half of the bytes are written, a sync drops what it had to sync.
    Half,
    /// As a full disk: half of the bytes are written.
    Full,
}

/// Files in memory, each with what is on disk and what a process sees.
#[derive(Clone, Debug, Default)]
pub struct FaultyStorage(Arc<Mutex<Disk>>);

#[derive(Clone, Debug, Default)]
struct Disk {
    files: BTreeMap<PathBuf, Node>,
    boot: u8,
    steps: u64,
    /// Steps of these numbers fail.
    from: u64,
    until: u64,
    fault: Option<Fault>,
    off: bool,
    struck: u64,
    /// Bytes that still fit.
    room: Option<usize>,
}

#[derive(Clone, Debug, Default)]
struct Node {
    seen: Vec<u8>,
    durable: Vec<u8>,
    /// Bytes that a failed sync dropped: no later sync brings them to disk.
    dropped: Vec<(usize, usize)>,
    name_durable: bool,
}

impl FaultyStorage {
    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap()
    }
    /// The steps `from` to `until`, counted from now, fail.
    pub fn fail(&self, from: u64, until: u64, fault: Fault) {
        let mut disk = self.disk();
        (disk.from, disk.until, disk.fault) =
            (disk.steps + from, disk.steps.saturating_add(until), Some(fault));
        disk.struck = 0;
    }
    pub fn heal(&self) {
        self.disk().fault = None;
    }
    /// A disk with so much room left: what is larger fails, what is smaller still fits.
    pub fn leave_room(&self, bytes: Option<usize>) {
        self.disk().room = bytes;
    }
    /// How many steps failed.
    pub fn struck(&self) -> u64 {
        self.disk().struck
    }
    /// From here on every step fails and does nothing: the process is as good as dead.
    pub fn switch_off(&self) {
        self.disk().off = true;
    }
    pub fn bytes(&self, name: &str) -> Vec<u8> {
        let disk = self.disk();
        disk.files.iter().find(|(path, _)| path.ends_with(name)).unwrap().1.seen.clone()
    }
    /// What the next process finds after a kill: everything that was written.
    pub fn after_kill(&self) -> Self {
        let mut disk = self.disk().clone();
        disk.reset();
        Self(Arc::new(Mutex::new(disk)))
    }
    /// What it finds after the power went: what was synced, and of the rest what the dice leave.
    pub fn after_power_loss(&self, dice: &mut Dice) -> Self {
        let mut disk = self.disk().clone();
        disk.reset();
        disk.boot += 1;
        disk.files.retain(|_, node| node.name_durable || dice.below(2) == 0);
        for node in disk.files.values_mut() {
            let persisted = node.persisted();
            let kept = match dice.below(4) {
                0 => node.durable.clone(),
                1 => persisted,
                2 => {
                    let same = node.durable.iter().zip(&persisted).take_while(|(a, b)| a == b).count();
                    let more = persisted.len().saturating_sub(same);
                    persisted[..same + usize::try_from(dice.below(more as u64 + 1)).unwrap()].to_vec()
                }
                _ => {
                    // The size reached the disk, some of the content did not.
                    let mut torn = persisted;
                    let from = node.durable.len().min(torn.len());
                    if from < torn.len() {
                        let cut = from + usize::try_from(dice.below((torn.len() - from) as u64)).unwrap();
                        torn[cut..].fill(0);
                    }
                    torn
                }
            };
            // Never less than what was synced, unless it was cut since.
            *node = Node { seen: kept.clone(), durable: kept, dropped: Vec::new(), name_durable: true };
        }
        Self(Arc::new(Mutex::new(disk)))
    }
}

impl Node {
    /// What a sync would make durable.
    fn persisted(&self) -> Vec<u8> {
        let mut bytes = self.seen.clone();
        for (from, to) in &self.dropped {
            for position in *from..(*to).min(bytes.len()) {
                bytes[position] = self.durable.get(position).copied().unwrap_or(0);
            }
        }
        bytes
    }
}

impl Disk {
    fn reset(&mut self) {
        (self.fault, self.off, self.steps, self.room) = (None, false, 0, None);
    }
    /// The fault that this step meets.
    fn step(&mut self) -> Option<Fault> {
        let step = self.steps;
        self.steps += 1;
        if self.off {
            return Some(Fault::Refused);
        }
        let fault = self.fault.filter(|_| (self.from..self.until).contains(&step));
        self.struck += u64::from(fault.is_some());
        fault
    }
}

fn error_of(fault: Fault) -> io::Error {
    match fault {
        Fault::Full => io::ErrorKind::StorageFull.into(),
        _ => io::Error::other("the device failed"),
    }
}

impl Storage for FaultyStorage {
    fn create(&self, path: &Path) -> io::Result<Box<dyn StorageFile>> {
        let mut disk = self.disk();
        let fault = disk.step();
        if matches!(fault, None | Some(Fault::Done)) {
            if disk.files.contains_key(path) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            disk.files.insert(path.into(), Node::default());
        }
        match fault {
            None => Ok(Box::new(FaultyFile { storage: self.clone(), path: path.into() })),
            Some(fault) => Err(error_of(fault)),
        }
    }
    fn open(&self, path: &Path, _write: bool) -> io::Result<Box<dyn StorageFile>> {
        match self.disk().files.contains_key(path) {
            true => Ok(Box::new(FaultyFile { storage: self.clone(), path: path.into() })),
            false => Err(io::ErrorKind::NotFound.into()),
        }
    }
    fn list(&self, _dir: &Path) -> io::Result<Vec<OsString>> {
        Ok(self.disk().files.keys().map(|path| path.file_name().unwrap().into()).collect())
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        let fault = disk.step();
        if matches!(fault, None | Some(Fault::Done)) {
            disk.files.remove(path);
        }
        fault.map_or(Ok(()), |fault| Err(error_of(fault)))
    }
    fn sync_dir(&self, _dir: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        let fault = disk.step();
        if matches!(fault, None | Some(Fault::Done)) {
            disk.files.values_mut().for_each(|node| node.name_durable = true);
        }
        fault.map_or(Ok(()), |fault| Err(error_of(fault)))
    }
    fn boot(&self) -> [u8; 16] {
        [self.disk().boot; 16]
    }
}

#[derive(Debug)]
struct FaultyFile {
    storage: FaultyStorage,
    path: PathBuf,
}

impl FaultyFile {
    fn change<T>(&self, bytes: usize, change: impl FnOnce(&mut Node, Option<Fault>) -> T) -> io::Result<T> {
        let mut disk = self.storage.disk();
        let mut fault = disk.step();
        if fault.is_none() && disk.room.is_some_and(|room| room < bytes) {
            fault = Some(Fault::Full);
        }
        disk.room = disk.room.map(|room| room.saturating_sub(bytes));
        // A removed file lives on for whoever has it open; nobody will read it again.
        let mut gone = Node::default();
        let done = change(disk.files.get_mut(&self.path).unwrap_or(&mut gone), fault);
        fault.map_or(Ok(done), |fault| Err(error_of(fault)))
    }
}

impl StorageFile for FaultyFile {
    fn write_all_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        self.change(bytes.len(), |node, fault| {
            let bytes = match fault {
                None | Some(Fault::Done) => bytes,
                Some(Fault::Refused) => return,
                Some(Fault::Half | Fault::Full) => &bytes[..bytes.len() / 2],
            };
            let end = offset + bytes.len();
            if node.seen.len() < end {
                node.seen.resize(end, 0);
            }
            node.seen[offset..end].copy_from_slice(bytes);
        })
    }
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let disk = self.storage.disk();
        let node = disk.files.get(&self.path).ok_or(io::ErrorKind::NotFound)?;
        let from = usize::try_from(offset).unwrap().min(node.seen.len());
        let read = buffer.len().min(node.seen.len() - from);
        buffer[..read].copy_from_slice(&node.seen[from..from + read]);
        Ok(read)
    }
    fn len(&self) -> io::Result<u64> {
        let disk = self.storage.disk();
        Ok(disk.files.get(&self.path).ok_or(io::ErrorKind::NotFound)?.seen.len() as u64)
    }
    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.change(0, |node, fault| {
            if matches!(fault, None | Some(Fault::Done)) {
                node.seen.resize(usize::try_from(len).unwrap(), 0);
            }
        })
    }
    fn sync_data(&mut self) -> io::Result<()> {
        self.change(0, |node, fault| match fault {
            None | Some(Fault::Done) => node.durable = node.persisted(),
            Some(Fault::Refused) => {}
            Some(Fault::Half | Fault::Full) => {
                let from = node.durable.len().min(node.seen.len());
                node.dropped.push((from, node.seen.len()));
            }
        })
    }
}
