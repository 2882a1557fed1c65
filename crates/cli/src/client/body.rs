//! Where a message's body comes from: the command line, or standard input when something is piped into it.

use std::io::{self, BufRead, IsTerminal, Read};

use tokio::sync::mpsc;

use super::args::SendOn;
use super::error::CliError;
use super::out;

/// Bodies to send, in order; a body from the command line may call template functions.
#[derive(Debug)]
pub(crate) enum Bodies {
    /// One, from the command line.
    Given(String),
    /// As many as standard input yields.
    Stdin(mpsc::Receiver<Result<Vec<u8>, CliError>>),
}

impl Bodies {
    /// Decides by what was given and what standard input is.
    pub(crate) fn choose(given: Option<&String>, force_stdin: bool, send_on: SendOn, quiet: bool) -> Self {
        match given {
            Some(body) if !force_stdin => Self::Given(body.clone()),
            None if !force_stdin && io::stdin().is_terminal() => Self::Given(String::new()),
            _ => {
                if !quiet {
                    out::notice("Reading payload from STDIN");
                }
                Self::Stdin(read_stdin(send_on))
            }
        }
    }
}

/// Reads on a thread of its own, since a terminal or pipe may block for ever.
fn read_stdin(send_on: SendOn) -> mpsc::Receiver<Result<Vec<u8>, CliError>> {
    let (send, receive) = mpsc::channel(64);
    std::thread::spawn(move || {
        let stdin = io::stdin().lock();
        let bodies: Box<dyn Iterator<Item = io::Result<Vec<u8>>>> = match send_on {
            SendOn::Newline => Box::new(lines(stdin)),
            SendOn::Eof => Box::new(std::iter::once(whole(stdin))),
        };
        for body in bodies {
            if send.blocking_send(body.map_err(|source| CliError::Stdin { source })).is_err() {
                break;
            }
        }
    });
    receive
}

fn whole(mut input: impl Read) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    input.read_to_end(&mut body).map(|_| body)
}

fn lines(input: impl BufRead) -> impl Iterator<Item = io::Result<Vec<u8>>> {
    input.split(b'\n').map(|line| {
        line.map(|mut line| {
            line.pop_if(|last| *last == b'\r');
            line
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_without_their_ends() {
        let lines: Vec<Vec<u8>> = lines(&b"one\r\n\ntwo\nthree"[..]).map(Result::unwrap).collect();
        assert_eq!(lines, [&b"one"[..], b"", b"two", b"three"]);
    }

    #[test]
    fn the_whole_keeps_every_byte() {
        assert_eq!(whole(&b"a\r\n\0b"[..]).unwrap(), b"a\r\n\0b");
    }
}
