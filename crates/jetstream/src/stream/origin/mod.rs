//! Where a stream's messages come from, other than from publishers: the stream that it mirrors, or those that it collects.
//!
//! | module | what lives there |
//! |---|---|
//! | `upstream` | one origin: it is asked, counted, asked again |
//! | `request` | what it is asked, and answers |
//! | `desk` | what origins want done by whoever has a connection |
//! | `take` | what comes becomes messages of the stream |
//! | `positions` | how far each source has been copied |
//! | `header` | what copied messages say of where they come from |
//!
//! An origin is asked for a consumer by an ordinary request in the stream's account, and delivers to an ordinary subject
//! there; that it may be in another account, domain or server is routing's affair, and none of it is known here. What is
//! wanted done is taken from [`Stream::next_action`] after each call; what comes is given to [`Stream::from_origin`].
//!
//! Invariant: where copying begins anew is derived from what the stream holds or is about to write, never remembered beside.

mod desk;
mod header;
mod positions;
mod request;
mod take;
mod upstream;

use std::time::Duration;

use martlet_events::Time;

pub use self::desk::Action;
use self::desk::{Actions, Desk};
use self::header::Index;
pub(super) use self::header::Provenance;
pub(super) use self::positions::Positions;
use self::request::{Home, Kind, Start};
pub(super) use self::take::say_what_stands;
use self::upstream::Upstream;
use super::Stream;
use super::group::{Draft, Group};
use super::note;
use crate::api::answer::SourceInfo;
use crate::config::{Source, StreamConfig};
use crate::out::{Now, Out};

/// An origin is asked so much later than it is known of: at start others may not be there yet.
const DELAY: Duration = Duration::from_millis(50);

/// All origins of a stream.
#[derive(Debug, Default)]
pub(super) struct Origins {
    upstreams: Vec<Upstream>,
    actions: Actions,
    /// The stream that direct gets are answered for.
    answered: Option<String>,
}

impl Origins {
    /// When one of them wants something done.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.upstreams.iter().map(Upstream::deadline).min()
    }

    fn with<T>(&mut self, at: usize, out: &mut dyn Out, work: impl FnOnce(&mut Upstream, &mut Desk<'_>) -> T) -> T {
        let Self { upstreams, actions, .. } = self;
        work(&mut upstreams[at], &mut Desk { actions, out })
    }
}

/// What a configuration wants copied.
fn wanted(config: &StreamConfig) -> Vec<(Source, Kind)> {
    if config.sealed {
        return Vec::new();
    }
    let mirror = config.mirror.iter().map(|mirror| (mirror.clone(), Kind::Mirror));
    let sources = config.sources.iter().map(|source| (source.clone(), Kind::Source(Index::of(source))));
    mirror.chain(sources).collect()
}

impl Stream {
    /// What its origins want done next.
    pub fn next_action(&mut self) -> Option<Action> {
        self.origins.actions.waiting.pop_front()
    }

    /// Nobody got what [`Action::Send`] sent, whose answer is awaited at `reply`.
    pub fn nobody_heard(&mut self, reply: &[u8], now: Now, out: &mut dyn Out) {
        self.now = now;
        for at in 0..self.origins.upstreams.len() {
            self.origins.with(at, out, |upstream, desk| upstream.unheard(reply, now.time, desk));
        }
    }

    /// It copies from nobody any more; consumers that were made for it are to go. To be called when the stream ends.
    pub fn leave_origins(&mut self, out: &mut dyn Out) {
        let Origins { upstreams, actions, .. } = &mut self.origins;
        for upstream in upstreams.drain(..) {
            upstream.end(&mut Desk { actions: &mut *actions, out: &mut *out });
        }
    }

    /// The configuration in force says which origins there are: those that stay are not disturbed.
    // spec: JS-052 JS-057 NEW-005
    pub(super) fn follow_origins(&mut self, out: &mut dyn Out) {
        let config = &self.live.config;
        let home = Home::new(&config.name, &self.options);
        let mut before: Vec<Upstream> = std::mem::take(&mut self.origins.upstreams);
        let desk = &mut Desk { actions: &mut self.origins.actions, out };
        let mut upstreams = Vec::new();
        for (source, kind) in wanted(config) {
            let known = before.iter().position(|of| of.kind == kind && of.source == source);
            if let Some(at) = known {
                upstreams.push(before.swap_remove(at));
            } else {
                let is_twice = config.sources.iter().filter(|other| other.name == source.name).count() > 1;
                let delay = DELAY + desk.jitter();
                upstreams.push(Upstream::new(source, kind, home.clone(), is_twice, self.now.time, delay));
            }
        }
        for upstream in before {
            upstream.end(desk);
        }
        self.origins.upstreams = upstreams;
        self.answer_for_origin();
    }

    /// Direct gets for the origin are answered here as soon as nearly everything of it is.
    // spec: JS-082
    fn answer_for_origin(&mut self) {
        let config = &self.live.config;
        let origin = config.mirror.as_ref().filter(|_| config.mirror_direct).map(|mirror| mirror.name.clone());
        let Origins { upstreams, actions, answered } = &mut self.origins;
        if let Some(before) = answered.take_if(|before| origin.as_ref() != Some(before)) {
            actions.waiting.push_back(Action::AnswerNoMore { origin: before });
        }
        let is_ready = upstreams.first().is_some_and(Upstream::has_caught_up);
        if let Some(origin) = origin.filter(|_| is_ready && answered.is_none()) {
            actions.waiting.push_back(Action::AnswerFor { origin: origin.clone() });
            *answered = Some(origin);
        }
    }

    /// Does what is due for origins.
    pub(super) fn tick_origins(&mut self, out: &mut dyn Out) {
        let now = self.now.time;
        for at in 0..self.origins.upstreams.len() {
            if self.origins.upstreams[at].deadline() <= now {
                let start = self.start(&self.origins.upstreams[at]);
                self.origins.with(at, out, |upstream, desk| upstream.tick(now, start, desk));
            }
        }
    }

    /// Some of what was taken from origins comes to nothing: it is asked for again.
    pub(super) fn restart_origins(&mut self, out: &mut dyn Out) {
        let now = self.now.time;
        for at in 0..self.origins.upstreams.len() {
            self.origins.with(at, out, |upstream, desk| upstream.restart(now, desk));
        }
    }

    /// Behind what copying begins: the stream's own sequence for a mirror, for a source what is written or about to be.
    fn start(&self, upstream: &Upstream) -> Start {
        let Some(index) = upstream.index() else { return Start { seq: self.last_seq, identity: String::new() } };
        let text = index.text();
        let proposed = self.proposals().find_map(|group| proposed_position(group, &text));
        let applied = || self.live.positions.get(&text, &index.origin).cloned();
        let position = proposed.or_else(applied).unwrap_or_default();
        Start { seq: position.seq, identity: position.identity }
    }

    /// How far a mirror is.
    pub(super) fn mirror_info(&self, now: Time) -> Option<SourceInfo> {
        self.live.config.mirror.as_ref()?;
        self.origins.upstreams.first().map(|upstream| upstream.info(now))
    }

    /// How far sources are, in the order of the configuration.
    pub(super) fn sources_info(&self, now: Time) -> Vec<SourceInfo> {
        let sources = self.origins.upstreams.iter().filter(|upstream| upstream.index().is_some());
        sources.map(|upstream| upstream.info(now)).collect()
    }
}

/// The last position of a source that a group will make stand.
fn proposed_position(group: &Group, index: &str) -> Option<positions::Position> {
    group.drafts.iter().rev().find_map(|draft| {
        let (found, seq, identity) = match draft {
            Draft::Message { headers, .. } => {
                let of = Provenance::of(group.get(headers))?;
                (of.index.ok()?, of.seq, of.identity.to_owned())
            }
            Draft::Note { kind: note::POSITION, bytes } => note::read_position(group.get(bytes)).ok()?,
            _ => return None,
        };
        (found == index).then_some(positions::Position { seq, identity })
    })
}
