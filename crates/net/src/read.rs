//! From the socket into the loop's buffers, decrypted and decompressed where need be.

use std::io::{self, Read as _};

use bytes::BytesMut;

use crate::loops::{READ_BUFFER, Scratch};
use crate::socket::Socket;

/// Whether the peer still sends.
pub(crate) enum Read {
    /// Bytes came, or may come later.
    Some,
    /// The peer has said all it had.
    End,
}

/// Reads at most `most` bytes into `s.plain` from `from` on; 0 is the end.
pub(crate) fn plain(socket: &Socket, s: &mut Scratch, from: usize, most: usize) -> io::Result<usize> {
    let end = s.plain.len().min(from.saturating_add(most));
    let n = socket.try_read_out(&mut s.plain[from..end])?;
    s.count_read();
    Ok(n)
}

/// Decrypts into `s.plain` from `from` on what was read before, or else what is read now; 0 when there is nothing yet.
pub(crate) fn sealed(socket: &Socket, s: &mut Scratch, from: usize) -> io::Result<usize> {
    if let Some(compression) = socket.compression() {
        let n = compression.read(socket, &mut s.plain[from..])?;
        s.count_read();
        return Ok(n);
    }
    let Some(tls) = socket.tls() else { return plain(socket, s, from, usize::MAX) };
    let mut tls = tls.lock();
    match decrypted(&mut tls, &mut s.plain[from..])? {
        0 => {}
        n => return Ok(n),
    }
    if s.sealed.is_empty() {
        s.sealed.resize(READ_BUFFER / 2, 0);
    }
    let n = socket.try_read_raw(&mut s.sealed)?;
    if n == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    s.count_read();
    let mut rest = &s.sealed[..n];
    let mut filled = from;
    while !rest.is_empty() {
        tls.read_tls(&mut rest)?;
        tls.process_new_packets().map_err(io::Error::other)?;
        loop {
            if s.plain.len() - filled < 32 * 1024 {
                s.plain.resize(s.plain.len() + READ_BUFFER, 0);
            }
            match decrypted(&mut tls, &mut s.plain[filled..])? {
                0 => break,
                n => filled += n,
            }
        }
    }
    Ok(filled - from)
}

fn decrypted(tls: &mut rustls::Connection, into: &mut [u8]) -> io::Result<usize> {
    match tls.reader().read(into) {
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(n) => Ok(n),
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(0),
        Err(e) => Err(e),
    }
}

/// Reads on into the body of a large message, which is to be `size` bytes long.
pub(crate) fn into_body(socket: &Socket, s: &mut Scratch, body: &mut BytesMut, size: usize) -> io::Result<Read> {
    let missing = size - body.len();
    if socket.is_bare() {
        let n = socket.try_read_into(body, missing)?;
        s.count_read();
        return Ok(if n == 0 { Read::End } else { Read::Some });
    }
    Ok(Read::Some).and_then(|more| {
        let n = take_sealed(socket, s, body, missing)?;
        if n == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(more) }
    })
}

/// Takes at most `missing` bytes into `body`; what is beyond stays in the layers.
fn take_sealed(socket: &Socket, s: &mut Scratch, body: &mut BytesMut, missing: usize) -> io::Result<usize> {
    if s.plain.len() < missing.min(READ_BUFFER) {
        s.plain.resize(READ_BUFFER, 0);
    }
    let window = missing.min(s.plain.len());
    if let Some(compression) = socket.compression() {
        let n = compression.read(socket, &mut s.plain[..window])?;
        s.count_read();
        body.extend_from_slice(&s.plain[..n]);
        return Ok(n);
    }
    let Some(tls) = socket.tls() else { return Ok(0) };
    let mut tls = tls.lock();
    let mut n = decrypted(&mut tls, &mut s.plain[..window])?;
    if n == 0 {
        // One record at a time, so that bytes of the next message are not taken with this one's.
        if tls.read_tls(&mut crate::socket::Raw(socket))? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        s.count_read();
        tls.process_new_packets().map_err(io::Error::other)?;
        n = decrypted(&mut tls, &mut s.plain[..window])?;
    }
    body.extend_from_slice(&s.plain[..n]);
    Ok(n)
}
