//! Files that are either wholly there or not there after a crash.
//!
//! Order: write a temporary file (0600), sync it, link it to its name (which fails if the name exists, so two
//! processes never replace each other's key), sync the folder. A temporary file left by a crash is ignored and
//! swept on the next open.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::VaultError;
use crate::blob::{hex, random_id};

/// Largest file that the vault reads.
pub const MAX_FILE: u64 = 1024 * 1024;

const TEMPORARY: &str = ".probity-tmp-";

/// Creates `path` with `bytes`; `Ok(false)` if the name is taken already, which leaves that file untouched.
pub fn create(path: &Path, bytes: &[u8]) -> Result<bool, VaultError> {
    let folder = folder_of(path);
    let guard = File::open(&folder).map_err(VaultError::io("open", &folder))?;
    guard.lock_shared().map_err(VaultError::io("lock", &folder))?;
    let temporary = folder.join(format!("{TEMPORARY}{}", hex(&random_id()?)));
    let linked = write_synced(&temporary, bytes)
        .map_err(VaultError::io("write", &temporary))
        .and_then(|()| link(&temporary, path));
    let removed = fs::remove_file(&temporary);
    let linked = linked?;
    removed.map_err(VaultError::io("remove", &temporary))?;
    // Also when the name was taken: its maker may not have come this far, and we are about to rely on it.
    sync_folder(&folder)?;
    Ok(linked)
}

/// Creates the folder and its missing parents, each 0700 and synced into its parent.
pub fn create_folder(path: &Path) -> Result<(), VaultError> {
    use std::os::unix::fs::DirBuilderExt as _;
    let missing: Vec<&Path> =
        path.ancestors().take_while(|p| !p.as_os_str().is_empty() && !p.exists()).collect();
    for folder in missing.into_iter().rev() {
        match fs::DirBuilder::new().mode(0o700).create(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(VaultError::io("create", folder)(error));
            }
            _ => sync_folder(&folder_of(folder))?,
        }
    }
    Ok(())
}

/// Reads at most [`MAX_FILE`] bytes from an open file.
pub fn read_bounded(file: File, path: &Path) -> Result<crate::SecretVec, VaultError> {
    // One allocation, so that growing leaves no copy of a key behind.
    let mut bytes = Vec::with_capacity(usize::try_from(MAX_FILE + 1).unwrap_or(usize::MAX).min(4096));
    let len = file.metadata().map_err(VaultError::io("read", path))?.len().min(MAX_FILE + 1);
    bytes.reserve_exact(usize::try_from(len).unwrap_or(0) + 1);
    let result = file.take(MAX_FILE + 1).read_to_end(&mut bytes);
    let bytes = crate::SecretVec::new(bytes);
    match result {
        Err(error) => Err(VaultError::io("read", path)(error)),
        Ok(read) if read as u64 > MAX_FILE => {
            let error = io::Error::new(io::ErrorKind::FileTooLarge, "larger than 1 MiB");
            Err(VaultError::io("read", path)(error))
        }
        Ok(_) => Ok(bytes),
    }
}

/// Removes temporary files of an earlier crash; a failure is harmless and ignored. Makers hold the folder's
/// lock shared, so holding it alone means that no temporary file is in use.
pub fn sweep(folder: &Path) {
    let Ok(guard) = File::open(folder) else { return };
    if guard.try_lock().is_err() {
        return;
    }
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(TEMPORARY)) {
        let _ = fs::remove_file(entry.path());
    }
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn link(from: &Path, to: &Path) -> Result<bool, VaultError> {
    match fs::hard_link(from, to) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(VaultError::io("create", to)(error)),
    }
}

fn sync_folder(folder: &Path) -> Result<(), VaultError> {
    File::open(folder).and_then(|file| file.sync_all()).map_err(VaultError::io("sync", folder))
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}
