//! `martlet healthz`: the health check of an image that holds nothing but this binary.
//!
//! One request to the monitoring port, spoken by hand: a client for all of HTTP would be more than the rest of this
//! command. TLS is not spoken; a monitoring port with TLS is checked from outside.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::args::HealthzArgs;
use super::error::CliError;
use super::{duration, out};

/// Longest answer that is read.
const MOST: u64 = 64 << 10;

/// Fails unless the server says within `timeout` that it is well.
pub(crate) async fn run(args: &HealthzArgs, timeout: Duration) -> Result<(), CliError> {
    let bad = |reason: String| CliError::Unhealthy { url: args.url.clone(), reason };
    let (host, path) = parts(&args.url).ok_or_else(|| {
        CliError::Usage(format!(
            "{:?} is no monitoring URL: write http://HOST:PORT, with a path if there is one",
            args.url
        ))
    })?;
    let answer = match tokio::time::timeout(timeout, ask(&host, &path)).await {
        Ok(answer) => answer.map_err(|error| bad(error.to_string()))?,
        Err(_) => return Err(bad(format!("no answer within {}", duration::human(timeout)))),
    };
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split_whitespace().nth(1).unwrap_or("no HTTP");
    if status != "200" {
        return Err(bad(format!("status {status} {}", body.trim()).trim_end().to_owned()));
    }
    out::write(format!("{}\n", body.trim()).as_bytes())
}

/// Host with port, and the path to ask for.
fn parts(url: &str) -> Option<(String, String)> {
    let rest = url.strip_prefix("http://")?;
    let (host, base) = rest.split_once('/').map_or((rest, ""), |(host, base)| (host, base.trim_end_matches('/')));
    let host_is_fine = !host.is_empty() && !host.contains('@') && host.bytes().all(|byte| byte.is_ascii_graphic());
    let base_is_fine = base.bytes().all(|byte| byte.is_ascii_graphic());
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let host = if has_port { host.to_owned() } else { format!("{host}:80") };
    let base = if base.is_empty() { String::new() } else { format!("/{base}") };
    (host_is_fine && base_is_fine).then(|| (host, format!("{base}/healthz")))
}

async fn ask(host: &str, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(host).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(MOST).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        for (url, host, path) in [
            ("http://127.0.0.1:8222", "127.0.0.1:8222", "/healthz"),
            ("http://n1:8222/", "n1:8222", "/healthz"),
            ("http://n1/base/", "n1:80", "/base/healthz"),
            ("http://[::1]:8222", "[::1]:8222", "/healthz"),
        ] {
            assert_eq!(parts(url), Some((host.into(), path.into())), "{url}");
        }
        for url in ["", "127.0.0.1:8222", "https://n1:8222", "http://", "http://a b:1", "http://n1/a\r\nX: y"] {
            assert_eq!(parts(url), None, "{url}");
        }
    }
}
