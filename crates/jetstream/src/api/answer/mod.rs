//! How answers are written.
//!
//! Fields stand in the order that clients have always seen, and those that clients never saw when empty are left out.
//!
//! | module | what lives there |
//! |---|---|
//! | `config` | configurations |
//! | `stream`, `consumer`, `account` | what is known of them |
//! | `ack` | acknowledgements to publishers |

mod account;
mod ack;
mod config;
mod consumer;
mod stream;

use std::collections::BTreeMap;
use std::time::Duration;

use martlet_events::WallTime;

pub use account::{AccountInfo, AccountLimits, ApiStats, Tier};
pub use ack::Ack;
pub(crate) use ack::AckWriter;
pub use consumer::{ConsumerInfo, PriorityGroup, SequenceInfo};
pub use stream::{Alternate, ClusterInfo, Lost, Peer, SourceInfo, StreamInfo, StreamState};

use super::Endpoint;
use super::json::write::Moment;
use super::json::{Object, ToJson};
use crate::config::StreamConfig;

/// The most names in an answer.
pub const NAMES_LIMIT: usize = 1024;
/// The most streams or consumers in an answer.
pub const LIST_LIMIT: usize = 256;

/// Which part of a list is in an answer.
// spec: JS-008
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Page {
    /// How many there are.
    pub total: usize,
    /// How many were left out before.
    pub offset: usize,
    /// How many there are at most.
    pub limit: usize,
}

impl Page {
    /// The page from `offset` on, and which of `total` are on it.
    pub fn of(total: usize, offset: i64, limit: usize) -> (Self, std::ops::Range<usize>) {
        let offset = usize::try_from(offset).unwrap_or_default().min(total);
        (Self { total, offset, limit }, offset..total.min(offset + limit))
    }

    fn write(self, o: &mut Object<'_>) {
        o.field("total", &self.total).field("offset", &self.offset).field("limit", &self.limit);
    }
}

/// A message, as it is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMessage<'a> {
    /// Its subject.
    pub subject: &'a [u8],
    /// Its sequence.
    pub seq: u64,
    /// Its header section; empty for none.
    pub headers: &'a [u8],
    /// Its payload.
    pub payload: &'a [u8],
    /// When it was taken in.
    pub time: WallTime,
}

/// An answer in which nothing is wrong.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "they are named as what they answer")]
pub enum Answer<'a> {
    /// Done, and no more to say.
    Success,
    /// Done, without even saying so.
    Done,
    /// It is being done.
    Initiated,
    AccountInfo(&'a AccountInfo),
    /// A stream that was created, or was there already.
    StreamCreate {
        info: &'a StreamInfo,
        did_create: bool,
    },
    StreamUpdate(&'a StreamInfo),
    /// A stream, with the page of its subjects that is in its state.
    StreamInfo {
        info: &'a StreamInfo,
        page: Page,
    },
    StreamNames {
        names: &'a [String],
        page: Page,
    },
    StreamList {
        streams: &'a [StreamInfo],
        page: Page,
    },
    StreamPurge {
        purged: u64,
    },
    StreamMsgGet(StoredMessage<'a>),
    StreamSnapshot {
        config: &'a StreamConfig,
        state: &'a StreamState,
    },
    StreamRestore {
        deliver_subject: &'a str,
    },
    /// A consumer that was created, or is asked for.
    Consumer(&'a ConsumerInfo),
    ConsumerNames {
        names: &'a [String],
        page: Page,
    },
    ConsumerList {
        consumers: &'a [ConsumerInfo],
        page: Page,
    },
    ConsumerPause {
        until: Option<WallTime>,
        remaining: Duration,
    },
    ConsumerReset {
        info: &'a ConsumerInfo,
        seq: u64,
    },
}

impl Answer<'_> {
    /// The answer as bytes.
    // spec: JS-004
    pub fn encode(&self, endpoint: Endpoint) -> Vec<u8> {
        let mut out = Vec::new();
        Object::write(&mut out, |o| {
            o.field("type", &endpoint.answer_type());
            self.write(o);
        });
        out
    }

    fn write(&self, o: &mut Object<'_>) {
        match self {
            Self::Done => {}
            Self::Initiated => {
                o.field("initiated", &true);
            }
            Self::Success => {
                o.field("success", &true);
            }
            Self::AccountInfo(info) => info.write(o),
            Self::StreamCreate { info, did_create } => {
                info.write(o);
                o.some("did_create", did_create);
            }
            Self::StreamUpdate(info) => info.write(o),
            Self::StreamInfo { info, page } => {
                page.write(o);
                info.write(o);
            }
            Self::StreamNames { names, page } => {
                page.write(o);
                // No streams are no list.
                o.field("streams", &(!names.is_empty()).then_some(Slice(names)));
            }
            Self::StreamList { streams, page } => {
                page.write(o);
                o.field("streams", *streams);
            }
            Self::StreamPurge { purged } => {
                o.field("success", &true).field("purged", purged);
            }
            Self::StreamMsgGet(message) => {
                o.field("message", message);
            }
            Self::StreamSnapshot { config, state } => {
                o.field("config", *config).field("state", *state);
            }
            Self::StreamRestore { deliver_subject } => {
                o.field("deliver_subject", *deliver_subject);
            }
            Self::Consumer(info) => info.write(o),
            Self::ConsumerNames { names, page } => {
                page.write(o);
                o.field("consumers", *names);
            }
            Self::ConsumerList { consumers, page } => {
                page.write(o);
                o.field("consumers", *consumers);
            }
            Self::ConsumerPause { until, remaining } => {
                o.field("paused", &!remaining.is_zero()).field("pause_until", &Moment(*until));
                o.some("pause_remaining", remaining);
            }
            Self::ConsumerReset { info, seq } => {
                info.write(o);
                o.field("reset_seq", seq);
            }
        }
    }
}

struct Slice<'a>(&'a [String]);

impl ToJson for Slice<'_> {
    fn to_json(&self, out: &mut Vec<u8>) {
        self.0.to_json(out);
    }
}

impl ToJson for StoredMessage<'_> {
    // spec: JS-023
    fn to_json(&self, out: &mut Vec<u8>) {
        Object::write(out, |o| {
            o.field("subject", &*String::from_utf8_lossy(self.subject)).field("seq", &self.seq);
            o.some("hdrs", &base64(self.headers)).some("data", &base64(self.payload)).field("time", &self.time);
        });
    }
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or_default());
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let letter = LETTERS[(group >> (18 - 6 * at) & 63) as usize];
            text.push(if at > chunk.len() { '=' } else { char::from(letter) });
        }
    }
    text
}

/// What the server adds to the metadata of whatever it shows by itself: who it is, and what it can do.
// spec: JS-058
pub fn with_server_metadata(metadata: &BTreeMap<String, String>, version: &str) -> BTreeMap<String, String> {
    let mut metadata = metadata.clone();
    metadata.insert(super::metadata::VERSION.to_owned(), version.to_owned());
    metadata.insert(super::metadata::LEVEL.to_owned(), super::request::API_LEVEL.to_string());
    metadata
}

#[cfg(test)]
mod tests;
