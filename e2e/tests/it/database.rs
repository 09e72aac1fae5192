//! PostgreSQL instead of the file in the data folder: a private server from Debian's package.
//!
//! A shell owns it: it stops the server and removes the folder when its standard input ends, which is when this process
//! ends, in whatever way. `initdb` refuses root, so root's tests run it as the package's user.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::binary::Place;
use crate::running::Running;
use crate::shop::{self, DEBUG, ORDER};

const MISSING: &str = "this test needs PostgreSQL: apt-get install -y postgresql";
const START: &str = r#"
set -e
folder=$1 bin=$2 port=$3
trap '"$bin/pg_ctl" -D "$folder/data" -m immediate -w stop >/dev/null 2>&1; rm -rf "$folder"' EXIT
"$bin/initdb" -D "$folder/data" -U probity -A trust -E UTF8 --no-sync --locale=C.UTF-8 >/dev/null
"$bin/pg_ctl" -D "$folder/data" -w -l "$folder/log" \
    -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$folder -c fsync=off" start >/dev/null
echo ready
cat >/dev/null
"#;

struct Server {
    shell: Child,
    port: u16,
}

impl Server {
    fn start() -> Self {
        let bin = binaries().expect(MISSING);
        let folder = tempfile::tempdir().unwrap().keep();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(START).arg("sh").arg(&folder).arg(&bin).arg(port.to_string());
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0).current_dir("/");
        if let Some((user, group)) = owner() {
            chown(&folder, Some(user), Some(group)).unwrap();
            shell.uid(user).gid(group);
        }
        let mut shell = shell.spawn().unwrap();
        let mut said = String::new();
        BufReader::new(shell.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said.trim(), "ready", "PostgreSQL from `{}` did not start", bin.display());
        Self { shell, port }
    }

    fn url(&self) -> String {
        format!("postgres://probity@127.0.0.1:{}/postgres", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

/// The newest that is installed.
fn binaries() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let found = versions.filter_map(|entry| {
        let path = entry.ok()?.path();
        let version: u32 = path.file_name()?.to_str()?.parse().ok()?;
        path.join("bin/initdb").exists().then(|| (version, path.join("bin")))
    });
    found.max().map(|(_, bin)| bin)
}

/// Whom the server runs as; `None` when this user may run it.
fn owner() -> Option<(u32, u32)> {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let line = users.lines().find(|line| line.starts_with("postgres:")).expect(MISSING);
    let mut ids = line.split(':').skip(2).map(|id| id.parse().unwrap());
    Some((ids.next()?, ids.next()?))
}

#[test]
fn the_store_may_be_postgresql() {
    let server = Server::start();
    let place = Place::new();
    let store = format!("store:\n  url: \"{}\"\n", server.url());
    let _shop = shop::open(&place, &store);
    let running = Running::start(&place);
    let call = shop::visit(&place, &running);
    place.run(["inventory", "set", DEBUG, "--owner", "team-first"]).exits(0);
    running.stop();
    assert!(!place.path("data/probity.sqlite").exists());

    // A command without the configuration knows the store from the folder.
    place.run(["inventory", "list"]).exits(0).says(ORDER).says("owner team-first");
    place.run(["explain", &call]).exits(0).says("answered 200");
    place.run(["verify", &place.text("data")]).exits(0);

    let running = Running::start(&place);
    shop::visit(&place, &running);
    place.run(["inventory", "list"]).exits(0).says("4 calls").says("owner team-first");
    running.stop();
}
