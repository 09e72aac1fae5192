//! `probity doctor`: looks at what usually goes wrong before or while Probity runs, and names the way out.

use std::path::Path;

use probity_model::Timestamp;
use probity_model::time::MICROS_PER_DAY;
use probity_vault::RootKey;
use serde::{Deserialize, Serialize};

use crate::app::Root;
use crate::sources::{self, Loaded};

/// Certificates with fewer days left are to be renewed.
const EXPIRY_WARNING_DAYS: i64 = 30;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grade {
    Fine,
    Warning,
    Fault,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Diagnosis {
    pub grade: Grade,
    pub about: String,
    pub message: String,
}

/// Looks at everything that can be looked at without changing anything.
pub fn diagnose(data: &Path, root: &Root, loaded: Option<&Loaded>) -> Vec<Diagnosis> {
    let mut out = Vec::new();
    let mut say = |grade, about: &str, message: String| {
        out.push(Diagnosis { grade, about: about.to_owned(), message });
    };
    root_key(data, root, &mut say);
    data_folder(data, &mut say);
    ledger(data, &mut say);
    match loaded {
        Some(loaded) => configuration(loaded, &mut say),
        None => say(Grade::Warning, "configuration", "none given; name one with --config".to_owned()),
    }
    clock(data, &mut say);
    out
}

type Say<'a> = dyn FnMut(Grade, &str, String) + 'a;

fn root_key(data: &Path, root: &Root, say: &mut Say<'_>) {
    let about = "root key";
    let path = match root {
        Root::File(path) => path.clone(),
        Root::Located | Root::Ephemeral => match RootKey::default_path() {
            Ok(path) => path,
            Err(problem) => return say(Grade::Fault, about, problem.to_string()),
        },
    };
    if *root == Root::Located && std::env::var_os("CREDENTIALS_DIRECTORY").is_some() {
        say(
            Grade::Fine,
            about,
            "a systemd credentials folder is set; its `probity-root-key` comes first".to_owned(),
        );
    }
    if !path.exists() {
        let text = format!("`{}` does not exist yet; the first start creates it", path.display());
        return say(Grade::Fine, about, text);
    }
    match RootKey::load(&path) {
        Ok(root) => {
            match root.refuse_under(data) {
                Ok(()) => say(Grade::Fine, about, format!("`{}` can be read", path.display())),
                Err(problem) => say(Grade::Fault, about, problem.to_string()),
            }
            if same_device(&path, data) {
                let text = format!(
                    "`{}` and the data folder share a device: who takes the disk takes both; \
                     keep the key elsewhere (a systemd credential, another volume)",
                    path.display()
                );
                say(Grade::Warning, about, text);
            }
        }
        Err(problem) => say(Grade::Fault, about, problem.to_string()),
    }
}

fn same_device(a: &Path, b: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let device = |path: &Path| std::fs::metadata(path).map(|metadata| metadata.dev()).ok();
    device(a).is_some() && device(a) == device(b)
}

fn data_folder(data: &Path, say: &mut Say<'_>) {
    use std::os::unix::fs::PermissionsExt;
    let about = "data folder";
    let metadata = match std::fs::metadata(data) {
        Ok(metadata) => metadata,
        Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => {
            let text = format!("`{}` does not exist yet; the first start creates it", data.display());
            return say(Grade::Fine, about, text);
        }
        Err(problem) => return say(Grade::Fault, about, format!("`{}`: {problem}", data.display())),
    };
    if metadata.permissions().mode() & 0o077 != 0 {
        let text = format!("`{}` is open to others; `chmod 700 {}`", data.display(), data.display());
        say(Grade::Warning, about, text);
    }
    match rustix::fs::statvfs(data) {
        Ok(fs) => {
            let free = fs.f_bavail.saturating_mul(fs.f_frsize);
            let grade = if free < 1 << 30 { Grade::Warning } else { Grade::Fine };
            say(grade, about, format!("{} MiB free", free >> 20));
        }
        Err(problem) => say(Grade::Warning, about, format!("free space is not known: {problem}")),
    }
}

fn ledger(data: &Path, say: &mut Say<'_>) {
    let folder = data.join("ledger");
    if !folder.exists() {
        return say(Grade::Fine, "ledger", "none yet".to_owned());
    }
    let report = probity_ledger::verify_dir(&folder, None, None);
    let grade = if report.is_intact() { Grade::Fine } else { Grade::Fault };
    say(grade, "ledger", report.summary());
}

fn configuration(loaded: &Loaded, say: &mut Say<'_>) {
    let (_, diagnostics) = sources::load(loaded, crate::clock::now());
    let faults = diagnostics.iter().filter(|diagnostic| diagnostic.severity >= probity_model::Severity::High);
    let mut any = false;
    for fault in faults {
        any = true;
        say(Grade::Warning, "specification", fault.to_string());
    }
    if !any {
        say(
            Grade::Fine,
            "configuration",
            format!("`{}` and what it names can be read", loaded.file.display()),
        );
    }
    for listen in &loaded.config.gateway.listen {
        let free = std::net::TcpListener::bind(&listen.address);
        match free {
            Ok(_) => say(Grade::Fine, "listener", format!("`{}` is free", listen.address)),
            Err(problem) => {
                let text = format!("`{}`: {problem} (fine while probity itself runs)", listen.address);
                say(Grade::Warning, "listener", text);
            }
        }
    }
    certificates(loaded, crate::clock::now(), say);
    if let Err(problem) = crate::telemetry::exporter(loaded) {
        say(Grade::Fault, "telemetry", format!("{problem:#}"));
    }
    if let Err(problem) = crate::webhook::receivers(loaded) {
        say(Grade::Fault, "webhook", format!("{problem:#}"));
    }
}

/// Certificates that end, or have ended: of listeners, and what upstreams are verified by and shown.
fn certificates(loaded: &Loaded, at: Timestamp, say: &mut Say<'_>) {
    let listens = &loaded.config.gateway.listen;
    let mut files: Vec<_> = listens
        .iter()
        .filter_map(|listen| listen.tls.as_ref())
        .flat_map(|tls| tls.files().map(|(certificate, _)| certificate))
        .collect();
    for upstream in loaded.config.services.iter().flat_map(|service| &service.upstreams) {
        files.extend(upstream.ca.iter().chain(upstream.client().map(|(certificate, _)| certificate)));
    }
    for file in files {
        let path = loaded.path(file);
        let facts = match probity_gateway::certificate_facts(&path) {
            Ok(facts) => facts,
            Err(problem) => {
                say(Grade::Fault, "certificate", problem.to_string());
                continue;
            }
        };
        let Some(end) = facts.iter().filter_map(|certificate| certificate.not_after).min() else { continue };
        let days = end.since(at).div_euclid(MICROS_PER_DAY);
        let (grade, text) = match days {
            ..0 => (Grade::Fault, format!("`{}` ended at {end}", path.display())),
            0..EXPIRY_WARNING_DAYS => {
                (Grade::Warning, format!("`{}` ends in {days} days, at {end}: renew it", path.display()))
            }
            _ => (Grade::Fine, format!("`{}` is valid for {days} days", path.display())),
        };
        say(grade, "certificate", text);
    }
    if listens.iter().any(|listen| listen.tls.as_ref().is_some_and(|tls| tls.self_signed)) {
        let text = "a listener asks for `self_signed: true`, which only `probity up --dev` serves".to_owned();
        say(Grade::Warning, "certificate", text);
    }
}

/// A clock before the newest file of the data folder would break the order of the record.
fn clock(data: &Path, say: &mut Say<'_>) {
    let newest = std::fs::metadata(data).and_then(|metadata| metadata.modified());
    match newest {
        Ok(newest) if newest > std::time::SystemTime::now() + std::time::Duration::from_secs(1) => {
            say(Grade::Fault, "clock", "the clock is behind what the data folder has seen".to_owned());
        }
        _ => say(Grade::Fine, "clock", format!("{}", crate::clock::now())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let at = Timestamp::parse("2026-11-02T10:00:00Z").unwrap();
        for (name, year, month, day) in [("old", 2026, 11, 1), ("soon", 2026, 11, 20), ("fine", 2027, 11, 2)]
        {
            let key = rcgen::KeyPair::generate().unwrap();
            let mut params = rcgen::CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
            params.not_before = rcgen::date_time_ymd(2026, 1, 1);
            params.not_after = rcgen::date_time_ymd(year, month, day);
            let certificate = params.self_signed(&key).unwrap();
            std::fs::write(folder.path().join(format!("{name}.pem")), certificate.pem()).unwrap();
        }
        let text = "version: 1\ngateway:\n  listen:\n    - address: \"127.0.0.1:0\"\n      tls: {certificate: old.pem, key: k, certificates: [{certificate: fine.pem, key: k}]}\nservices: [{name: a, upstreams: [{url: \"https://a\", ca: soon.pem, client_certificate: none.pem, client_key: k}]}]\n";
        let loaded = Loaded::parse(&folder.path().join("probity.yaml"), text.to_owned()).unwrap();
        let mut said = Vec::new();
        certificates(&loaded, at, &mut |grade, _, text| said.push((grade, text)));
        let expected = [
            (Grade::Fault, "old.pem` ended at 2026-11-01"),
            (Grade::Fine, "fine.pem` is valid for 364 days"),
            (Grade::Warning, "soon.pem` ends in 17 days"),
            (Grade::Fault, "none.pem` cannot be read"),
        ];
        assert_eq!(said.len(), expected.len(), "{said:?}");
        for (said, expected) in said.iter().zip(expected) {
            assert!(said.0 == expected.0 && said.1.contains(expected.1), "{said:?} {expected:?}");
        }
    }
}
