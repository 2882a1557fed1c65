//! `martlet rtt`: how long a message to ourselves takes through the server.

use std::time::Duration;

use super::args::RttArgs;
use super::connect::{self, Session};
use super::duration::human;
use super::error::CliError;
use super::out;
use super::settings::Settings;
use super::stop::Stop;

/// Measures each server of the list and prints the average.
pub(crate) async fn run(args: &RttArgs, settings: &Settings, stop: &Stop) -> Result<(), CliError> {
    for server in &settings.servers {
        let one = Settings { servers: vec![server.clone()], ..settings.clone() };
        let mut session = connect::connect(&one).await?;
        let average = tokio::select! {
            average = measure(&mut session, args.iterations) => average?,
            () = stop.wait() => return Err(CliError::Interrupted),
        };
        let info = session.client.server_info();
        out::write(
            format!("{server}: {} (server {:?}, {})\n", human(average), info.server_name, info.version).as_bytes(),
        )?;
        session.close().await;
    }
    Ok(())
}

async fn measure(session: &mut Session, iterations: u32) -> Result<Duration, CliError> {
    // The first round trip also subscribes; it does not count.
    session.confirm().await?;
    let mut total = Duration::ZERO;
    for _ in 0..iterations {
        total += session.confirm().await?;
    }
    Ok(total / iterations)
}
