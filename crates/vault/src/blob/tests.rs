use proptest::prelude::*;

use super::*;

const KEY: [u8; 32] = [7; 32];

fn key() -> SecretBytes<32> {
    SecretBytes::take(&mut KEY.clone())
}

fn binding<'a>(purpose: &'a str, tenant: &'a str, aad: &'a [u8]) -> Binding<'a> {
    Binding { kind: Kind::Value, purpose, tenant, aad }
}

fn open(blob: &[u8], key: &SecretBytes<32>, binding: Binding<'_>) -> Result<Vec<u8>, VaultError> {
    Ok(Parsed::new(blob)?.open(key, binding)?.expose().to_vec())
}

#[test]
fn opens_only_under_the_same_binding() {
    let sealed_as = binding("salt", "acme", b"row 1");
    let (blob, _) = seal(&key(), [1; 16], sealed_as, b"pepper").unwrap();
    assert_eq!(blob.len(), b"pepper".len() + OVERHEAD);
    let other_key = SecretBytes::take(&mut [8; 32]);
    let check = |key: &SecretBytes<32>, binding: Binding<'_>, expected: bool| {
        assert_eq!(open(&blob, key, binding).is_ok(), expected, "{binding:?}");
    };
    check(&key(), sealed_as, true);
    check(&other_key, sealed_as, false);
    check(&key(), binding("salt", "acme", b"row 2"), false);
    check(&key(), binding("salt", "acme", b""), false);
    check(&key(), binding("segment", "acme", b"row 1"), false);
    check(&key(), binding("salt", "other", b"row 1"), false);
    check(&key(), Binding { kind: Kind::DataKey, ..sealed_as }, false);
    // The same bytes split otherwise over purpose, tenant and aad.
    check(&key(), binding("salta", "cme", b"row 1"), false);
    check(&key(), binding("salt", "acmerow", b" 1"), false);
}

#[test]
fn header_names_what_is_wrong() {
    let (blob, _) = seal(&key(), [1; 16], binding("p", "t", b""), b"x").unwrap();
    let check = |blob: &[u8], expected: &str| {
        let error = Parsed::new(blob).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(b"", "too short");
    check(&blob[..HEADER_LEN], "shorter than its tag");
    check(&[b"XXXX", &blob[4..]].concat(), "PRBV");
    check(&[b"PRBV\x02", &blob[5..]].concat(), "format version");
}

/// The layout of version 1 must stay readable: a blob made by the first build, opened by this one.
#[test]
fn opens_the_committed_blob_of_version_1() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/blob-v1.hex");
    let bound = binding("salt", "acme", b"row 1");
    if std::env::var_os("PROBITY_BLESS").is_some() {
        let (blob, _) = seal(&key(), [1; 16], bound, b"pepper").unwrap();
        std::fs::write(path, hex(&blob) + "\n").unwrap();
    }
    let text = std::fs::read_to_string(path).unwrap();
    let digits = text.trim().as_bytes().chunks(2);
    let blob: Vec<u8> =
        digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect();
    assert_eq!(open(&blob, &key(), bound).unwrap(), b"pepper");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn round_trips(plaintext: Vec<u8>, aad: Vec<u8>, purpose in "[a-z-]{1,20}") {
        let bound = binding(&purpose, "t", &aad);
        let (blob, _) = seal(&key(), [1; 16], bound, &plaintext).unwrap();
        prop_assert_eq!(open(&blob, &key(), bound).unwrap(), plaintext);
    }

    #[test]
    fn any_flip_is_refused(plaintext in proptest::collection::vec(any::<u8>(), 0..64), at: usize, bit in 0_u8..8) {
        let bound = binding("p", "t", b"aad");
        let (mut blob, _) = seal(&key(), [1; 16], bound, &plaintext).unwrap();
        let at = at % blob.len();
        blob[at] ^= 1 << bit;
        prop_assert!(open(&blob, &key(), bound).is_err(), "byte {} bit {}", at, bit);
    }

    #[test]
    fn any_cut_or_growth_is_refused(cut in 0_usize..80, extra in proptest::collection::vec(any::<u8>(), 1..8)) {
        let bound = binding("p", "t", b"aad");
        let (blob, _) = seal(&key(), [1; 16], bound, b"thirty bytes of plain text ...").unwrap();
        let cut = cut.min(blob.len() - 1);
        prop_assert!(open(&blob[..cut], &key(), bound).is_err());
        prop_assert!(open(&[blob.as_slice(), &extra].concat(), &key(), bound).is_err());
    }

    #[test]
    fn garbage_never_panics(bytes: Vec<u8>, prefix in 0_usize..6) {
        let head = [MAGIC.as_slice(), &[VERSION, 3]].concat();
        let blob = [&head[..prefix], &bytes].concat();
        prop_assert!(open(&blob, &key(), binding("p", "t", b"")).is_err());
    }
}
