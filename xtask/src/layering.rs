//! Floors: a crate depends downward only, and a heavy third-party tree has one owner. The table is ARCHITECTURE.md's.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use cargo_metadata::{DependencyKind, MetadataCommand};

use crate::shell;

/// `| floor | `crate` | ... | owns |` rows of ARCHITECTURE.md.
fn floors() -> anyhow::Result<BTreeMap<String, (u32, Vec<String>)>> {
    let text = std::fs::read_to_string(shell::root().join("ARCHITECTURE.md"))
        .context("cannot read ARCHITECTURE.md")?;
    let mut out = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [floor, name, _, owns] = cells.as_slice() else { continue };
        let Ok(floor) = floor.parse::<u32>() else { continue };
        let name = name.trim_matches('`').to_owned();
        let owns = owns
            .split(',')
            .map(|owned| owned.trim().trim_matches('`'))
            .filter(|owned| !owned.is_empty() && *owned != "-");
        out.insert(name, (floor, owns.map(str::to_owned).collect()));
    }
    if out.len() < 5 {
        bail!(
            "the floor table of ARCHITECTURE.md was not found: expected rows `| floor | `crate` | it is | owns alone |`"
        );
    }
    Ok(out)
}

/// Third-party cryptography allowed to some crates only.
const CRYPTOGRAPHY: [&str; 8] =
    ["aws-lc-rs", "ring", "sha2", "sha1", "hmac", "ed25519-dalek", "aes-gcm", "openssl"];
const CRYPTOGRAPHY_OWNERS: [&str; 5] =
    ["probity-vault", "probity-ledger", "probity-gateway", "probity-events", "probity-server"];

pub fn check() -> anyhow::Result<()> {
    let floors = floors()?;
    let metadata = MetadataCommand::new().current_dir(shell::root()).no_deps().exec()?;
    let mut faults = Vec::new();
    let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, (_, owned)) in &floors {
        for dependency in owned {
            owners.insert(dependency, name);
        }
    }
    for package in &metadata.packages {
        let name = package.name.as_str();
        let in_crates = package.manifest_path.as_str().contains("/crates/");
        if !in_crates {
            continue;
        }
        let Some((floor, _)) = floors.get(name) else {
            faults.push(format!("`{name}` has no row in the floor table of ARCHITECTURE.md"));
            continue;
        };
        for dependency in package.dependencies.iter().filter(|d| d.kind == DependencyKind::Normal) {
            let other = dependency.name.as_str();
            if let Some((below, _)) = floors.get(other)
                && below >= floor
            {
                faults.push(format!(
                    "`{name}` (floor {floor}) depends on `{other}` (floor {below}), expected downward only"
                ));
            }
            if let Some(owner) = owners.get(other)
                && *owner != name
            {
                faults.push(format!("`{name}` depends on `{other}`, which `{owner}` owns alone"));
            }
            if CRYPTOGRAPHY.contains(&other) && (other != "aws-lc-rs" || !CRYPTOGRAPHY_OWNERS.contains(&name))
            {
                faults.push(format!(
                    "`{name}` depends on `{other}`: cryptography is aws-lc-rs, in {CRYPTOGRAPHY_OWNERS:?}"
                ));
            }
        }
    }
    for name in floors.keys() {
        if !metadata.packages.iter().any(|package| package.name.as_str() == name) {
            faults.push(format!("the floor table names `{name}`, which is not in the workspace"));
        }
    }
    match faults.is_empty() {
        true => Ok(()),
        false => bail!("layering:\n  {}", faults.join("\n  ")),
    }
}
