//! Signed bundles: how they are made, believed, kept and replaced by a refusing one.
//!
//! What a bundle says is compiled in [`crate::plan`]; nothing here looks further than its version and revision.

use std::io::Write;
use std::path::Path;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use probity_model::bundle::{
    BUNDLE_VERSION, Bundle, ConnectionLimits, Forwarding, Inspection, Listener, RecordPolicy, SignedBundle,
    Timeouts,
};
use probity_model::{Digest, Timestamp};

/// Stands before the bundle's bytes under the signature, so that it means nothing elsewhere.
const DOMAIN: &[u8] = b"probity-bundle-v1\n";
/// Largest kept bundle that is read back.
const MAX_BUNDLE_BYTES: u64 = 256 * 1024 * 1024;
/// Name of the one listener of [`refusing`].
pub(crate) const REFUSING_LISTENER: &str = "refusing";

/// Why a bundle was not applied. The one before stays in force, whole.
#[derive(Debug, thiserror::Error)]
pub enum BundleRefusal {
    #[error("signed by key `{found}`, expected the pinned key `{pinned}`")]
    Key { found: String, pinned: String },
    #[error("the signature does not fit the bundle, expected one by the pinned key")]
    Signature,
    #[error("malformed bundle, expected JSON of bundle version {BUNDLE_VERSION}")]
    Malformed(#[source] serde_json::Error),
    #[error("bundle version {found}, expected {BUNDLE_VERSION}")]
    Version { found: u32 },
    #[error("revision {found} is lower than revision {current} in force")]
    Revision { found: u64, current: u64 },
    #[error("routes")]
    Route(#[from] probity_policy::route::RouteError),
    #[error("classes of data")]
    Class(#[from] probity_policy::classify::ClassError),
    #[error("trusted proxy `{0}`, expected an address or a CIDR block")]
    TrustedProxy(String),
    #[error("listener `{name}`: address `{address}`, expected `address:port`")]
    Address { name: String, address: String },
    #[error(
        "listener `{name}` at `{address}`: clear text beyond loopback, expected `tls`, or `clear_text: true` to ask for it"
    )]
    ClearText { name: String, address: String },
    #[error("listener `{name}`: PROXY protocol peer `{address}`, expected an address or a CIDR block")]
    Proxy { name: String, address: String },
    #[error("listener `{name}` at `{address}` cannot be opened")]
    Bind { name: String, address: String, source: std::io::Error },
    #[error("listener `{0}` is named twice")]
    ListenerRepeated(String),
    #[error("listener `{name}`: {source}")]
    ListenerTls { name: String, source: Box<crate::tls::TlsError> },
    #[error("service `{service}`: no upstream, expected at least one")]
    NoUpstream { service: String },
    #[error("service `{service}`, upstream `{host}`: {source}")]
    UpstreamTls { service: String, host: String, source: Box<crate::tls::TlsError> },
    #[error("service `{service}`: `{host}` is no host name or address")]
    UpstreamHost { service: String, host: String },
    #[error("service `{service}`: its section `{section}` cannot be enforced")]
    Protection { service: String, section: &'static str, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("its section `identity` cannot be enforced")]
    Identity(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the gateway has been stopped")]
    Stopped,
}

/// Signs a bundle with the Ed25519 key of that seed. Should the library refuse the seed, the signature stays empty and
/// no gateway believes the bundle.
///
/// ```
/// # use probity_gateway::{sign_bundle, refusing_bundle};
/// assert_eq!(sign_bundle(&[7; 32], &refusing_bundle()).signature.len(), 128);
/// ```
pub fn sign_bundle(seed: &[u8; 32], bundle: &Bundle) -> SignedBundle {
    let bundle = serde_json::to_string(bundle).unwrap_or_default();
    let (signature, key) = match Ed25519KeyPair::from_seed_unchecked(seed) {
        Ok(key) => (hex(key.sign(&message(&bundle)).as_ref()), hex(key.public_key().as_ref())),
        Err(_) => Default::default(),
    };
    SignedBundle { bundle, signature, key }
}

/// The public key of that seed, as a gateway pins it.
pub fn bundle_public_key(seed: &[u8; 32]) -> Option<[u8; 32]> {
    Ed25519KeyPair::from_seed_unchecked(seed).ok()?.public_key().as_ref().try_into().ok()
}

/// A bundle without services: every call is answered 503. It listens on loopback alone.
pub fn refusing_bundle() -> Bundle {
    Bundle {
        version: BUNDLE_VERSION,
        revision: 0,
        created_at: Timestamp::default(),
        catalogue: Digest::default(),
        listeners: vec![Listener {
            name: REFUSING_LISTENER.into(),
            address: "127.0.0.1:0".into(),
            tls: None,
            clear_text_allowed: false,
            proxy_protocol: None,
        }],
        services: Vec::new(),
        classes: Vec::new(),
        inspection: Inspection::default(),
        timeouts: Timeouts::default(),
        limits: ConnectionLimits::default(),
        forwarding: Forwarding::default(),
        record: RecordPolicy::default(),
        identity: None,
    }
}

/// Believes a bundle: signature by the pinned key, known version, revision not below `current`.
pub(crate) fn verify(
    signed: &SignedBundle,
    pinned: &[u8; 32],
    current: Option<u64>,
) -> Result<Bundle, BundleRefusal> {
    let pinned_hex = hex(pinned);
    if !signed.key.eq_ignore_ascii_case(&pinned_hex) {
        let found = signed.key.chars().take(64).collect();
        return Err(BundleRefusal::Key { found, pinned: pinned_hex });
    }
    let signature = unhex(&signed.signature).ok_or(BundleRefusal::Signature)?;
    UnparsedPublicKey::new(&ED25519, pinned)
        .verify(&message(&signed.bundle), &signature)
        .map_err(|_| BundleRefusal::Signature)?;
    let bundle: Bundle = serde_json::from_str(&signed.bundle).map_err(|error| {
        // A later version may have another shape: say so rather than complain about a field.
        match serde_json::from_str::<VersionOnly>(&signed.bundle) {
            Ok(VersionOnly { version }) if version != BUNDLE_VERSION => {
                BundleRefusal::Version { found: version }
            }
            _ => BundleRefusal::Malformed(error),
        }
    })?;
    if bundle.version != BUNDLE_VERSION {
        return Err(BundleRefusal::Version { found: bundle.version });
    }
    match current {
        Some(current) if bundle.revision < current => {
            Err(BundleRefusal::Revision { found: bundle.revision, current })
        }
        _ => Ok(bundle),
    }
}

#[derive(serde::Deserialize)]
struct VersionOnly {
    version: u32,
}

/// Keeps the last good bundle: a reader finds the old one or the new one, never a mixture.
pub(crate) fn keep(file: &Path, signed: &SignedBundle) -> std::io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut name = file.file_name().unwrap_or_default().to_os_string();
    name.push(".new");
    let new = folder.join(name);
    let mut out = std::fs::File::create(&new)?;
    out.write_all(&serde_json::to_vec(signed)?)?;
    out.sync_all()?;
    std::fs::rename(&new, file)?;
    std::fs::File::open(folder)?.sync_all()
}

/// The bundle kept last; `None` where none was.
pub(crate) fn kept(file: &Path) -> std::io::Result<Option<SignedBundle>> {
    match std::fs::metadata(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
        Ok(metadata) if metadata.len() > MAX_BUNDLE_BYTES => {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        Ok(_) => {}
    }
    Ok(Some(serde_json::from_slice(&std::fs::read(file)?)?))
}

fn message(bundle: &str) -> Vec<u8> {
    [DOMAIN, bundle.as_bytes()].concat()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|digit| digit.to_digit(16).map(|digit| digit as u8)).collect();
    let (pairs, rest) = digits.as_deref()?.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: [u8; 32] = [9; 32];

    fn check(change: impl FnOnce(&mut SignedBundle), current: Option<u64>, expected: &str) {
        let mut bundle = refusing_bundle();
        bundle.revision = 5;
        let mut signed = sign_bundle(&SEED, &bundle);
        change(&mut signed);
        let pinned = bundle_public_key(&SEED).unwrap();
        let got = match verify(&signed, &pinned, current) {
            Ok(bundle) => format!("revision {}", bundle.revision),
            Err(refusal) => format!("{refusal:?}").split([' ', '(']).next().unwrap().to_owned(),
        };
        assert_eq!(got, expected);
    }

    fn resign(signed: &mut SignedBundle, text: &str) {
        let key = Ed25519KeyPair::from_seed_unchecked(&SEED).unwrap();
        signed.bundle = text.into();
        signed.signature = hex(key.sign(&message(text)).as_ref());
    }

    #[test]
    fn only_good_bundles_are_believed() {
        check(|_| {}, None, "revision 5");
        check(|_| {}, Some(5), "revision 5");
        check(|_| {}, Some(6), "Revision");
        check(|signed| signed.bundle.push(' '), None, "Signature");
        check(|signed| signed.signature.replace_range(..2, "zz"), None, "Signature");
        check(|signed| signed.signature.clear(), None, "Signature");
        check(|signed| *signed = sign_bundle(&[1; 32], &refusing_bundle()), None, "Key");
        check(|signed| signed.key = "00".repeat(32), None, "Key");
        check(|signed| resign(signed, "{}"), None, "Malformed");
        check(|signed| resign(signed, r#"{"version": 9, "odd": 1}"#), None, "Version");
        let other = serde_json::to_string(&Bundle { version: 2, ..refusing_bundle() }).unwrap();
        check(|signed| resign(signed, &other), None, "Version");
    }

    #[test]
    fn the_last_bundle_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bundle.json");
        assert_eq!(kept(&file).unwrap(), None);
        for revision in [1, 2] {
            let signed = sign_bundle(&SEED, &Bundle { revision, ..refusing_bundle() });
            keep(&file, &signed).unwrap();
            assert_eq!(kept(&file).unwrap(), Some(signed));
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        std::fs::write(&file, "torn").unwrap();
        assert!(kept(&file).is_err());
    }
}
