//! `probity doctor`: looks at what usually goes wrong before or while Probity runs, and names the way out.

use std::path::Path;

use probity_vault::RootKey;
use serde::{Deserialize, Serialize};

use crate::app::Root;
use crate::sources::{self, Loaded};

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
    if let Err(problem) = crate::webhook::receivers(loaded) {
        say(Grade::Fault, "webhook", format!("{problem:#}"));
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
