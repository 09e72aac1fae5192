//! `probity up`, kept running for a test and killed with it.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};

use crate::binary::{Place, ended};
use crate::client::curl;
use crate::deadline::wait_for;

/// A process in front of upstreams. Dropping it kills it.
pub struct Running {
    child: Child,
    out: Arc<Mutex<Vec<String>>>,
    err: std::path::PathBuf,
    listeners: Vec<SocketAddr>,
    admin: SocketAddr,
}

impl Running {
    /// Starts `up` with the place's `probity.yaml` and waits until it says where it listens.
    pub fn start(place: &Place) -> Self {
        Self::start_with(place, &[], "info")
    }

    /// The same with further arguments, logging what `filter` lets through.
    pub fn start_with(place: &Place, arguments: &[&str], filter: &str) -> Self {
        let err = place.path("up.log");
        let log = File::options().create(true).append(true).open(&err).unwrap();
        let config = place.text("probity.yaml");
        let mut command = place.command([&["up", "--config", config.as_str()], arguments].concat());
        command.env("PROBITY_LOG", filter);
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let out = Arc::new(Mutex::new(Vec::new()));
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let kept = out.clone();
        std::thread::spawn(move || {
            lines.map_while(Result::ok).for_each(|line| kept.lock().unwrap().push(line))
        });
        // Made before anything can fail, so that the process never outlives the test.
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut running = Self { child, out, err, listeners: Vec::new(), admin: nowhere };
        let said = wait_for("`probity up` to listen", || {
            let said = running.said();
            let gone = running.child.try_wait().unwrap();
            assert!(gone.is_none(), "`probity up` ended with {gone:?}\n{}", running.log());
            said.iter().any(|line| line.starts_with("ledger ")).then_some(said)
        });
        let addresses = |name: &str| -> Vec<SocketAddr> {
            let named = said.iter().filter_map(|line| line.strip_prefix(name));
            let address = |rest: &str| {
                let word = rest.split_whitespace().next().unwrap();
                word.trim_start_matches("http://").trim_end_matches("/metrics").parse().unwrap()
            };
            named.map(address).collect()
        };
        running.listeners = addresses("gateway ");
        running.admin = *addresses("admin ").first().unwrap();
        running
    }

    /// What it has printed so far.
    pub fn said(&self) -> Vec<String> {
        self.out.lock().unwrap().clone()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.err).unwrap()
    }

    pub fn address(&self) -> SocketAddr {
        self.listeners[0]
    }

    pub fn listener(&self, index: usize) -> SocketAddr {
        self.listeners[index]
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    pub fn admin(&self, path: &str) -> String {
        format!("http://{}{path}", self.admin)
    }

    /// The sum over all label sets of a metric.
    pub fn metric(&self, name: &str) -> f64 {
        let text = curl([self.admin("/metrics")]).body;
        let of_name = |line: &&str| line.split(['{', ' ']).next() == Some(name);
        text.lines()
            .filter(of_name)
            .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
            .sum()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// The exit code with which it ends by itself.
    pub fn code(mut self) -> Option<i32> {
        ended(&mut self.child).and_then(|status| status.code())
    }

    /// Asks it to end; it must do so with 0.
    pub fn stop(self) {
        let log = self.err.clone();
        self.signal(Signal::TERM);
        assert_eq!(self.code(), Some(0), "{}", std::fs::read_to_string(log).unwrap());
    }

    /// Ends it as a power cut would.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- standard error of `probity up`\n{}", self.log());
        }
    }
}

/// A configuration on free ports, in front of `services` (a YAML list).
pub fn configuration(services: &str) -> String {
    format!(
        "version: 1\ntenant: shop\ngateway:\n  listen:\n    - address: \"127.0.0.1:0\"\n  \
         admin: \"127.0.0.1:0\"\nservices:\n{services}"
    )
}
