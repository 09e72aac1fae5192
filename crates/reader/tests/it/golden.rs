//! Files beside what is read from them: `tests/golden/<kind>/<name>` and `<name>.txt`.

use std::path::{Path, PathBuf};

/// Compares with the committed text; `PROBITY_BLESS=1` writes it.
pub fn check(input: &Path, found: &str) {
    let expected = PathBuf::from(format!("{}.txt", input.display()));
    if std::env::var_os("PROBITY_BLESS").is_some() {
        std::fs::write(&expected, found).unwrap();
    }
    let text = std::fs::read_to_string(&expected).unwrap_or_default();
    assert!(text == found, "{} differs; PROBITY_BLESS=1 writes it. Found:\n{found}", expected.display());
}

/// The inputs of a kind, in order of their names, with their bytes.
pub fn inputs(kind: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(kind);
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending != "txt"));
    paths.sort();
    assert!(!paths.is_empty());
    paths.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

pub fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}
