//! `--dev`: certificates that a workplace makes for its own listeners. Nobody vouches for them, so no other start serves
//! them; they lie in the data folder, `self-signed/NAME.pem`, for clients to be told of.

use std::fs::OpenOptions;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use probity_gateway::certificate_facts;
use probity_model::Timestamp;
use probity_model::bundle::{Bundle, Listener, SignedBundle};
use probity_model::time::MICROS_PER_DAY;

const FOLDER: &str = "self-signed";
const DAYS: i64 = 30;
/// A certificate with less left is made anew.
const DAYS_LEFT: i64 = 1;

/// Where the certificates of a data folder's workplace lie.
pub fn folder(data: &Path) -> PathBuf {
    data.join(FOLDER)
}

/// Makes what the listeners of a bundle ask for and is not there, or not for long.
pub fn prepare(signed: &SignedBundle, folder: &Path, at: Timestamp) -> anyhow::Result<()> {
    let bundle: Bundle = serde_json::from_str(&signed.bundle).context("the bundle cannot be read")?;
    let asking =
        bundle.listeners.iter().filter(|listener| listener.tls.as_ref().is_some_and(|tls| tls.self_signed));
    for listener in asking {
        make(listener, folder, at)
            .with_context(|| format!("no certificate could be made for the listener `{}`", listener.name))?;
    }
    Ok(())
}

fn make(listener: &Listener, folder: &Path, at: Timestamp) -> anyhow::Result<()> {
    if listener.name.contains(['/', '\0']) || listener.name.starts_with('.') {
        bail!("its name cannot be a file's, expected letters, digits and dashes");
    }
    let file = |ending: &str| folder.join(format!("{}.{ending}", listener.name));
    let last = certificate_facts(&file("pem")).ok().and_then(|facts| facts.first()?.not_after);
    if file("key").exists() && last.is_some_and(|last| last > at.plus_micros(DAYS_LEFT * MICROS_PER_DAY)) {
        return Ok(());
    }
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let own = listener.address.parse::<SocketAddr>().ok().map(|address| address.ip());
    names.extend(own.filter(|ip| !ip.is_unspecified() && !ip.is_loopback()).map(|ip| ip.to_string()));
    let key = rcgen::KeyPair::generate()?;
    let mut params = rcgen::CertificateParams::new(names)?;
    let name = format!("probity --dev {}", listener.name);
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    let days = day(at.plus_micros(-MICROS_PER_DAY)).zip(day(at.plus_micros(DAYS * MICROS_PER_DAY)));
    let ((year, month, first), (end_year, end_month, last)) = days.context("the clock is off")?;
    params.not_before = rcgen::date_time_ymd(year, month, first);
    params.not_after = rcgen::date_time_ymd(end_year, end_month, last);
    let certificate = params.self_signed(&key)?;
    write(&file("key"), &zeroize::Zeroizing::new(key.serialize_pem()))?;
    write(&file("pem"), &certificate.pem())
}

/// Year, month and day of a moment.
fn day(at: Timestamp) -> Option<(i32, u8, u8)> {
    let text = at.to_string();
    let mut parts = text.get(..10)?.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    Some((year.parse().ok()?, month.parse().ok()?, day.parse().ok()?))
}

/// For the owner alone.
fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    let mut out = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file)?;
    Ok(out.write_all(text.as_bytes())?)
}

#[cfg(test)]
mod tests {
    use probity_model::bundle::{ListenerTls, TlsVersion};

    use super::*;

    #[test]
    fn certificates_are_made_once_and_renewed_in_time() {
        use std::os::unix::fs::PermissionsExt;
        let data = tempfile::tempdir().unwrap();
        let folder = folder(data.path());
        let mut bundle = probity_gateway::refusing_bundle();
        bundle.listeners[0].name = "main".to_owned();
        bundle.listeners[0].address = "192.0.2.7:443".to_owned();
        let signed = |bundle: &Bundle| SignedBundle {
            bundle: serde_json::to_string(bundle).unwrap(),
            signature: String::new(),
            key: String::new(),
        };
        let at = Timestamp::parse("2026-11-02T10:00:00Z").unwrap();
        prepare(&signed(&bundle), &folder, at).unwrap();
        assert!(!folder.exists(), "nobody asked");

        bundle.listeners[0].tls = Some(ListenerTls {
            certificate_file: String::new(),
            key_file: String::new(),
            minimum: TlsVersion::V1_3,
            certificates: Vec::new(),
            strict_sni: false,
            self_signed: true,
            client_auth: None,
        });
        let facts = |at| {
            prepare(&signed(&bundle), &folder, at).unwrap();
            certificate_facts(&folder.join("main.pem")).unwrap().remove(0)
        };
        let first = facts(at);
        assert_eq!(first.names, ["localhost", "127.0.0.1", "::1", "192.0.2.7"]);
        assert_eq!(first.not_after, Timestamp::parse("2026-12-02"));
        assert!(first.self_signed);
        let mode = std::fs::metadata(folder.join("main.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(facts(at.plus_micros(28 * MICROS_PER_DAY)).der, first.der);
        assert_ne!(facts(at.plus_micros(29 * MICROS_PER_DAY)).der, first.der);

        let odd = |name: &str| {
            let mut bundle = bundle.clone();
            bundle.listeners[0].name = name.to_owned();
            prepare(&signed(&bundle), &folder, at).is_err()
        };
        assert!(odd("../main") && odd(".."));
    }
}
