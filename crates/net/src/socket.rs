//! A connection's way to the network: TCP or a pipe inside the process, with layers above it or without.
//!
//! The layers are TLS and, above that, compression; each may be missing. Any thread may write; only the connection's own
//! task reads and waits. What a layer keeps is behind a lock of its own, held while records are made, never while waiting.

use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};

use bytes::BytesMut;
use bytes::buf::BufMut;
use martlet_broker::driver::Level;
use martlet_broker::outbox::Wire;
use parking_lot::Mutex;
use rustls::Connection;
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;

use crate::compression::Compression;
use crate::pipe::PipeEnd;

/// Plaintext that may wait inside TLS.
const TLS_BUFFER: usize = 256 * 1024;

/// Where the bytes go.
#[derive(Debug)]
pub(crate) enum Io {
    Tcp(TcpStream),
    Pipe(PipeEnd),
}

/// A connection's way to the network.
#[derive(Debug)]
pub(crate) struct Socket {
    io: Io,
    /// None for most connections: these own no room for what they do not use.
    layers: OnceLock<Box<Layers>>,
    waker: Mutex<Option<Waker>>,
    woken: AtomicBool,
}

/// What is between the bytes that are meant and those on the wire.
#[derive(Debug, Default)]
struct Layers {
    tls: OnceLock<Mutex<Connection>>,
    compression: OnceLock<Compression>,
}

/// The half of a [`Socket`] that other threads hold.
#[derive(Debug)]
pub(crate) struct Outward(pub(crate) Arc<Socket>);

impl Wire for Outward {
    fn try_write(&self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn wake(&self) {
        self.0.wake();
    }

    fn is_cheap(&self) -> bool {
        self.0.is_bare()
    }
}

impl Socket {
    pub(crate) fn new(io: Io) -> Self {
        Self { io, layers: OnceLock::new(), waker: Mutex::new(None), woken: AtomicBool::new(false) }
    }

    /// Everything from now on is encrypted.
    pub(crate) fn start_tls(&self, mut connection: Connection) {
        connection.set_buffer_limit(Some(TLS_BUFFER));
        let layers = self.layers.get_or_init(Box::default);
        assert!(layers.tls.set(Mutex::new(connection)).is_ok(), "TLS starts once");
    }

    /// The encryption in use.
    pub(crate) fn tls(&self) -> Option<&Mutex<Connection>> {
        self.layers.get()?.tls.get()
    }

    /// Everything from now on is compressed, and what comes in is, `received` among it.
    pub(crate) fn start_compression(&self, level: Level, received: Vec<u8>) {
        let layers = self.layers.get_or_init(Box::default);
        assert!(layers.compression.set(Compression::new(level, received)).is_ok(), "compression starts once");
    }

    /// Changes the level of the compression in use.
    pub(crate) fn set_level(&self, level: Level) {
        self.compression().expect("compression has started").set_level(level);
    }

    /// The compression in use.
    pub(crate) fn compression(&self) -> Option<&Compression> {
        self.layers.get()?.compression.get()
    }

    /// Whether there may be something to read that readiness does not tell of.
    pub(crate) fn has_input(&self) -> bool {
        self.compression().is_some_and(Compression::has_input)
    }

    /// Whether what is meant goes over the wire as it is.
    pub(crate) fn is_bare(&self) -> bool {
        self.layers.get().is_none()
    }

    /// Wakes the connection's task.
    pub(crate) fn wake(&self) {
        if !self.woken.swap(true, Ordering::AcqRel)
            && let Some(waker) = self.waker.lock().as_ref()
        {
            waker.wake_by_ref();
        }
    }

    /// Whether somebody called [`Self::wake`] since the last time; later calls wake the task of `cx`.
    pub(crate) fn take_wake(&self, cx: &Context<'_>) -> bool {
        let mut waker = self.waker.lock();
        if !waker.as_ref().is_some_and(|w| w.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
        drop(waker);
        self.woken.swap(false, Ordering::AcqRel)
    }

    pub(crate) fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.io {
            Io::Tcp(tcp) => tcp.poll_read_ready(cx),
            Io::Pipe(pipe) => pipe.poll_read_ready(cx),
        }
    }

    pub(crate) fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.io {
            Io::Tcp(tcp) => tcp.poll_write_ready(cx),
            Io::Pipe(pipe) => pipe.poll_write_ready(cx),
        }
    }

    /// Reads what is there, not decrypted.
    pub(crate) fn try_read_raw(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match &self.io {
            Io::Tcp(tcp) => tcp.try_read(buffer),
            Io::Pipe(pipe) => pipe.try_read(buffer),
        }
    }

    /// Reads what is there. A read that leaves room in the buffer has emptied the socket, which then is not ready until more
    /// comes: nobody asks the system once more only to be told so. Not for what goes through TLS, where bytes may be left
    /// inside that no readiness tells of.
    pub(crate) fn try_read_out(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match &self.io {
            Io::Tcp(tcp) => read_out(tcp, buffer),
            Io::Pipe(pipe) => pipe.try_read(buffer),
        }
    }

    /// The first byte without taking it.
    pub(crate) async fn peek(&self) -> io::Result<Option<u8>> {
        let Io::Tcp(tcp) = &self.io else { return Ok(None) };
        let mut byte = [0];
        Ok((tcp.peek(&mut byte).await? == 1).then_some(byte[0]))
    }

    /// The first bytes without taking them, at most `most`; an end of the stream is an error.
    pub(crate) async fn peek_many(&self, most: usize) -> io::Result<Vec<u8>> {
        let Io::Tcp(tcp) = &self.io else { return Err(io::ErrorKind::Unsupported.into()) };
        let mut bytes = vec![0; most];
        let n = tcp.peek(&mut bytes).await?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes.truncate(n);
        Ok(bytes)
    }

    /// Takes `n` bytes that are there and drops them.
    pub(crate) async fn skip(&self, n: usize) -> io::Result<()> {
        let mut rest = vec![0; n];
        let mut taken = 0;
        while taken < n {
            std::future::poll_fn(|cx| self.poll_read_ready(cx)).await?;
            match self.try_read_raw(&mut rest[taken..]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(more) => taken += more,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Reads at most `limit` bytes straight behind what `into` holds; for unencrypted sockets.
    pub(crate) fn try_read_into(&self, into: &mut BytesMut, limit: usize) -> io::Result<usize> {
        match &self.io {
            Io::Tcp(tcp) => tcp.try_read_buf(&mut into.limit(limit)),
            Io::Pipe(pipe) => {
                let mut chunk = vec![0; limit.min(64 * 1024)];
                let n = pipe.try_read(&mut chunk)?;
                into.extend_from_slice(&chunk[..n]);
                Ok(n)
            }
        }
    }

    fn try_write_raw(&self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
        match (&self.io, bytes) {
            (Io::Tcp(tcp), [one]) => tcp.try_write(one),
            (Io::Tcp(tcp), many) => tcp.try_write_vectored(many),
            (Io::Pipe(pipe), many) => pipe.try_write_vectored(many),
        }
    }

    fn try_write(&self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
        let Some(layers) = self.layers.get() else { return self.try_write_raw(bytes) };
        match layers.compression.get() {
            Some(compression) => compression.write(self, bytes),
            None => self.try_write_below(bytes),
        }
    }

    /// Reads what is there, decrypted and not taken apart; 0 is the end.
    pub(crate) fn try_read_below(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = self.tls() else { return self.try_read_raw(buffer) };
        let mut tls = tls.lock();
        loop {
            match tls.reader().read(buffer) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                other => return other,
            }
            if tls.read_tls(&mut Raw(self))? == 0 {
                return Ok(0);
            }
            tls.process_new_packets().map_err(io::Error::other)?;
        }
    }

    /// Encrypts and writes what fits.
    pub(crate) fn try_write_below(&self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
        let Some(tls) = self.tls() else { return self.try_write_raw(bytes) };
        let mut tls = tls.lock();
        if self.write_records(&mut tls)? {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let taken = tls.writer().write_vectored(bytes)?;
        if self.write_records(&mut tls)? {
            // What is left can only go when the socket has room: the connection's task waits for that.
            self.wake();
        }
        Ok(taken)
    }

    /// Writes the records that are ready; whether some remain.
    fn write_records(&self, tls: &mut Connection) -> io::Result<bool> {
        while tls.wants_write() {
            match tls.write_tls(&mut Raw(self)) {
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(e) => return Err(e),
            }
        }
        Ok(false)
    }

    /// Writes what the layers have ready; whether some remains.
    pub(crate) fn flush_records(&self) -> io::Result<bool> {
        if let Some(compression) = self.compression()
            && compression.flush(self)?
        {
            return Ok(true);
        }
        match self.tls() {
            Some(tls) => self.write_records(&mut tls.lock()),
            None => Ok(false),
        }
    }

    /// Whether the layers have something that waits for room in the socket.
    pub(crate) fn has_records(&self) -> bool {
        self.compression().is_some_and(Compression::has_output)
            || self.tls().is_some_and(|tls| tls.lock().wants_write())
    }

    /// Lets the peer know that nothing more is coming.
    pub(crate) fn end_writing(&self) {
        if let Io::Tcp(tcp) = &self.io {
            // The peer may be gone already: nothing to do about it.
            let _ = SockRef::from(tcp).shutdown(Shutdown::Write);
        }
    }

    /// Ends the connection for both sides.
    pub(crate) fn shutdown(&self) {
        if let Some(tls) = self.tls() {
            let mut tls = tls.lock();
            // A peer that never finished its handshake is owed no farewell.
            if !tls.is_handshaking() {
                tls.send_close_notify();
                let _ = self.write_records(&mut tls);
            }
        }
        match &self.io {
            // The peer may be gone already: nothing to do about it.
            Io::Tcp(tcp) => drop(SockRef::from(tcp).shutdown(Shutdown::Both)),
            Io::Pipe(pipe) => pipe.close(),
        }
    }
}

fn read_out(tcp: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    let mut emptied = None;
    let read = tcp.try_io(Interest::READABLE, || {
        let n = (&*SockRef::from(tcp)).read(buffer)?;
        if n == 0 || n == buffer.len() {
            return Ok(n);
        }
        emptied = Some(n);
        // This is how a socket comes to be not ready.
        Err(io::ErrorKind::WouldBlock.into())
    });
    emptied.map_or(read, Ok)
}

/// The socket below TLS, as rustls wants it.
pub(crate) struct Raw<'s>(pub(crate) &'s Socket);

impl Read for Raw<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read_raw(buffer)
    }
}

impl Write for Raw<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write_raw(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_raw(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_read_that_leaves_room_ends_readiness_until_more_comes() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let socket = Socket::new(Io::Tcp(listener.accept().await.unwrap().0));
        let ready = || poll_fn(|cx| socket.poll_read_ready(cx));
        let is_ready = || poll_fn(|cx| Poll::Ready(socket.poll_read_ready(cx).is_ready()));
        let mut buffer = [0; 8];

        peer.write_all(b"0123456789").await.unwrap();
        ready().await.unwrap();
        assert_eq!(socket.try_read_out(&mut buffer).unwrap(), 8);
        assert!(is_ready().await, "a full buffer says nothing about the rest");
        assert_eq!(socket.try_read_out(&mut buffer).unwrap(), 2);
        assert!(!is_ready().await);
        assert_eq!(socket.try_read_out(&mut buffer).unwrap_err().kind(), io::ErrorKind::WouldBlock);

        for text in ["more", "and more"] {
            peer.write_all(text.as_bytes()).await.unwrap();
            ready().await.unwrap();
            assert_eq!(socket.try_read_out(&mut buffer).unwrap(), text.len());
        }
        drop(peer);
        ready().await.unwrap();
        // The last text filled the buffer: the end may be seen at once or after one read that finds nothing.
        let end = loop {
            match socket.try_read_out(&mut buffer) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => ready().await.unwrap(),
                end => break end,
            }
        };
        assert_eq!(end.unwrap(), 0);
        assert!(is_ready().await, "the end stays to be seen");
    }
}
