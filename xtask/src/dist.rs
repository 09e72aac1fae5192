//! `cargo xtask dist`: one stripped release binary, its hardened systemd unit, an example configuration, licences.

use anyhow::Context;

use crate::shell;

pub fn run() -> anyhow::Result<()> {
    shell::cargo(&["build", "--release", "--locked", "--package", "probity", "--no-default-features"])?;
    let target = shell::target_dir();
    let folder = target.join("probity-dist");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder)?;
    let root = shell::root();
    let files = [
        (target.join("release/probity"), "probity"),
        (root.join("packaging/probity.service"), "probity.service"),
        (root.join("examples/probity.yaml"), "probity.yaml"),
        (root.join("LICENSE"), "LICENSE"),
        (root.join("README.md"), "README.md"),
    ];
    for (from, name) in files {
        std::fs::copy(&from, folder.join(name))
            .with_context(|| format!("cannot copy `{}`", from.display()))?;
    }
    let binary = folder.join("probity").display().to_string();
    shell::run("strip", &[&binary], &[])?;
    let archive = target.join("probity-dist.tar.gz").display().to_string();
    let parent = target.display().to_string();
    shell::run("tar", &["-czf", &archive, "-C", &parent, "probity-dist"], &[])?;
    shell::say(&format!("written to {archive}"));
    Ok(())
}
