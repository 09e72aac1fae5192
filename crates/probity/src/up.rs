//! `probity up`: starts everything, says where to look, runs until interrupted.

use probity_server::app::{Command, Reply};
use probity_server::config::transport::of_a_workplace;
use probity_server::run::{self, Running};
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::UpArgs;
use crate::exit::{Exit, Failure};
use crate::session::{self, Place};
use crate::{output, render};

pub fn run(place: &Place, args: &UpArgs) -> Result<Exit, Failure> {
    #[cfg(feature = "demo")]
    if args.demo {
        return crate::demo::up(place, args.enforce);
    }
    let loaded = session::load(&args.config)?;
    if !args.dev
        && let Some(fault) = of_a_workplace(&loaded)
    {
        return Err(Failure::usage(format!("the configuration has faults:\n{fault}")));
    }
    let runtime = session::runtime()?;
    runtime.block_on(async {
        let running = run::start(place.options(Some(loaded)), args.dev).await?;
        for note in &running.notes {
            output::note(&format!("note: {note}"));
        }
        output::text(&listening(&running));
        if let Ok(Reply::Status(status)) = running.inbox().command(Command::Status).await {
            output::text(&render::inventory_line(&status.inventory));
            output::text(&render::ledger_line(&status.ledger));
        }
        until_told(&running).await?;
        running.stop().await;
        Ok(Exit::Clean)
    })
}

pub fn listening(running: &Running) -> String {
    let mut out = String::new();
    for (name, address) in running.gateway().listeners() {
        out.push_str(&format!("gateway     {address} ({name})\n"));
    }
    if let Some(address) = running.gateway().admin_address() {
        out.push_str(&format!("admin       http://{address}/metrics\n"));
    }
    out
}

/// SIGHUP reloads; SIGTERM and SIGINT end.
pub async fn until_told(running: &Running) -> Result<(), Failure> {
    let mut hangup = signal(SignalKind::hangup())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    loop {
        tokio::select! {
            _ = hangup.recv() => running.reload().await,
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
        }
    }
}
