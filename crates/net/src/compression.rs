//! Compression of what goes over a link, above TLS or above the bare socket.
//!
//! Invariant: what is taken to be written is at most [`TAKEN`] bytes at a time, and nothing more is taken while some of it
//! waits; what is read is taken apart block by block, and no further before the last one is used.

use std::io::{self, IoSlice};

use martlet_broker::driver::Level;
use martlet_proto::s2::{Decoder, Encoder};
use parking_lot::Mutex;

use crate::socket::Socket;

/// Plain bytes that are compressed at once.
const TAKEN: usize = 128 * 1024;
/// Compressed bytes that are read at once.
const READ: usize = 64 * 1024;
/// Room that is kept for plain bytes between two blocks.
const KEPT: usize = 256 * 1024;

/// The compression of one link.
#[derive(Debug)]
pub(crate) struct Compression {
    out: Mutex<Outflow>,
    input: Mutex<Inflow>,
}

/// The way out.
#[derive(Debug)]
struct Outflow {
    encoder: Encoder,
    /// Several pieces made one, to be compressed as one.
    gathered: Vec<u8>,
    ready: Vec<u8>,
    /// How much of what is ready is out.
    gone: usize,
}

/// The way in.
#[derive(Debug)]
struct Inflow {
    decoder: Decoder,
    /// As read, `used..read` of it still to be taken apart.
    raw: Vec<u8>,
    used: usize,
    read: usize,
    /// Taken apart; without its first `taken` bytes.
    plain: Vec<u8>,
    taken: usize,
    /// The socket had nothing more when it was asked last.
    dry: bool,
}

impl Compression {
    /// Compresses at `level`; `received` came in before and is taken apart first.
    pub(crate) fn new(level: Level, received: Vec<u8>) -> Self {
        let read = received.len();
        let mut raw = received;
        raw.resize(read.max(READ), 0);
        let out = Outflow { encoder: Encoder::new(level), gathered: Vec::new(), ready: Vec::new(), gone: 0 };
        let decoder = Decoder::default();
        let input = Inflow { decoder, raw, used: 0, read, plain: Vec::new(), taken: 0, dry: false };
        Self { out: Mutex::new(out), input: Mutex::new(input) }
    }

    /// Compresses at this level from now on.
    pub(crate) fn set_level(&self, level: Level) {
        self.out.lock().encoder.set_level(level);
    }

    /// Takes what it can of `bytes`; `WouldBlock` while what it took before waits.
    pub(crate) fn write(&self, socket: &Socket, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut out = self.out.lock();
        if out.flush(socket)? {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let taken = out.take(bytes);
        if out.flush(socket)? {
            // What is left can only go when the socket has room: the connection's task waits for that.
            socket.wake();
        }
        Ok(taken)
    }

    /// Writes what is ready; whether some remains.
    pub(crate) fn flush(&self, socket: &Socket) -> io::Result<bool> {
        self.out.lock().flush(socket)
    }

    /// Whether compressed bytes wait for room in the socket.
    pub(crate) fn has_output(&self) -> bool {
        self.out.lock().has_output()
    }

    /// Whether there may be something to read that the socket does not tell of.
    pub(crate) fn has_input(&self) -> bool {
        !self.input.lock().dry
    }

    /// Plain bytes; `WouldBlock` when there are none yet, `UnexpectedEof` at the end.
    pub(crate) fn read(&self, socket: &Socket, into: &mut [u8]) -> io::Result<usize> {
        self.input.lock().read(socket, into)
    }
}

impl Outflow {
    fn take(&mut self, bytes: &[IoSlice<'_>]) -> usize {
        if let [one] = bytes {
            let one = &one[..one.len().min(TAKEN)];
            self.encoder.encode(one, &mut self.ready);
            return one.len();
        }
        self.gathered.clear();
        for piece in bytes {
            let room = TAKEN - self.gathered.len();
            self.gathered.extend_from_slice(&piece[..piece.len().min(room)]);
        }
        self.encoder.encode(&self.gathered, &mut self.ready);
        self.gathered.len()
    }

    fn has_output(&self) -> bool {
        self.gone < self.ready.len()
    }

    fn flush(&mut self, socket: &Socket) -> io::Result<bool> {
        while self.has_output() {
            match socket.try_write_below(&[IoSlice::new(&self.ready[self.gone..])]) {
                Ok(n) => self.gone += n,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(e) => return Err(e),
            }
        }
        self.ready.clear();
        self.gone = 0;
        Ok(false)
    }
}

impl Inflow {
    fn read(&mut self, socket: &Socket, into: &mut [u8]) -> io::Result<usize> {
        self.dry = false;
        while self.taken == self.plain.len() {
            self.plain.clear();
            self.plain.shrink_to(KEPT);
            self.taken = 0;
            if self.used == self.read {
                self.fill(socket)?;
            }
            let rest =
                self.decoder.decode(&self.raw[self.used..self.read], &mut self.plain).map_err(io::Error::other)?;
            self.used = self.read - rest.len();
        }
        let n = into.len().min(self.plain.len() - self.taken);
        into[..n].copy_from_slice(&self.plain[self.taken..self.taken + n]);
        self.taken += n;
        Ok(n)
    }

    fn fill(&mut self, socket: &Socket) -> io::Result<()> {
        (self.used, self.read) = (0, 0);
        self.read = socket.try_read_below(&mut self.raw).inspect_err(|_| self.dry = true)?;
        if self.read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }
}
