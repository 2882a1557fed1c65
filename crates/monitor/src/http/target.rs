//! Targets of requests as people write them.
//!
//! `curl 'http://…/connz?filter_subject=orders.>'` sends the `>` as it is. Other servers take that; the HTTP library
//! would refuse it before anybody here is asked. So what is not allowed in a target is escaped on the way in.
//!
//! Invariant: nothing but the first line of a request is changed. Behind a request that announces a body, which no page
//! asks for, everything passes as it came: a body that grew would not end where it says.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is read at once.
const PIECE: usize = 2048;

/// A stream whose requests have their targets escaped.
pub(super) struct Escaped<S> {
    stream: S,
    escaper: Escaper,
    /// Escaped and not handed on.
    ready: Vec<u8>,
}

impl<S> Escaped<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, escaper: Escaper::default(), ready: Vec::new() }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Escaped<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.ready.is_empty() {
            let mut piece = [0; PIECE];
            let mut piece = ReadBuf::new(&mut piece);
            ready!(Pin::new(&mut this.stream).poll_read(cx, &mut piece))?;
            this.escaper.escape(piece.filled(), &mut this.ready);
        }
        let n = this.ready.len().min(into.remaining());
        into.put_slice(&this.ready[..n]);
        this.ready.drain(..n);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Escaped<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Where in a request the bytes are.
#[derive(Debug, Default)]
enum Escaper {
    /// In its first line.
    #[default]
    Target,
    /// In a header field that begins like this; or at the empty line that ends them.
    Field { begins: Vec<u8>, has_body: bool },
    /// Behind a request with a body.
    Body,
}

/// The fields that announce a body.
const OF_BODIES: [&str; 2] = ["content-length:", "transfer-encoding:"];
/// As much of a field as tells whether it is one of them.
const TELLING: usize = OF_BODIES[1].len();

impl Escaper {
    fn escape(&mut self, bytes: &[u8], into: &mut Vec<u8>) {
        for &byte in bytes {
            match byte {
                b'<' | b'>' | b'"' if matches!(self, Self::Target) => {
                    into.extend_from_slice(format!("%{byte:02X}").as_bytes());
                }
                _ => into.push(byte),
            }
            self.pass(byte);
        }
    }

    fn pass(&mut self, byte: u8) {
        match self {
            Self::Target if byte == b'\n' => *self = Self::Field { begins: Vec::new(), has_body: false },
            Self::Field { begins, has_body } if byte == b'\n' => {
                let text = String::from_utf8_lossy(begins).to_ascii_lowercase();
                *has_body |= OF_BODIES.iter().any(|name| text.starts_with(name));
                match (text.trim_end().is_empty(), *has_body) {
                    (true, true) => *self = Self::Body,
                    (true, false) => *self = Self::Target,
                    (false, _) => begins.clear(),
                }
            }
            Self::Field { begins, .. } if begins.len() < TELLING => begins.push(byte),
            Self::Target | Self::Field { .. } | Self::Body => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(pieces: &[&str]) -> String {
        let (mut escaper, mut into) = (Escaper::default(), Vec::new());
        for piece in pieces {
            escaper.escape(piece.as_bytes(), &mut into);
        }
        String::from_utf8(into).expect("only ASCII was put in")
    }

    #[test]
    fn only_targets_are_escaped() {
        // spec: CLU-102
        let request = "GET /connz?filter_subject=a.>&user=<\"> HTTP/1.1\r\nX: <>\"\r\n\r\n";
        let clean = "GET /connz?filter_subject=a.%3E&user=%3C%22%3E HTTP/1.1\r\nX: <>\"\r\n\r\n";
        assert_eq!(escaped(&[request]), clean);
        let letters: Vec<_> = request.split_inclusive(|_| true).collect();
        assert_eq!(escaped(&letters), clean, "letter by letter");
        assert_eq!(escaped(&[request, request]), clean.repeat(2), "one after the other");
        assert_eq!(escaped(&["GET />\n\n", "GET />\n"]), "GET /%3E\n\nGET /%3E\n", "line ends without CR");
    }

    #[test]
    fn behind_a_body_nothing_is_touched() {
        for field in ["Content-Length: 2", "transfer-encoding: chunked", "X: y\r\nCONTENT-LENGTH:2\r\nZ: z"] {
            let request = format!("GET /> HTTP/1.1\r\n{field}\r\n\r\n>>GET /> HTTP/1.1\r\n\r\n");
            assert_eq!(escaped(&[&request]), request.replacen("/>", "/%3E", 1), "{field}");
        }
    }
}
