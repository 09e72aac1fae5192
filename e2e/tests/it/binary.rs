//! The executable under test, and a folder to use it in as if it were a user's whole machine.

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

use crate::deadline::{PATIENCE, within};

/// `PROBITY_BIN`, else the one that lies beside the tests, built when it is missing.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(named) = std::env::var_os("PROBITY_BIN") {
            return named.into();
        }
        let tests = std::env::current_exe().unwrap();
        let path = tests.parent().and_then(Path::parent).unwrap().join("probity");
        if !path.exists() {
            let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
            let built = Command::new(cargo)
                .args(["build", "-p", "probity", "--manifest-path", &repository("Cargo.toml")])
                .status()
                .unwrap();
            assert!(built.success() && path.exists(), "`cargo build -p probity` left no {}", path.display());
        }
        path
    })
}

/// A file of the repository.
pub fn repository(relative: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(relative).display().to_string()
}

/// A folder with a home, a root key, a data folder and whatever a test writes; gone when dropped.
pub struct Place {
    folder: TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    pub fn data(&self) -> PathBuf {
        self.path("data")
    }

    pub fn root_key(&self) -> PathBuf {
        self.path("keys/root.key")
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// A command that knows no other folder than this.
    pub fn command<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        std::fs::create_dir_all(self.path("keys")).unwrap();
        let mut command = Command::new(binary());
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("HOME", self.path("home"))
            .env("XDG_CONFIG_HOME", self.path("home/.config"))
            .env("PROBITY_DATA", self.data())
            .env("PROBITY_ROOT_KEY", self.root_key())
            .env("USER", "tester")
            .env_remove("SUDO_USER")
            .env_remove("CREDENTIALS_DIRECTORY")
            .env_remove("PROBITY_CATALOG")
            .env_remove("PROBITY_LOG")
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Answer {
        finish(self.command(arguments))
    }

    /// What a command prints as JSON; it must end with 0.
    pub fn json<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Value {
        let mut command = self.command(arguments);
        command.args(["--format", "json"]);
        finish(command).exits(0).json()
    }
}

/// What a command came to.
#[derive(Debug)]
pub struct Answer {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
    shown: String,
}

impl Answer {
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "exit code of {self}");
        self
    }

    #[track_caller]
    pub fn says(self, words: &str) -> Self {
        assert!(self.out.contains(words), "expected `{words}` of {self}");
        self
    }

    #[track_caller]
    pub fn complains(self, words: &str) -> Self {
        assert!(self.err.contains(words), "expected the error `{words}` of {self}");
        self
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|problem| panic!("no JSON ({problem}) of {self}"))
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { code, out, err, shown } = self;
        write!(f, "{shown}\n{code:?}\n--- standard output\n{out}\n--- standard error\n{err}")
    }
}

/// Runs `command` to its end; one that does not end is killed and fails the test.
pub fn finish(mut command: Command) -> Answer {
    let shown = format!("{command:?}");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let out = collect(child.stdout.take().unwrap());
    let err = collect(child.stderr.take().unwrap());
    let status = ended(&mut child);
    let (out, err) = (out.join().unwrap(), err.join().unwrap());
    let answer = Answer { code: status.and_then(|status| status.code()), out, err, shown };
    assert!(status.is_some(), "it did not end: {answer}");
    answer
}

/// The status with which `child` ends by itself; `None` when it had to be killed.
pub fn ended(child: &mut Child) -> Option<std::process::ExitStatus> {
    let status = within(PATIENCE, || child.try_wait().unwrap());
    if status.is_none() {
        let _ = child.kill();
        let _ = child.wait();
    }
    status
}

fn collect(mut from: impl Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
