//! Listening sockets: who is accepted, and what happens when nobody can be.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use martlet_events::Time;
use tokio::net::{TcpListener, TcpStream};

use crate::clock;

/// How long to wait before accepting again when the process has no file descriptor left.
const OUT_OF_FILES: Duration = Duration::from_millis(50);
/// How long that is not said again.
const SAID: Duration = Duration::from_mins(1);

/// Gives every accepted socket to `take`, until the task is dropped.
pub(crate) async fn each(listener: TcpListener, mut take: impl FnMut(std::net::TcpStream, SocketAddr)) {
    let mut quiet_until = Time::ORIGIN;
    loop {
        match listener.accept().await.and_then(prepare) {
            Ok((stream, from)) => take(stream, from),
            Err(e) if is_of_one_connection(&e) => {}
            Err(e) => {
                let now = clock::now();
                if quiet_until <= now {
                    quiet_until = now + SAID;
                    log::error!("no connection can be accepted: {e}; trying again");
                }
                tokio::time::sleep(OUT_OF_FILES).await;
            }
        }
    }
}

fn prepare((stream, from): (TcpStream, SocketAddr)) -> io::Result<(std::net::TcpStream, SocketAddr)> {
    stream.set_nodelay(true)?;
    Ok((stream.into_std()?, from))
}

fn is_of_one_connection(e: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, InvalidInput};
    matches!(e.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | InvalidInput)
}
