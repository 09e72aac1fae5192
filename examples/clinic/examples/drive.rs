//! Drives the demo's traffic through an address and prints the report as JSON:
//! `cargo run -p probity-clinic --example drive -- 127.0.0.1:8080 api.clinic.example 720`.

use std::io::Write;

use probity_clinic::traffic::{Plan, Target, drive};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let authority = arguments.next().unwrap_or_else(|| "127.0.0.1:8080".to_owned()).parse()?;
    let host = arguments.next().unwrap_or_else(|| "api.clinic.example".to_owned());
    let calls = arguments.next().map(|calls| calls.parse()).transpose()?;
    let plan = Plan { calls: calls.unwrap_or(Plan::default().calls), ..Plan::default() };
    let report = drive(&Target { authority, host }, &plan).await;
    writeln!(std::io::stdout(), "{}", serde_json::to_string_pretty(&report)?)?;
    Ok(())
}
