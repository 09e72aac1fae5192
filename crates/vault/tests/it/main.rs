//! The vault through its public surface: reopen, wrong keys, moved and damaged files.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use probity_vault::{RootKey, RootOrigin, Vault, VaultError};

const PURPOSES: [&str; 5] = ["segment", "salt", "ledger-key", "bundle-key", "identity-key"];

struct Place {
    _dir: tempfile::TempDir,
    root: PathBuf,
    vault: PathBuf,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (root, vault) = (dir.path().join("config/root.key"), dir.path().join("data/vault"));
        Self { _dir: dir, root, vault }
    }

    fn open(&self) -> Result<Vault, VaultError> {
        Vault::open(&self.vault, RootKey::load_or_create(&self.root)?, "default")
    }
}

#[test]
fn everything_opens_again_after_reopen() {
    let place = Place::new();
    let vault = place.open().unwrap();
    let keys: Vec<_> = PURPOSES.iter().map(|purpose| vault.data_key(purpose).unwrap()).collect();
    let sealed = vault.seal("salt", b"row", b"pepper").unwrap();
    let seeds = ["ledger", "bundle", "identity"].map(|name| *vault.signing_seed(name).unwrap().expose());
    assert_eq!(BTreeSet::from(seeds).len(), 3);
    drop(vault);

    let vault = place.open().unwrap();
    for (purpose, made) in PURPOSES.iter().zip(&keys) {
        let opened = vault.open_data_key(purpose, &made.sealed).unwrap();
        assert_eq!(opened.key.expose(), made.key.expose());
        assert_eq!((opened.id, opened.sealed), (made.id.clone(), made.sealed.clone()));
    }
    assert_eq!(vault.unseal("salt", b"row", &sealed).unwrap().expose(), b"pepper");
    let again = ["ledger", "bundle", "identity"].map(|name| *vault.signing_seed(name).unwrap().expose());
    assert_eq!(seeds, again);
}

#[test]
fn a_data_key_is_fresh_and_bound_to_its_purpose() {
    let place = Place::new();
    let vault = place.open().unwrap();
    let (one, two) = (vault.data_key("segment").unwrap(), vault.data_key("segment").unwrap());
    assert_ne!(one.key.expose(), two.key.expose());
    assert_ne!(one.id, two.id);
    for purpose in PURPOSES.iter().filter(|purpose| **purpose != "segment") {
        assert!(matches!(vault.open_data_key(purpose, &one.sealed), Err(VaultError::Sealed)), "{purpose}");
    }
    // A data key is not a value and a value is not a data key.
    assert!(matches!(vault.unseal("segment", b"", &one.sealed), Err(VaultError::Sealed)));
    let value = vault.seal("segment", b"", one.key.expose()).unwrap();
    assert!(matches!(vault.open_data_key("segment", &value), Err(VaultError::Sealed)));
    assert!(!format!("{one:?}").contains(&format!("{:?}", one.key.expose())));
}

#[test]
fn another_root_key_is_named() {
    let place = Place::new();
    place.open().unwrap();
    let root = RootKey::load(&place.root).unwrap();
    let (expected, other) = (root.fingerprint().unwrap(), RootKey::ephemeral().unwrap());
    let found = other.fingerprint().unwrap();
    match Vault::open(&place.vault, other, "default") {
        Err(VaultError::WrongRoot { expected: e, found: f }) => assert_eq!((e, f), (expected, found)),
        other => panic!("{other:?}"),
    }
    // Also when somebody edits the fingerprint in the file.
    let other = RootKey::ephemeral().unwrap();
    edit(&place.vault.join("keyring.json"), |text| {
        text.replace(&root.fingerprint().unwrap(), &other.fingerprint().unwrap())
    });
    assert!(matches!(Vault::open(&place.vault, other, "default"), Err(VaultError::Keyring { .. })));
}

#[test]
fn another_tenant_is_refused() {
    let place = Place::new();
    place.open().unwrap();
    let open = |tenant| Vault::open(&place.vault, RootKey::load(&place.root).unwrap(), tenant);
    assert!(matches!(open("acme"), Err(VaultError::WrongTenant { .. })));
    edit(&place.vault.join("keyring.json"), |text| text.replace("\"default\"", "\"acme\""));
    assert!(matches!(open("acme"), Err(VaultError::Keyring { .. })));
}

#[test]
fn swapped_seeds_and_keyrings_are_refused() {
    let (one, two) = (Place::new(), Place::new());
    let (first, second) = (one.open().unwrap(), two.open().unwrap());
    for vault in [&first, &second] {
        vault.signing_seed("ledger").unwrap();
        vault.signing_seed("bundle").unwrap();
    }
    let sealed = first.seal("salt", b"", b"x").unwrap();
    assert!(matches!(second.unseal("salt", b"", &sealed), Err(VaultError::UnknownKey(_))));

    swap(&one.vault.join("seed-ledger.sealed"), &one.vault.join("seed-bundle.sealed"));
    assert!(matches!(first.signing_seed("ledger"), Err(VaultError::Sealed)));
    swap(&one.vault.join("seed-bundle.sealed"), &two.vault.join("seed-bundle.sealed"));
    assert!(matches!(second.signing_seed("bundle"), Err(VaultError::UnknownKey(_))));
    swap(&one.vault.join("keyring.json"), &two.vault.join("keyring.json"));
    assert!(matches!(one.open(), Err(VaultError::WrongRoot { .. })));
}

#[test]
fn every_truncation_of_a_file_is_refused() {
    let place = Place::new();
    place.open().unwrap().signing_seed("ledger").unwrap();
    for name in ["keyring.json", "seed-ledger.sealed"] {
        let path = place.vault.join(name);
        let whole = fs::read(&path).unwrap();
        let last = if name.ends_with("json") { whole.len() - 2 } else { whole.len() - 1 };
        for len in 0..=last {
            fs::write(&path, &whole[..len]).unwrap();
            let refused = place.open().and_then(|vault| vault.signing_seed("ledger"));
            assert!(refused.is_err(), "{name} cut to {len}");
            assert_eq!(fs::read(&path).unwrap().len(), len, "a damaged file was replaced");
        }
        fs::write(&path, &whole).unwrap();
    }
    place.open().unwrap().signing_seed("ledger").unwrap();
}

#[test]
fn every_flip_of_the_keyring_is_refused_or_without_effect() {
    let place = Place::new();
    let seed = *place.open().unwrap().signing_seed("ledger").unwrap().expose();
    let path = place.vault.join("keyring.json");
    let whole = fs::read(&path).unwrap();
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&path, &bytes).unwrap();
        // White space may change into other white space; then the same keys must come out.
        if let Ok(vault) = place.open() {
            assert_eq!(*vault.signing_seed("ledger").unwrap().expose(), seed, "byte {at}");
            assert!(whole[at].is_ascii_whitespace(), "byte {at}");
        }
    }
}

#[test]
fn a_crash_before_the_link_leaves_nothing_that_counts() {
    let place = Place::new();
    fs::create_dir_all(&place.vault).unwrap();
    let torn = place.vault.join(".probity-tmp-00");
    fs::write(&torn, b"{\"format\": \"probity-key").unwrap();
    let vault = place.open().unwrap();
    assert!(!torn.exists(), "swept");
    vault.signing_seed("ledger").unwrap();
    assert_eq!(fs::read_dir(&place.vault).unwrap().count(), 2);
}

#[test]
fn a_lost_keyring_is_not_replaced() {
    let place = Place::new();
    place.open().unwrap().signing_seed("ledger").unwrap();
    fs::remove_file(place.vault.join("keyring.json")).unwrap();
    let error = place.open().unwrap_err();
    assert!(matches!(error, VaultError::KeyringMissing { .. }));
    assert!(error.to_string().contains("restore it from a copy"));
}

#[test]
fn concurrent_first_use_agrees() {
    let place = Place::new();
    RootKey::load_or_create(&place.root).unwrap();
    let seeds: BTreeSet<[u8; 32]> = std::thread::scope(|scope| {
        let ask = || *place.open().unwrap().signing_seed("ledger").unwrap().expose();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(seeds.len(), 1);
}

#[test]
fn names_are_narrow() {
    let place = Place::new();
    let vault = place.open().unwrap();
    for name in ["", ".", "..", "a/b", "../x", "A", "a b", "é", &"a".repeat(65)] {
        assert!(matches!(vault.signing_seed(name), Err(VaultError::Name { .. })), "{name}");
        assert!(matches!(vault.data_key(name), Err(VaultError::Name { .. })), "{name}");
        let root = RootKey::ephemeral().unwrap();
        assert!(matches!(Vault::open(&place.vault, root, name), Err(VaultError::Name { .. })), "{name}");
    }
}

#[test]
fn the_root_key_stays_outside() {
    let place = Place::new();
    let inside = place.vault.join("root.key");
    let root = RootKey::load_or_create(&inside).unwrap();
    assert!(matches!(root.refuse_under(place.vault.parent().unwrap()), Err(VaultError::RootInside { .. })));
    assert!(matches!(Vault::open(&place.vault, root, "default"), Err(VaultError::RootInside { .. })));
}

#[test]
fn shared_device_is_seen() {
    let place = Place::new();
    let vault = place.open().unwrap();
    assert!(vault.shares_device_with(place.vault.parent().unwrap()).unwrap());
    assert!(!vault.shares_device_with("/proc").unwrap());
    let demo = Vault::open(place.vault.join("demo"), RootKey::ephemeral().unwrap(), "demo").unwrap();
    assert_eq!(*demo.root_origin(), RootOrigin::Memory);
    assert!(!demo.shares_device_with(&place.vault).unwrap());
}

#[test]
fn files_are_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    place.open().unwrap().signing_seed("ledger").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&place.vault), 0o700);
    for entry in fs::read_dir(&place.vault).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{path:?}");
    }
}

fn edit(path: &Path, change: impl FnOnce(String) -> String) {
    let before = fs::read_to_string(path).unwrap();
    let after = change(before.clone());
    assert_ne!(before, after);
    fs::write(path, after).unwrap();
}

fn swap(one: &Path, two: &Path) {
    let (first, second) = (fs::read(one).unwrap(), fs::read(two).unwrap());
    fs::write(one, second).unwrap();
    fs::write(two, first).unwrap();
}
