//! Where the files of a catalogue come from: the binary, or a folder.

use std::fs;
use std::path::Path;

use include_dir::{Dir, include_dir};
use probity_model::Diagnostic;

use super::{Files, fault};

/// Bounds of a folder; a catalogue stays far below them.
const MAX_FILES: usize = 10_000;
const MAX_FILE_BYTES: u64 = 1 << 20;
const MAX_DEPTH: usize = 8;

static CATALOG: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../catalog");

pub(super) fn embedded() -> Files {
    let mut files = Files::new();
    let mut folders = vec![&CATALOG];
    while let Some(folder) = folders.pop() {
        folders.extend(folder.dirs());
        for file in folder.files() {
            files.insert(slashed(file.path()), file.contents().to_vec());
        }
    }
    files
}

/// The files below `root`; hidden ones and links are left alone.
pub(super) fn below(root: &Path) -> Result<Files, Vec<Diagnostic>> {
    let mut files = Files::new();
    let mut faults = Vec::new();
    let mut folders = vec![(root.to_path_buf(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) => {
                faults.push(fault(&folder.display().to_string(), &format!("cannot be read: {error}"), ""));
                continue;
            }
        };
        for entry in entries.filter_map(Result::ok) {
            let path = entry.path();
            let Ok(kind) = entry.file_type() else { continue };
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            if kind.is_dir() && depth < MAX_DEPTH {
                folders.push((path, depth + 1));
            } else if kind.is_file() {
                let name = slashed(path.strip_prefix(root).unwrap_or(&path));
                match read(&path) {
                    Ok(bytes) if files.len() < MAX_FILES => drop(files.insert(name, bytes)),
                    Ok(_) => return Err(vec![fault(&name, "the folder has too many files", "")]),
                    Err(why) => faults.push(fault(&name, &why, "")),
                }
            }
        }
    }
    if faults.is_empty() { Ok(files) } else { Err(faults) }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let size = fs::metadata(path).map_err(|error| format!("cannot be read: {error}"))?.len();
    if size > MAX_FILE_BYTES {
        return Err(format!("has {size} bytes, expected at most {MAX_FILE_BYTES}"));
    }
    fs::read(path).map_err(|error| format!("cannot be read: {error}"))
}

fn slashed(path: &Path) -> String {
    let segments: Vec<_> = path.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    segments.join("/")
}
