use std::fs::{self, Permissions};

use super::*;

fn path_from(config: Option<&str>, home: Option<&str>) -> Option<String> {
    let path = RootKey::path_from(config.map(Into::into), home.map(Into::into)).ok()?;
    Some(path.to_string_lossy().into_owned())
}

#[test]
fn default_path_follows_the_environment() {
    let check = |config, home, expected: Option<&str>| {
        assert_eq!(path_from(config, home).as_deref(), expected, "{config:?} {home:?}");
    };
    check(Some("/x"), Some("/h"), Some("/x/probity/root.key"));
    check(None, Some("/h"), Some("/h/.config/probity/root.key"));
    check(Some("relative"), Some("/h"), Some("/h/.config/probity/root.key"));
    check(Some(""), Some("/h"), Some("/h/.config/probity/root.key"));
    check(None, None, None);
    check(None, Some("h"), None);
}

#[test]
fn creates_once_with_0600_and_reads_the_same_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/b/root.key");
    let made = RootKey::load_or_create(&path).unwrap();
    let read = RootKey::load_or_create(&path).unwrap();
    assert_eq!(made.key.expose(), read.key.expose());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o7777, 0o700);
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "a temporary file was left");
    assert_ne!(RootKey::ephemeral().unwrap().key.expose(), made.key.expose());
}

#[test]
fn many_creators_agree_on_one_key() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("root.key");
    let prints: std::collections::BTreeSet<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| RootKey::load_or_create(&path).unwrap().fingerprint().unwrap()))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(prints.len(), 1);
}

#[test]
fn refuses_loose_permissions() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("root.key");
    RootKey::load_or_create(&path).unwrap();
    let check = |mode: u32, expected: Option<&str>| {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let error = RootKey::load(&path).err().map(|error| error.to_string());
        assert_eq!(error.is_some(), expected.is_some(), "{mode:o}: {error:?}");
        assert!(error.unwrap_or_default().contains(expected.unwrap_or_default()));
    };
    check(0o600, None);
    check(0o400, None);
    check(0o640, Some("has mode 0640: expected 0600"));
    check(0o604, Some("has mode 0604"));
    check(0o700, Some("has mode 0700"));
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o777)).unwrap();
    assert!(matches!(RootKey::load(&path), Err(VaultError::RootFolder { .. })));
    fs::set_permissions(dir.path(), Permissions::from_mode(0o1777)).unwrap();
    assert!(RootKey::load(&path).is_ok());
}

#[test]
fn refuses_what_is_not_a_root_key() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("root.key");
    let check = |bytes: &[u8], file: bool, credential: bool| {
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        assert_eq!(RootKey::load(&path).is_ok(), file, "{bytes:?}");
        assert_eq!(RootKey::load_credential(&path).is_ok(), credential, "{bytes:?}");
    };
    let good = format!("{PREFIX}{}", STANDARD.encode([9_u8; 32]));
    check(good.as_bytes(), true, true);
    check(format!("{good}\n").as_bytes(), true, true);
    check(&[9; 32], false, true);
    check(b"", false, false);
    check(&[9; 31], false, false);
    check(&[9; 33], false, false);
    check(&good.as_bytes()[..good.len() - 1], false, false);
    check(format!("{PREFIX}{}", STANDARD.encode([9_u8; 31])).as_bytes(), false, false);
    check(format!("{good}\n\n").as_bytes(), false, false);
    check(&vec![b'a'; usize::try_from(durable::MAX_FILE).unwrap() + 1], false, false);
}

#[test]
fn credential_may_be_read_by_its_group_only() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(CREDENTIAL_NAME);
    fs::write(&path, [9; 32]).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o440)).unwrap();
    assert_eq!(*RootKey::load_credential(&path).unwrap().origin(), RootOrigin::Credential(path.clone()));
    fs::set_permissions(&path, Permissions::from_mode(0o444)).unwrap();
    assert!(matches!(RootKey::load_credential(&path), Err(VaultError::RootPermissions { mode: 0o444, .. })));
}

#[test]
fn never_prints_itself() {
    let mut bytes = *b"printed-secret-printed-secret-32";
    let root = RootKey { key: SecretBytes::take(&mut bytes), origin: RootOrigin::Memory };
    let text = format!("{root:?} {:?}", root.key);
    assert_eq!(text, "RootKey { origin: Memory, .. } SecretBytes<32>(..)");
    assert_eq!(bytes, [0; 32], "the source is wiped");
}
