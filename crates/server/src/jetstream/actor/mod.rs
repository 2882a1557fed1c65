//! A stream that runs: its inbox, what has come back from the disk, what the API asks, and when it wants to run again.
//!
//! Everything that happens to a stream goes through here, one thing after the other; nobody else touches it.
//!
//! | module | what lives there |
//! |---|---|
//! | `turn` | one turn: what waits is taken, done, written and counted |
//! | `local_task` | turns that the thread takes that brings the work |
//! | `listening` | its subscriptions |
//! | `ending` | how it stops |

mod ending;
mod listening;
mod local_task;
mod turn;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Weak};

use martlet_broker::account::Account;
use martlet_broker::internal::Listening;
use martlet_broker::trace::{Claim, Stored};
use martlet_broker::watch::Watch;
use martlet_events::Time;
use martlet_jetstream::api::ApiError;
use martlet_jetstream::stream::{Changed, Stream, Ticket};
use martlet_jetstream::{Now, Out};
use martlet_net::clock;
use parking_lot::Mutex;

use super::inbox::Inbox;
use super::usage::Usage;
use super::workers::Turn;
use super::{Shared, now};

/// What is done with a stream on its own thread.
type Command = Box<dyn FnOnce(&mut Life, Now, &mut dyn Out) + Send>;
/// What is done when a change has come to its end.
type Ending = Box<dyn FnOnce(Result<Changed, ApiError>, &mut Life, &mut dyn Out) + Send>;

/// A stream. See the module's text.
pub(super) struct StreamActor {
    turn: Turn,
    shared: Arc<Shared>,
    pub(super) account: Arc<Account>,
    usage: Arc<Usage>,
    pub(super) name: String,
    this: Weak<StreamActor>,
    inbox: Mutex<Inbox>,
    synced: Mutex<Vec<(u64, io::Result<()>)>>,
    commands: Mutex<Vec<Command>>,
    life: Mutex<Life>,
    /// It met a state that cannot be.
    is_broken: AtomicBool,
    subscriptions: Mutex<Vec<Listening>>,
    watches: Mutex<HashMap<String, Watch>>,
}

impl fmt::Debug for StreamActor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamActor")
            .field("account", self.account.name())
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A stream and what belongs to its thread.
#[derive(Default)]
pub(super) struct Life {
    /// `None` when it is gone.
    pub(super) stream: Option<Stream>,
    endings: HashMap<Ticket, Ending>,
    next_ticket: Ticket,
    taken: Inbox,
    body: Vec<u8>,
    /// When the stream wants to be called, as it was at the end of its last turn.
    due: Option<Time>,
    /// The earliest alarm that is set.
    alarm: Option<Time>,
    /// When what was written is synced, if that is not awaited.
    sync_at: Option<Time>,
    /// When it tidies up; `None` as long as nothing happens.
    maintain_at: Option<Time>,
    /// Bytes that it is known to use.
    counted: u64,
    /// Batches that it is known to have under way.
    batches: [usize; 2],
    /// What became of messages that are traced.
    traces: Vec<(Claim, Stored)>,
    /// That its store has failed has been said.
    is_failure_told: bool,
    /// When it was last said that there is no room for more.
    full_told: Option<Time>,
}

impl Life {
    /// Who is told when a change has come to its end.
    pub(super) fn ticket(
        &mut self,
        ending: impl FnOnce(Result<Changed, ApiError>, &mut Self, &mut dyn Out) + Send + 'static,
    ) -> Ticket {
        self.next_ticket += 1;
        self.endings.insert(self.next_ticket, Box::new(ending));
        self.next_ticket
    }

    /// A change that was not even proposed.
    pub(super) fn refuse(&mut self, ticket: Ticket, error: ApiError, out: &mut dyn Out) {
        self.end(ticket, Err(error), out);
    }

    fn end(&mut self, ticket: Ticket, result: Result<Changed, ApiError>, out: &mut dyn Out) {
        if let Some(ending) = self.endings.remove(&ticket) {
            ending(result, self, out);
        }
    }
}

impl StreamActor {
    /// A stream of `account`; [`Self::fill`] it before it is woken.
    pub(super) fn new(shared: Arc<Shared>, account: Arc<Account>, usage: Arc<Usage>, name: &str) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            turn: Turn::default(),
            shared,
            account,
            usage,
            name: name.to_owned(),
            this: this.clone(),
            inbox: Mutex::default(),
            synced: Mutex::default(),
            commands: Mutex::default(),
            life: Mutex::new(Life { maintain_at: Some(Time::ORIGIN), ..Life::default() }),
            is_broken: AtomicBool::new(false),
            subscriptions: Mutex::default(),
            watches: Mutex::default(),
        })
    }

    /// Gives it its stream.
    pub(super) fn fill(&self, make: impl FnOnce(&mut Life) -> Stream) {
        let mut life = self.life.lock();
        let stream = make(&mut life);
        life.stream = Some(stream);
    }

    /// Has something done with the stream, after everything asked before.
    pub(super) fn command(&self, command: impl FnOnce(&mut Life, Now, &mut dyn Out) + Send + 'static) {
        self.commands.lock().push(Box::new(command));
        self.wake();
    }

    /// The same, once everything stands that came before.
    pub(super) fn when_settled(&self, command: impl FnOnce(&mut Life, Now, &mut dyn Out) + Send + 'static) {
        self.command(move |life, _, out| {
            let ticket = life.ticket(move |_, life, out| command(life, now(clock::now()), out));
            if !life.stream.as_mut().is_some_and(|stream| stream.when_settled(ticket)) {
                life.end(ticket, Ok(Changed::Settled), out);
            }
        });
    }

    /// Looks at the stream.
    pub(super) fn look<T>(&self, f: impl FnOnce(&Stream) -> T) -> Option<T> {
        self.life.lock().stream.as_ref().map(f)
    }

    /// Whether it met a state that cannot be.
    pub(super) fn is_broken(&self) -> bool {
        self.is_broken.load(Relaxed)
    }

    pub(super) fn wake(&self) {
        if let Some(this) = self.this.upgrade() {
            self.shared.workers.wake(this);
        }
    }
}
