//! Dead letters: messages that will not be delivered again are published elsewhere, until somebody says to have them.
//!
//! A letter is written down with the consumer's progress and sent, again and again, until it is answered: by the stream that
//! keeps it, as it answers every publisher, or by a program with an empty message. A work queue keeps the message until then.
//! So a letter may come twice, after a crash, but none is lost while there is somebody to have it.
//!
//! Bounds: [`WINDOW`] letters are on their way at a time. At [`MAX_WAITING`] nothing new is delivered until some are answered.

use std::collections::{BTreeMap, VecDeque};
use std::io::Write as _;
use std::time::Duration;

use martlet_events::{Time, WallTime};
use martlet_proto::headers;
use martlet_store::{Message, ReadError};

use super::{Consumer, Context, Outcome, event};
use crate::api::json;
use crate::api::json::read::fields;
use crate::dead_letter::{self, ReceiptSubject};
use crate::out::Outgoing;

/// A letter that is not answered is sent again after this.
const RETRY: Duration = Duration::from_secs(10);
/// Letters on their way.
const WINDOW: usize = 64;
/// Letters that wait before nothing new is delivered.
pub(super) const MAX_WAITING: usize = 10_000;
/// How often a message may die: behind this somebody sends dead letters in a circle.
const MAX_DEATHS: u64 = 16;
/// What is kept of the reason that a subscriber gave.
pub(super) const MAX_REASON: usize = 256;

/// Headers of a letter begin so.
const PREFIX: &[u8] = b"Martlet-Dead-Letter-";
const DEATHS: &[u8] = b"Martlet-Dead-Letter-Deaths";

/// Why a message is not delivered again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reason {
    /// It was delivered as often as it may be.
    Exhausted,
    /// A subscriber gave it up, and said why.
    Terminated(Box<[u8]>),
}

/// A letter that nobody has said to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Letter {
    pub(super) deliveries: u32,
    pub(super) reason: Reason,
    /// When it died, in milliseconds since 1970.
    pub(super) died: u64,
    /// When it is sent again; `None` before it was sent.
    due: Option<Time>,
}

impl Letter {
    pub(super) fn new(deliveries: u32, reason: Reason, died: u64) -> Self {
        Self { deliveries, reason, died, due: None }
    }
}

/// All of a consumer's.
#[derive(Debug, Default)]
pub(super) struct Letters {
    /// Where they go; `None` when that is no longer configured.
    to: Option<Box<[u8]>>,
    waiting: BTreeMap<u64, Letter>,
    /// Those that were not sent yet.
    fresh: VecDeque<u64>,
    /// Those on their way, in the order in which they were sent, with some that are answered.
    sent: VecDeque<(Time, u64)>,
    on_their_way: usize,
}

impl Letters {
    /// When there is something to send.
    fn due(&self) -> Option<Time> {
        if (!self.fresh.is_empty() && self.on_their_way < WINDOW) || (self.to.is_none() && !self.waiting.is_empty()) {
            return Some(Time::ORIGIN);
        }
        self.sent.front().map(|(due, _)| *due)
    }

    fn insert(&mut self, seq: u64, letter: Letter) {
        self.take(seq);
        self.waiting.insert(seq, letter);
        self.fresh.push_back(seq);
    }

    fn take(&mut self, seq: u64) -> Option<Letter> {
        let letter = self.waiting.remove(&seq)?;
        self.on_their_way -= usize::from(letter.due.is_some());
        while self.sent.front().is_some_and(|&(due, seq)| !self.is_current(due, seq)) {
            self.sent.pop_front();
        }
        Some(letter)
    }

    fn is_current(&self, due: Time, seq: u64) -> bool {
        self.waiting.get(&seq).is_some_and(|letter| letter.due == Some(due))
    }

    /// The next letter to send now.
    fn next(&mut self, now: Time) -> Option<u64> {
        while let Some(&(due, seq)) = self.sent.front().filter(|(due, _)| *due <= now) {
            self.sent.pop_front();
            if self.is_current(due, seq) {
                return Some(seq);
            }
        }
        while self.on_their_way < WINDOW
            && let Some(seq) = self.fresh.pop_front()
        {
            if self.waiting.get(&seq).is_some_and(|letter| letter.due.is_none()) {
                return Some(seq);
            }
        }
        None
    }

    fn is_sent(&mut self, seq: u64, again: Time) {
        if let Some(letter) = self.waiting.get_mut(&seq) {
            self.on_their_way += usize::from(letter.due.is_none());
            letter.due = Some(again);
            self.sent.push_back((again, seq));
        }
    }
}

impl Consumer {
    /// Where letters go may have changed.
    pub(super) fn address_letters(&mut self, stream: &crate::StreamConfig) {
        let to = dead_letter::target(stream, &self.config).map(|to| to.as_bytes().into());
        match &mut self.letters {
            Some(letters) => letters.to = to,
            None if to.is_some() => self.letters = Some(Box::new(Letters { to, ..Letters::default() })),
            None => {}
        }
    }

    /// A message will not be delivered again.
    pub(super) fn dies(&mut self, seq: u64, deliveries: u32, reason: Reason) {
        let Some(letters) = self.letters.as_mut().filter(|letters| letters.to.is_some()) else { return };
        letters.insert(seq, Letter::new(deliveries, reason, self.clock.wall.as_nanos() / 1_000_000));
        self.log.letter(seq);
    }

    /// A subscriber gave a message up.
    pub(super) fn dies_by(&mut self, seq: u64, reason: &[u8]) {
        let Some(entry) = self.pending.get(seq) else { return };
        let reason = Reason::Terminated(reason[..reason.len().min(MAX_REASON)].into());
        self.dies(seq, entry.deliveries, reason);
    }

    /// Whether a message is a letter that waits.
    pub(super) fn is_letter(&self, seq: u64) -> bool {
        self.letters.as_ref().is_some_and(|letters| letters.waiting.contains_key(&seq))
    }

    /// How many letters wait for somebody to have them; `None` where there are never any.
    pub fn dead_letters(&self) -> Option<usize> {
        self.letters.as_ref().map(|letters| letters.waiting.len())
    }

    pub(super) fn letters_waiting(&self) -> usize {
        self.dead_letters().unwrap_or(0)
    }

    /// A message is no letter any more; what it was.
    pub(super) fn forget_letter(&mut self, seq: u64) -> Option<Letter> {
        let letter = self.letters.as_mut()?.take(seq)?;
        self.log.letter(seq);
        Some(letter)
    }

    /// Those at a sequence and behind it are delivered again.
    pub(super) fn forget_letters_from(&mut self, seq: u64) {
        let Some(letters) = &self.letters else { return };
        let seqs: Vec<u64> = letters.waiting.range(seq..).map(|(&seq, _)| seq).collect();
        for seq in seqs {
            self.forget_letter(seq);
        }
    }

    /// When there is something to send.
    pub(super) fn letters_due(&self) -> Option<Time> {
        self.letters.as_ref()?.due()
    }

    /// Sends what is due.
    pub(super) fn send_letters(&mut self, ctx: &mut Context<'_>, outcome: &mut Outcome) {
        let Some(letters) = self.letters.as_mut().filter(|letters| letters.due().is_some()) else { return };
        let Some(to) = letters.to.clone() else { return self.give_up_letters(outcome) };
        let mut buffer = std::mem::take(&mut ctx.scratch.message);
        while let Some(seq) = self.letters.as_mut().and_then(|letters| letters.next(ctx.now.time)) {
            let is_sent = match ctx.store.get(seq, &mut buffer) {
                Ok(Some(message)) => self.send_letter(ctx, &to, &message),
                Ok(None) => false,
                // As if it had been sent and not answered.
                Err(ReadError::NotNow(_)) => self.letters.as_mut().is_some_and(|letters| {
                    letters.is_sent(seq, ctx.now.time + RETRY);
                    true
                }),
                Err(ReadError::Unreadable(range)) => {
                    event::passed_over(ctx, &self.config.name, &range);
                    false
                }
            };
            if !is_sent && let Some(letter) = self.forget_letter(seq) {
                self.lay_to_rest(seq, &letter, outcome);
            }
        }
        ctx.scratch.message = buffer;
    }

    /// Sends a letter; whether it may be sent.
    fn send_letter(&mut self, ctx: &mut Context<'_>, to: &[u8], message: &Message<'_>) -> bool {
        let deaths = headers::get(message.headers, DEATHS).and_then(|n| std::str::from_utf8(n).ok()?.parse().ok());
        let deaths = deaths.unwrap_or(0_u64).saturating_add(1);
        let Some(letters) = &mut self.letters else { return false };
        let Some(letter) = letters.waiting.get(&message.seq) else { return false };
        if deaths > MAX_DEATHS {
            event::refused_letter(ctx, &self.config.name, message.seq, "it died too often: letters go in a circle");
            return false;
        }
        let (stream, consumer) = (&ctx.stream.name, &self.config.name);
        let reply = format!("$JS.DEAD.{stream}.{consumer}.{}.{}", message.seq, letter.died);
        let block = &mut ctx.scratch.headers;
        write_headers(block, message, letter, (stream, consumer), deaths);
        let payload = message.payload;
        ctx.out.publish(&Outgoing { subject: to, shown: None, reply: reply.as_bytes(), headers: block, payload });
        letters.is_sent(message.seq, ctx.now.time + RETRY);
        true
    }

    /// Somebody says to have a letter, or not to take it.
    pub fn letter_answered(
        &mut self,
        ctx: &mut Context<'_>,
        of: &ReceiptSubject<'_>,
        block: &[u8],
        payload: &[u8],
    ) -> Outcome {
        self.begin(ctx);
        let mut outcome = Outcome::default();
        let died = self.letters.as_ref().and_then(|letters| letters.waiting.get(&of.seq)).map(|letter| letter.died);
        if died != Some(of.died) || headers::status(block).is_some() {
            return outcome;
        }
        match Receipt::parse(payload) {
            Receipt::Kept => {
                if self.forget_letter(of.seq).is_some() {
                    self.forget_spent(of.seq);
                    self.settled(of.seq, &mut outcome);
                    self.move_floor(of.seq, 0);
                    outcome.more = true;
                }
            }
            Receipt::Refused(why) => event::refused_letter(ctx, &self.config.name, of.seq, &why),
            Receipt::Unknown => {}
        }
        outcome
    }

    /// Letters have nowhere to go any more.
    fn give_up_letters(&mut self, outcome: &mut Outcome) {
        while let Some(seq) = self.letters.as_ref().and_then(|letters| Some(*letters.waiting.first_key_value()?.0)) {
            if let Some(letter) = self.forget_letter(seq) {
                self.lay_to_rest(seq, &letter, outcome);
            }
        }
        self.letters = None;
    }

    /// A message is no letter any more: one that a subscriber gave up is done, one that was delivered too often is not.
    fn lay_to_rest(&self, seq: u64, letter: &Letter, outcome: &mut Outcome) {
        if letter.reason != Reason::Exhausted {
            self.settled(seq, outcome);
        }
    }

    /// Letters as they were written down come back, and those that have changed.
    pub(super) fn restore_letters(&mut self, letters: Vec<(u64, Option<Letter>)>) {
        for (seq, letter) in letters {
            let all = self.letters.get_or_insert_default();
            match letter {
                Some(letter) => all.insert(seq, letter),
                None => drop(all.take(seq)),
            }
        }
    }

    /// Those that have changed, as they are now.
    pub(super) fn letters_of(&self, seqs: &[u64]) -> Vec<(u64, Option<Letter>)> {
        let find = |seq: u64| self.letters.as_ref().and_then(|letters| letters.waiting.get(&seq)).cloned();
        seqs.iter().map(|&seq| (seq, find(seq))).collect()
    }

    /// Those that wait, in order.
    pub(super) fn waiting_letters(&self) -> impl Iterator<Item = (u64, &Letter)> {
        self.letters.iter().flat_map(|letters| &letters.waiting).map(|(&seq, letter)| (seq, letter))
    }

    /// All of them.
    pub(super) fn all_letters(&self) -> Vec<(u64, Option<Letter>)> {
        self.waiting_letters().map(|(seq, letter)| (seq, Some(letter.clone()))).collect()
    }

    /// There are none, or those that are told next.
    pub(super) fn clear_letters(&mut self) {
        self.letters = None;
    }
}

/// The headers of a letter: its own but those that tell a stream what to do, and what it died of.
fn write_headers(
    block: &mut Vec<u8>,
    message: &Message<'_>,
    letter: &Letter,
    (stream, consumer): (&str, &str),
    deaths: u64,
) {
    block.clear();
    block.extend_from_slice(headers::VERSION_LINE);
    for (name, value) in headers::iter(message.headers) {
        if !name.starts_with(b"Nats-") && !name.starts_with(PREFIX) {
            line(block, name, value);
        }
    }
    let number = |of: u64| of.to_string();
    let (reason, words): (&str, &[u8]) = match &letter.reason {
        Reason::Exhausted => ("max_deliver", b""),
        Reason::Terminated(words) => ("terminated", words),
    };
    // One letter is one message for whoever keeps it, however often it is sent.
    let id = format!("{stream}.{consumer}.{}.{}", message.seq, letter.died);
    let died = WallTime::from_nanos(letter.died.saturating_mul(1_000_000));
    line(block, b"Nats-Msg-Id", id.as_bytes());
    for (name, value) in [
        ("Stream", stream.as_bytes()),
        ("Consumer", consumer.as_bytes()),
        ("Subject", message.subject),
        ("Sequence", number(message.seq).as_bytes()),
        ("Deliveries", number(u64::from(letter.deliveries)).as_bytes()),
        ("Reason", reason.as_bytes()),
        ("Description", words),
        ("Stored", message.time.to_string().as_bytes()),
        ("Died", died.to_string().as_bytes()),
        ("Deaths", number(deaths).as_bytes()),
    ] {
        if !value.is_empty() {
            line(block, &[PREFIX, name.as_bytes()].concat(), value);
        }
    }
    block.extend_from_slice(b"\r\n");
}

/// Adds a header. What a subscriber said may hold anything; it stays on its line.
fn line(block: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    let _ = block.write_all(name);
    block.extend_from_slice(b": ");
    block.extend(value.iter().map(|&byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte }));
    block.extend_from_slice(b"\r\n");
}

/// What an answer to a letter says.
#[derive(Debug, PartialEq, Eq)]
enum Receipt {
    Kept,
    Refused(String),
    Unknown,
}

/// A stream's answer to a publisher.
#[derive(Debug, Default)]
struct Ack {
    stream: String,
    seq: u64,
    error: AckError,
}

/// Why a message was not kept.
#[derive(Debug, Default)]
struct AckError {
    description: String,
}

fields! { Ack: "" { "stream" => stream, "seq" => seq, "error" => error } }
fields! { AckError: "" { "description" => description } }

impl Receipt {
    fn parse(payload: &[u8]) -> Self {
        if payload.is_empty() || payload == b"+ACK" {
            return Self::Kept;
        }
        match json::decode_whole::<Ack>(payload) {
            Ok(ack) if !ack.error.description.is_empty() => Self::Refused(ack.error.description),
            Ok(ack) if !ack.stream.is_empty() && ack.seq > 0 => Self::Kept,
            _ => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_streams_and_programs_are_understood() {
        for (payload, receipt) in [
            ("", Receipt::Kept),
            ("+ACK", Receipt::Kept),
            (r#"{"stream":"D","seq":3}"#, Receipt::Kept),
            (r#"{"stream":"D","domain":"d","seq":3,"duplicate":true}"#, Receipt::Kept),
            (r#"{"stream":"D","seq":0}"#, Receipt::Unknown),
            ("hello", Receipt::Unknown),
            (
                r#"{"error":{"code":503,"err_code":10077,"description":"no"},"stream":"D","seq":0}"#,
                Receipt::Refused("no".into()),
            ),
        ] {
            assert_eq!(Receipt::parse(payload.as_bytes()), receipt, "{payload}");
        }
    }
}
