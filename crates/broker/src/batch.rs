//! One turn of one thread: what its connections have to say to others, gathered per destination.
//!
//! A thread owns one [`Batch`]. While it works through what it read, every message goes to the run of its destination;
//! [`Batch::finish`] hands each run over in one piece and writes what the budget allows, the rest is left to the
//! destinations' own threads. Memory is bounded: a batch that has grown to [`Batch::LIMIT`] is finished at once.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use martlet_events::Time;
use martlet_proto::ClosedReason;
use martlet_subject::Mapped;

use crate::account::Account;
use crate::local_task::LocalTasks;
use crate::lookup::Lookup;
use crate::outbox::{Chunk, Flushed};
use crate::peer::{Control, Peer};
use crate::pool::Pool;
use crate::protocol_log::ProtocolLog;
use crate::settings::Settings;
use crate::trace::Tracer;

/// Destinations that the reading thread writes to itself.
const WRITE_DESTINATIONS: usize = 8;
/// Bytes that the reading thread writes itself, per destination.
const WRITE_BYTES: usize = 256 * 1024;
/// Local tasks that a turn runs, with those they lead to: the rest is for others.
const TASKS_OF_A_TURN: usize = 32;
/// Encrypted destinations that the reading thread writes to itself.
const WRITE_ENCRYPTED: usize = 1;

/// The bytes of one destination in this turn.
#[derive(Debug)]
pub struct Run {
    pub(crate) peer: Arc<Peer>,
    /// What is complete.
    chunks: VecDeque<Chunk>,
    /// Bytes of it.
    bytes: usize,
    /// What is being added to.
    tail: Vec<u8>,
    messages: u64,
    payload: u64,
}

impl Run {
    /// Completes the tail, if there is anything in it, and begins another.
    fn close_tail(&mut self, next: impl FnOnce() -> Vec<u8>) {
        if !self.tail.is_empty() {
            let tail = std::mem::replace(&mut self.tail, next());
            self.bytes += tail.len();
            self.chunks.push_back(Chunk::Owned(tail));
        }
    }
}

/// All runs of one turn.
#[derive(Debug, Default)]
pub struct Runs {
    list: Vec<Run>,
    /// Position in `list` by the peer's slot; `u32::MAX` is none.
    index: Vec<u32>,
    spare: Vec<VecDeque<Chunk>>,
    pool: Pool,
    bytes: usize,
    /// Bytes of a run in the turn before: a new buffer has room for as many, rather than to grow to them again.
    usual: usize,
}

impl Runs {
    /// Where the run of `peer` is; there is one afterwards.
    #[inline]
    fn position(&mut self, peer: &Arc<Peer>) -> usize {
        let at = self.index.get(peer.slot()).map_or(usize::MAX, |at| *at as usize);
        // A slot is used again after its connection is gone: the run must be this very peer's.
        if self.list.get(at).is_some_and(|run| Arc::ptr_eq(&run.peer, peer)) { at } else { self.begin(peer) }
    }

    #[inline(never)]
    fn begin(&mut self, peer: &Arc<Peer>) -> usize {
        let (at, slot) = (self.list.len(), peer.slot());
        if slot >= self.index.len() {
            self.index.resize(slot + 64, u32::MAX);
        }
        self.index[slot] = u32::try_from(at).expect("fewer runs than 2^32");
        let (chunks, mut tail) = (self.spare.pop().unwrap_or_default(), self.pool.take());
        if tail.capacity() == 0 {
            tail.reserve_exact(self.usual);
        }
        self.list.push(Run { peer: peer.clone(), chunks, bytes: 0, tail, messages: 0, payload: 0 });
        at
    }

    /// Appends protocol bytes for `peer`.
    pub fn send(&mut self, peer: &Arc<Peer>, bytes: &[u8]) {
        self.append(peer, bytes.len(), |tail| tail.extend_from_slice(bytes));
    }

    /// Lets `encode` append about `len` bytes for `peer`.
    #[inline]
    pub fn append(&mut self, peer: &Arc<Peer>, len: usize, encode: impl FnOnce(&mut Vec<u8>)) {
        self.append_to(peer, len, encode);
    }

    /// Lets `encode` append a message, of about `len` bytes with its `payload` bytes, for `peer`.
    #[inline]
    pub(crate) fn append_message(
        &mut self,
        peer: &Arc<Peer>,
        len: usize,
        payload: usize,
        encode: impl FnOnce(&mut Vec<u8>),
    ) {
        let run = self.append_to(peer, len, encode);
        run.messages += 1;
        run.payload += payload as u64;
    }

    #[inline]
    fn append_to(&mut self, peer: &Arc<Peer>, len: usize, encode: impl FnOnce(&mut Vec<u8>)) -> &mut Run {
        let at = self.position(peer);
        let run = &mut self.list[at];
        if run.tail.len() + len > Pool::CHUNK {
            run.close_tail(|| self.pool.take_whole());
        }
        let before = run.tail.len();
        encode(&mut run.tail);
        self.bytes += run.tail.len() - before;
        run
    }

    /// Appends a payload shared with other connections.
    pub fn share(&mut self, peer: &Arc<Peer>, bytes: &Bytes) {
        let at = self.position(peer);
        let run = &mut self.list[at];
        run.close_tail(|| self.pool.take());
        run.chunks.push_back(Chunk::Shared(bytes.clone()));
        run.bytes += bytes.len();
        self.bytes += bytes.len();
    }
}

/// What a turn leads to for the connection whose bytes caused it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pressure {
    /// Hold the publisher back this long.
    pub stall: Option<Duration>,
}

/// One thread's turn. See the module's text.
#[derive(Debug)]
pub struct Batch {
    /// The time of this turn.
    pub now: Time,
    pub(crate) runs: Runs,
    pub(crate) lookup: Lookup,
    pub(crate) rng: fastrand::Rng,
    pub(crate) scratch: Vec<u8>,
    /// The message trace under way, if the message asked for one.
    pub(crate) tracer: Option<Box<Tracer>>,
    /// Messages for a nearly full destination are dropped rather than the publisher held back.
    pub(crate) drop_congested: bool,
    /// Deliveries are logged.
    pub(crate) protocol_log: Option<ProtocolLog>,
    /// What messages of this turn have left to do.
    pub(crate) tasks: LocalTasks,
    /// When to let go of what others have withdrawn.
    next_sweep: Time,
    /// What the parts of this turn that were finished early lead to.
    owed: Pressure,
}

impl Batch {
    /// Bytes gathered before a turn is finished early.
    pub const LIMIT: usize = 8 * 1024 * 1024;

    /// A batch for one thread; `seed` feeds the random choices of queue groups and weighted mappings.
    pub fn new(seed: u64) -> Self {
        Self {
            now: Time::ORIGIN,
            runs: Runs::default(),
            lookup: Lookup::default(),
            rng: fastrand::Rng::with_seed(seed),
            scratch: Vec::new(),
            tracer: None,
            drop_congested: false,
            protocol_log: None,
            tasks: LocalTasks::default(),
            next_sweep: Time::ORIGIN,
            owed: Pressure::default(),
        }
    }

    /// Appends protocol bytes for `peer`.
    pub fn send(&mut self, peer: &Arc<Peer>, bytes: &[u8]) {
        self.runs.send(peer, bytes);
    }

    /// Lets `encode` append about `len` protocol bytes for `peer`.
    pub fn send_with(&mut self, peer: &Arc<Peer>, len: usize, encode: impl FnOnce(&mut Vec<u8>)) {
        self.runs.append(peer, len, encode);
    }

    /// A link's turn begins: what it brings is dropped for nobody, and deliveries are logged as `settings` say.
    pub fn begin_link_turn(&mut self, settings: &Settings) {
        self.drop_congested = false;
        self.protocol_log = settings.protocol_log;
    }

    /// Where `account` maps a subject that another server sends.
    pub fn map(&mut self, account: &Account, cluster: Option<&str>, subject: &[u8], out: &mut Vec<u8>) -> Mapped {
        account.map(cluster, subject, &mut self.rng, out)
    }

    /// A random number.
    pub fn random(&mut self) -> u64 {
        self.rng.u64(..)
    }

    /// Whether the turn has grown enough to be finished now.
    pub fn is_full(&self) -> bool {
        self.runs.bytes >= Self::LIMIT
    }

    /// Hands over what has been gathered if that is much; what it leads to is told when the turn is finished.
    pub fn finish_if_full(&mut self, from: &Peer) {
        if self.is_full() {
            self.owed = self.hand_over(Some(from));
        }
    }

    /// Hands everything over, and has local tasks done by other threads.
    pub fn finish(&mut self) {
        self.hand_over(None);
        self.tasks.put_off();
    }

    /// Ends a turn of a thread that holds no lock: hands everything over, and runs local tasks. `from` is the connection whose
    /// bytes caused it.
    pub fn finish_turn(&mut self, from: Option<&Peer>) -> Pressure {
        let pressure = self.hand_over(from);
        for _ in 0..TASKS_OF_A_TURN {
            let Some(task) = self.tasks.next() else { return pressure };
            // It is not done for the connection of this turn.
            (self.drop_congested, self.protocol_log, self.tracer) = (false, None, None);
            task.run(self);
        }
        self.tasks.put_off();
        pressure
    }

    /// Hands over what has been gathered, and leaves local tasks where they are. `from` is the connection whose bytes caused it.
    pub fn hand_over(&mut self, from: Option<&Peer>) -> Pressure {
        let Runs { list: runs, index, spare, pool, bytes, usual } = &mut self.runs;
        let mut pressure = std::mem::take(&mut self.owed);
        let written_to = runs.len();
        // Whoever is answered last can be sure that what it sent before is on its way to everyone else.
        if let Some(from) = from {
            let own = index.get(from.slot()).map_or(usize::MAX, |at| *at as usize);
            if runs.get(own).is_some_and(|run| std::ptr::eq(from, &raw const *run.peer)) {
                let last = runs.len() - 1;
                runs.swap(own, last);
            }
        }
        let (mut cheap, mut encrypted) = (WRITE_DESTINATIONS, WRITE_ENCRYPTED);
        for mut run in runs.drain(..) {
            index[run.peer.slot()] = u32::MAX;
            run.close_tail(Vec::new);
            pool.give(run.tail);
            let peer = &run.peer;
            let own = from.is_some_and(|f| std::ptr::eq(f, &raw const **peer));
            let budget = if peer.wire().is_cheap() { &mut cheap } else { &mut encrypted };
            let write = own || *budget > 0;
            if write && !own {
                *budget -= 1;
            }
            let way = write.then_some((peer.wire(), WRITE_BYTES));
            let offered =
                peer.outbox.offer(&mut run.chunks, run.bytes, (run.messages, run.payload), way, self.now, pool);
            match offered.flushed {
                // One whose socket broke has to find out, or it would stay for as long as nothing is read from it.
                Flushed::Remains | Flushed::Gone => peer.wire().wake(),
                Flushed::Empty | Flushed::Busy => {}
            }
            if offered.pending > peer.max_pending() {
                if !peer.is_closing() {
                    peer.request(Control::Close(ClosedReason::SlowConsumerPendingBytes, None));
                }
                peer.outbox.close();
            } else if !own && offered.pending > peer.congestion_mark() {
                peer.set_congested(true);
                // Only clients are held back: behind a link are others' messages for others too.
                if !self.drop_congested && from.is_some_and(|from| !from.kind().is_link()) {
                    pressure.stall = Some(STALL);
                }
                // Whoever writes to it may have been done before the mark was set, and nobody would take it back.
                relieve(peer);
            } else {
                relieve(peer);
            }
            if spare.len() < 1024 && run.chunks.capacity() <= 64 {
                spare.push(run.chunks);
            }
        }
        *usual = bytes.checked_div(written_to).unwrap_or(0).min(Pool::CHUNK);
        *bytes = 0;
        if self.now >= self.next_sweep {
            self.next_sweep = self.now + SWEEP_EVERY;
            self.lookup.drop_stale();
        }
        pressure
    }

    /// The buffers of this thread, for a connection that writes its own outbox.
    pub fn flush(&mut self, peer: &Peer) -> Flushed {
        let mut scratch = self.runs.spare.pop().unwrap_or_default();
        let flushed = peer.outbox.flush(peer.wire(), WRITE_BYTES, self.now, &mut scratch, &mut self.runs.pool);
        self.runs.spare.push(scratch);
        relieve(peer);
        flushed
    }
}

/// Takes the mark of congestion back once enough is written.
fn relieve(peer: &Peer) {
    if peer.is_congested() && peer.outbox.pending() <= peer.congestion_mark() {
        peer.set_congested(false);
    }
}

/// How long a thread may remember connections that are gone.
const SWEEP_EVERY: Duration = Duration::from_secs(5);

/// How long a publisher is held back for a consumer that is nearly full (CORE-091: 2 to 5 ms a message, 10 ms a turn).
const STALL: Duration = Duration::from_millis(5);
