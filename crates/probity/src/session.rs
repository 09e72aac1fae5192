//! Finds who answers a command: the process that works in the data folder, else this one, with the folder opened.

use std::path::PathBuf;

use probity_server::app::{App, Command, OpenOptions, Reply, Root};
use probity_server::control;
use probity_server::sources::Loaded;

use crate::cli::Cli;
use crate::exit::{Exit, Failure};

/// Where things are, from the command line.
#[derive(Clone, Debug)]
pub struct Place {
    pub data: Option<PathBuf>,
    pub catalog: Option<PathBuf>,
    pub root: Root,
}

impl Place {
    pub fn of(cli: &Cli) -> Self {
        let root = cli.root_key.clone().map_or(Root::Located, Root::File);
        Self { data: cli.data.clone(), catalog: cli.catalog.clone(), root }
    }

    /// The data folder: named, else the configuration's, else the default one.
    pub fn data(&self, loaded: Option<&Loaded>) -> PathBuf {
        match (&self.data, loaded) {
            (Some(data), _) => data.clone(),
            (None, Some(loaded)) => loaded.data_dir(),
            (None, None) => PathBuf::from("probity-data"),
        }
    }

    pub fn options(&self, loaded: Option<Loaded>) -> OpenOptions {
        OpenOptions {
            data: self.data(loaded.as_ref()),
            root: self.root.clone(),
            catalog: self.catalog.clone(),
            loaded,
            actor: actor(),
        }
    }
}

/// The account that runs the command, as administrative acts name it.
fn actor() -> String {
    use std::os::unix::fs::MetadataExt as _;
    let named = ["SUDO_USER", "USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    let number = || std::fs::metadata("/proc/self").map(|process| format!("uid {}", process.uid()));
    named.filter(|name| !name.is_empty()).or_else(|| number().ok()).unwrap_or_else(|| "unknown".to_owned())
}

pub fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

/// Reads a configuration, or fails with each fault and its place.
pub fn load(file: &std::path::Path) -> Result<Loaded, Failure> {
    Loaded::read(file).map_err(|faults| {
        let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
        Failure::usage(format!("the configuration has faults:\n{}", lines.join("\n")))
    })
}

/// Sends `command` to the process that works in the folder; when none does, opens the folder for this one command.
pub fn ask(place: &Place, loaded: Option<Loaded>, command: Command) -> Result<Reply, Failure> {
    let runtime = runtime()?;
    let data = place.data(loaded.as_ref());
    if let Some(reply) = runtime.block_on(control::ask(&data, &command))? {
        return Ok(reply);
    }
    let creates = matches!(command, Command::Import { .. });
    if !creates && !data.join("vault").is_dir() {
        let text = format!(
            "`{}` is not a data folder of probity; start `probity up`, or name another with --data",
            data.display()
        );
        return Err(Failure { code: Exit::Server, text });
    }
    let (mut app, _receiver) = App::open(place.options(loaded), runtime.handle().clone())?;
    app.refresh()?;
    // What only reads changes nothing: no verdict is logged for having looked.
    if command.only_reads() {
        return Ok(app.execute(command)?);
    }
    let reply = app.execute(command)?;
    app.close()?;
    Ok(reply)
}
