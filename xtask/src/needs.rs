//! What the machine must have for a task, and the command that installs what is missing.

use std::io::{BufRead as _, IsTerminal as _};
use std::path::Path;

use anyhow::bail;

use crate::shell;

/// One thing a task needs.
#[derive(Clone, Copy, Debug)]
pub struct Need {
    pub name: &'static str,
    /// Present when one of these programs or files is there.
    pub any_of: &'static [&'static str],
    /// Debian package that brings it.
    pub package: &'static str,
}

pub const C_COMPILER: Need =
    Need { name: "a C compiler", any_of: &["cc", "gcc", "clang"], package: "build-essential" };
pub const NGINX: Need = Need { name: "nginx", any_of: &["nginx"], package: "nginx-light" };
pub const HAPROXY: Need = Need { name: "HAProxy", any_of: &["haproxy"], package: "haproxy" };
pub const POSTGRESQL: Need = Need {
    name: "PostgreSQL",
    any_of: &[
        "/usr/lib/postgresql/15/bin/initdb",
        "/usr/lib/postgresql/16/bin/initdb",
        "/usr/lib/postgresql/17/bin/initdb",
        "/usr/lib/postgresql/14/bin/initdb",
    ],
    package: "postgresql",
};
pub const CURL: Need = Need { name: "curl", any_of: &["curl"], package: "curl" };
pub const OPENSSL: Need = Need { name: "openssl", any_of: &["openssl"], package: "openssl" };
pub const CHROMIUM: Need = Need {
    name: "Chromium",
    any_of: &["chromium", "chromium-browser", "google-chrome"],
    package: "chromium",
};
pub const VALGRIND: Need = Need { name: "valgrind", any_of: &["valgrind"], package: "valgrind" };
pub const WRK: Need = Need { name: "wrk", any_of: &["wrk"], package: "wrk" };

impl Need {
    fn is_met(&self) -> bool {
        self.any_of.iter().any(|what| match what.starts_with('/') {
            true => Path::new(what).exists(),
            false => shell::has(what),
        })
    }
}

/// Names what is missing with the command that installs it, and runs it on a yes.
pub fn satisfy(needs: &[Need], yes: bool) -> anyhow::Result<()> {
    let missing: Vec<&Need> = needs.iter().filter(|need| !need.is_met()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|need| need.name).collect();
    let packages: Vec<&str> = missing.iter().map(|need| need.package).collect();
    let sudo = if rustix_is_root() { "" } else { "sudo " };
    let command = format!(
        "{sudo}apt-get update && {sudo}apt-get install -y --no-install-recommends {}",
        packages.join(" ")
    );
    shell::say(&format!("missing: {}\ninstalled by: {command}", names.join(", ")));
    if !yes && !asked("run it now? [y/N] ") {
        bail!("{} missing; run the command above, or this one again with --yes", names.join(", "));
    }
    shell::run("sh", &["-c", &command], &[("DEBIAN_FRONTEND", "noninteractive")])?;
    let still: Vec<&str> = missing.iter().filter(|need| !need.is_met()).map(|need| need.name).collect();
    if !still.is_empty() {
        bail!("still missing after the install: {}", still.join(", "));
    }
    Ok(())
}

fn rustix_is_root() -> bool {
    shell::output("id", &["-u"]).is_ok_and(|id| id.trim() == "0")
}

fn asked(question: &str) -> bool {
    let input = std::io::stdin();
    if !input.is_terminal() {
        return false;
    }
    shell::say(question);
    let mut answer = String::new();
    input.lock().read_line(&mut answer).is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}

/// The pinned cargo-deny, installed once into a cache outside the checkout.
pub fn cargo_deny(yes: bool) -> anyhow::Result<std::path::PathBuf> {
    const VERSION: &str = "0.20.2";
    let home = std::env::var_os("HOME").map_or_else(std::env::temp_dir, std::path::PathBuf::from);
    let cache =
        std::env::var_os("XDG_CACHE_HOME").map_or_else(|| home.join(".cache"), std::path::PathBuf::from);
    let folder = cache.join(format!("probity/cargo-deny-{VERSION}"));
    let binary = folder.join("bin/cargo-deny");
    if binary.is_file() {
        return Ok(binary);
    }
    let root = folder.display().to_string();
    let args = ["install", "--locked", "--quiet", "cargo-deny", "--version", VERSION, "--root", &root];
    shell::say(&format!("missing: cargo-deny {VERSION}\ninstalled by: cargo {}", args.join(" ")));
    if !yes && !asked("run it now? [y/N] ") {
        bail!("cargo-deny is missing; run the command above, or this one again with --yes");
    }
    let target = folder.join("build").display().to_string();
    let quick = [
        ("CARGO_TARGET_DIR", target.as_str()),
        ("CARGO_PROFILE_RELEASE_LTO", "off"),
        ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"),
        ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
    ];
    shell::run(shell::cargo_binary(), &args, &quick)?;
    let _ = std::fs::remove_dir_all(folder.join("build"));
    Ok(binary)
}
