//! The few file operations that segments need, behind a trait, so that tests can drop what was never synced and
//! fail every single step.
//!
//! The contract that matters: what `sync_data` returned `Ok` for survives the machine; what it did not may be
//! wholly there, partly there or gone. A name survives after `sync_dir`.

use std::ffi::OsString;
use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Where segments live.
pub trait Storage: Send + Sync + Debug {
    /// A new file, readable and writable; an error of kind `AlreadyExists` when the name is taken.
    fn create(&self, path: &Path) -> io::Result<Box<dyn StorageFile>>;
    /// An existing file, readable; writable when `write`.
    fn open(&self, path: &Path, write: bool) -> io::Result<Box<dyn StorageFile>>;
    fn list(&self, dir: &Path) -> io::Result<Vec<OsString>>;
    fn remove(&self, path: &Path) -> io::Result<()>;
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Changes with every start of the machine; tells a stopped process from a stopped machine.
    fn boot(&self) -> [u8; 16];
}

/// One open file.
pub trait StorageFile: Send + Debug {
    fn write_all_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Reads up to `buffer.len()` bytes; fewer only at the file's end.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    fn len(&self) -> io::Result<u64>;
    fn set_len(&mut self, len: u64) -> io::Result<()>;
    fn sync_data(&mut self) -> io::Result<()>;
    fn is_empty(&self) -> io::Result<bool> {
        self.len().map(|len| len == 0)
    }
}

/// The file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct DiskStorage;

impl Storage for DiskStorage {
    fn create(&self, path: &Path) -> io::Result<Box<dyn StorageFile>> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
        Ok(Box::new(DiskFile(file)))
    }
    fn open(&self, path: &Path, write: bool) -> io::Result<Box<dyn StorageFile>> {
        let file = OpenOptions::new().read(true).write(write).open(path)?;
        Ok(Box::new(DiskFile(file)))
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<OsString>> {
        fs::read_dir(dir)?.map(|entry| entry.map(|entry| entry.file_name())).collect()
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }
    fn boot(&self) -> [u8; 16] {
        // Where the system tells no boot id, every start looks like the same boot: gaps then say
        // "process stopped" and keep their count.
        let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let digits = text.bytes().filter_map(|byte| char::from(byte).to_digit(16));
        digits.zip(0..32usize).fold([0; 16], |mut id, (digit, position)| {
            if let Some(byte) = id.get_mut(position / 2) {
                *byte = *byte << 4 | u8::try_from(digit).unwrap_or(0);
            }
            id
        })
    }
}

#[derive(Debug)]
struct DiskFile(File);

impl StorageFile for DiskFile {
    fn write_all_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match self.0.read_at(rest, offset + done as u64) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }
    fn len(&self) -> io::Result<u64> {
        self.0.metadata().map(|metadata| metadata.len())
    }
    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }
    fn sync_data(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }
}
