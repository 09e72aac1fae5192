//! One private PostgreSQL for the whole test binary, from Debian's package.
//!
//! A shell owns it: it stops the server and removes the folder when its standard input ends, which is when this
//! process ends, in whatever way. `initdb` refuses root, so root's tests run it as the package's user.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock};

use sea_orm::{ConnectOptions, ConnectionTrait, Database};

const MISSING: &str = "these tests need PostgreSQL: apt-get install -y postgresql";
/// The port is chosen before the server takes it; another process may be faster.
const ATTEMPTS: usize = 5;
/// Sorted by ICU's rules for English, so that nothing here can hang on the server's own order.
const START: &str = r#"
set -e
folder=$1 bin=$2 port=$3
trap '"$bin/pg_ctl" -D "$folder/data" -m immediate -w stop >/dev/null 2>&1; rm -rf "$folder"' EXIT
"$bin/initdb" -D "$folder/data" -U probity -A trust -E UTF8 --no-sync \
    --locale=C.UTF-8 --locale-provider=icu --icu-locale=en-US >/dev/null
cat >>"$folder/data/postgresql.conf" <<END
port = $port
listen_addresses = '127.0.0.1'
unix_socket_directories = '$folder'
max_connections = 300
fsync = off
ssl = on
ssl_cert_file = '$folder/server.pem'
ssl_key_file = '$folder/server.key'
END
"$bin/pg_ctl" -D "$folder/data" -w -l "$folder/log" start >/dev/null || { cat "$folder/log" >&2; exit 1; }
echo ready
cat >/dev/null
"#;

pub struct Server {
    pub folder: PathBuf,
    pub port: u16,
    /// Keeps the shell's standard input open.
    _shell: Child,
    databases: Mutex<u32>,
}

pub fn server() -> &'static Server {
    static SERVER: OnceLock<Result<Server, String>> = OnceLock::new();
    SERVER.get_or_init(start).as_ref().unwrap_or_else(|problem| panic!("{problem}"))
}

/// The URL of a database that no other test has.
pub fn fresh_database() -> String {
    let server = server();
    // Held while the database is made: two copies of the template at once are refused.
    let mut databases = server.databases.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    *databases += 1;
    let name = format!("test_{databases}");
    server.execute(&format!("CREATE DATABASE {name} TEMPLATE template0"));
    server.url(&name)
}

impl Server {
    pub fn url(&self, database: &str) -> String {
        format!("postgres://probity@localhost:{}/{database}?host={}", self.port, self.folder.display())
    }

    pub fn execute(&self, sql: &str) {
        crate::databases::block_on(async {
            let admin = Database::connect(ConnectOptions::new(self.url("postgres"))).await.unwrap();
            admin.execute_unprepared(sql).await.unwrap();
            admin.close().await.unwrap();
        });
    }
}

fn start() -> Result<Server, String> {
    let bin = binaries().ok_or(MISSING)?;
    let owner = owner().ok_or(MISSING)?;
    for _ in 0..ATTEMPTS {
        let folder = tempfile::tempdir().map_err(|problem| problem.to_string())?.keep();
        let port = free_port();
        crate::tls::write_certificates(&folder);
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(START).arg("sh").arg(&folder).arg(&bin).arg(port.to_string());
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0).current_dir("/");
        if let Some((user, group)) = owner {
            hand_over(&folder, user, group);
            shell.uid(user).gid(group);
        }
        let mut shell = shell.spawn().map_err(|problem| problem.to_string())?;
        let mut said = String::new();
        let out = shell.stdout.take().ok_or("the shell has no standard output")?;
        BufReader::new(out).read_line(&mut said).map_err(|problem| problem.to_string())?;
        if said.trim() == "ready" {
            return Ok(Server { folder, port, _shell: shell, databases: Mutex::new(0) });
        }
        let _ = shell.wait();
    }
    Err(format!("PostgreSQL from `{}` did not start", bin.display()))
}

/// The newest that is installed.
fn binaries() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let version = path.file_name()?.to_str()?.parse().ok()?;
            Some((version, path.join("bin")))
        })
        .filter(|(_, bin)| bin.join("initdb").exists())
        .collect();
    found.sort();
    found.pop().map(|(_, bin)| bin)
}

/// `Some(None)` when this user may run the server itself.
fn owner() -> Option<Option<(u32, u32)>> {
    use std::os::unix::fs::MetadataExt;
    if fs::metadata("/proc/self").ok()?.uid() != 0 {
        return Some(None);
    }
    let users = fs::read_to_string("/etc/passwd").ok()?;
    let line = users.lines().find(|line| line.starts_with("postgres:"))?;
    let mut ids = line.split(':').skip(2).map(str::parse);
    Some(Some((ids.next()?.ok()?, ids.next()?.ok()?)))
}

fn hand_over(folder: &Path, user: u32, group: u32) {
    for entry in fs::read_dir(folder).unwrap() {
        chown(entry.unwrap().path(), Some(user), Some(group)).unwrap();
    }
    chown(folder, Some(user), Some(group)).unwrap();
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
