//! Serves the clinic until it is interrupted: `cargo run -p probity-clinic --example serve -- 127.0.0.1:8080`.

use std::io::Write;

use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let listener = TcpListener::bind(address).await?;
    writeln!(std::io::stdout(), "clinic at http://{}", listener.local_addr()?)?;
    probity_clinic::serve(listener, async {
        // Without a signal handler the process ends by the signal itself, which is as good.
        let _ = tokio::signal::ctrl_c().await;
    })
    .await?;
    Ok(())
}
