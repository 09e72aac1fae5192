//! Records as fast as it is told of success, and says what was acknowledged, until it is killed.
//!
//! `append_until_killed DIR RUN`: the helper of the kill test. Tags are unique over all runs.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use probity_events::{EphemeralKeys, Events, Options};
use probity_model::GatewayId;

#[path = "support/sample.rs"]
mod sample;

const THREADS: u64 = 3;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let dir = PathBuf::from(arguments.next().ok_or("expected a folder")?);
    let run: u64 =
        arguments.next().and_then(|text| text.into_string().ok()).ok_or("expected a number")?.parse()?;
    let keys = Arc::new(EphemeralKeys::with_root(&[7; 32])?);
    let options = Options {
        segment_bytes: 128 * 1024,
        sync_interval: Duration::from_micros(500),
        ..Options::default()
    };
    say("opening")?;
    let (events, _) = Events::open(&dir, GatewayId::from("gateway-1"), keys, options)?;
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let recorder = events.recorder();
            let events = &events;
            scope.spawn(move || -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
                for count in 0.. {
                    let tag = (run * THREADS + thread) << 32 | count;
                    recorder.accepted();
                    if count % 16 == 0 {
                        say(&format!("accepted {}", events.counts().accepted))?;
                    }
                    let ticket = recorder.append(sample::exchange(tag))?;
                    // Most records ride along with those that are waited for.
                    if count % 4 == 0 {
                        ticket.wait()?;
                        say(&format!("acknowledged {tag}"))?;
                    }
                }
                Ok(())
            });
        }
    });
    Ok(())
}

/// One whole line at once: a kill never leaves half of one.
fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes())?;
    out.flush()
}
