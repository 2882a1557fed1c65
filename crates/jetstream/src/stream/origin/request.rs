//! What is asked of an origin, and what it answers: requests of the API like anybody's.

use std::collections::BTreeMap;
use std::time::Duration;

use martlet_proto::headers;
use serde::Deserialize;

use super::header::{Index, short};
use crate::api::ApiError;
use crate::api::json::Object;
use crate::api::validate::STREAM_IDENTITY;
use crate::config::{AckPolicy, ConsumerConfig, DeliverPolicy, Source};
use crate::stream::Options;

/// How often an idle origin is to say that it is there.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// How long an origin that says nothing is believed in, and a consumer that nobody listens to stays.
pub(super) const SILENCE: Duration = Duration::from_secs(10);
/// Nothing is delivered again by itself.
const ACK_WAIT: Duration = Duration::from_hours(22);

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Home {
    pub(super) stream: String,
    pub(super) account: String,
    pub(super) domain: String,
}

impl Home {
    pub(super) fn new(stream: &str, options: &Options) -> Self {
        Self { stream: stream.to_owned(), account: options.account.clone(), domain: options.domain.clone() }
    }

    fn hash(&self) -> String {
        let domain = if self.domain.is_empty() { String::new() } else { format!(" {}", self.domain) };
        short(&format!("{} {}{domain}", self.stream, self.account))
    }
}

/// What is copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// The stream as it is.
    Mirror,
    /// Its messages, among others.
    Source(Index),
}

impl Kind {
    fn letter(&self) -> char {
        match self {
            Self::Mirror => 'M',
            Self::Source(_) => 'S',
        }
    }

    /// The name of the consumer at the origin: the same whenever the same stream asks. `is_twice` if another source is the
    /// same stream.
    // spec: JS-113
    pub(super) fn consumer(&self, home: &Home, is_twice: bool) -> String {
        match self {
            Self::Mirror => format!("JS_MIRROR_{}", home.hash()),
            Self::Source(index) if is_twice => {
                format!("JS_SRC_{}", short(&format!("{} {}", home.hash(), index.text())))
            }
            Self::Source(_) => format!("JS_SRC_{}", short(&home.hash())),
        }
    }
}

/// How much an origin is expected to know: it is asked for less where it does not know more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// Which stream of a name it is.
    Identity,
    /// Consumers that are made for copies.
    Sourcing,
    /// Consumers.
    Plain,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) subject: String,
    pub(super) headers: Vec<u8>,
    pub(super) body: Vec<u8>,
}

/// Where copying begins.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::stream) struct Start {
    /// Behind this sequence; 0 where the configuration says.
    pub(in crate::stream) seq: u64,
    /// Which stream of that name it was; empty if that is not known.
    pub(in crate::stream) identity: String,
}

/// What a request is made of.
#[derive(Debug)]
pub(super) struct Asking<'a> {
    pub(super) home: &'a Home,
    pub(super) kind: &'a Kind,
    pub(super) source: &'a Source,
    pub(super) consumer: &'a str,
    pub(super) start: &'a Start,
    pub(super) level: Level,
    /// A random name.
    pub(super) unique: &'a str,
}

impl Asking<'_> {
    /// Asks for a consumer that delivers from the start on, or, if one is there for it, for that to begin anew.
    // spec: JS-053 JS-054 JS-113
    pub(super) fn request(&self) -> Request {
        if let Some(durable) = &self.source.consumer {
            let subject = format!("$JS.API.CONSUMER.RESET.{}.{}", self.source.name, durable.name);
            return Request { subject: self.there(&subject), headers: self.headers(), body: Vec::new() };
        }
        let config = self.config();
        let stream = &self.source.name;
        let subject = match &config.filter_subjects[..] {
            [filter] => format!("$JS.API.CONSUMER.CREATE.{stream}.{}.{filter}", config.name),
            _ => format!("$JS.API.CONSUMER.CREATE.{stream}"),
        };
        let mut body = Vec::new();
        Object::write(&mut body, |o| {
            o.field("stream_name", stream).field("config", &config);
        });
        Request { subject: self.there(&subject), headers: self.headers(), body }
    }

    /// A subject of the API, where it is in another account or domain.
    fn there(&self, subject: &str) -> String {
        elsewhere(self.source, subject)
    }

    fn headers(&self) -> Vec<u8> {
        let level = match self.level {
            Level::Identity => "5",
            Level::Sourcing => "4",
            Level::Plain => return Vec::new(),
        };
        let mut block = Vec::new();
        headers::set(&mut block, b"Nats-Required-Api-Level", level.as_bytes());
        if self.level == Level::Identity {
            headers::set(&mut block, STREAM_IDENTITY, self.start.identity.as_bytes());
        }
        block
    }

    fn config(&self) -> ConsumerConfig {
        let source = self.source;
        let is_plain = self.level == Level::Plain;
        // Who knows of copies gives a name of its own to each.
        let name = if is_plain { format!("{}_{}", self.consumer, self.unique) } else { self.consumer.to_owned() };
        let filters = if source.filter_subject.is_empty() {
            source.subject_transforms.iter().map(|transform| transform.src.clone()).collect()
        } else {
            vec![source.filter_subject.clone()]
        };
        ConsumerConfig {
            name,
            deliver_subject: self.deliver_subject(),
            deliver_policy: self.deliver_policy(),
            filter_is_list: filters.len() > 1,
            filter_subjects: filters,
            ack_policy: AckPolicy::None,
            ack_wait: ACK_WAIT,
            max_deliver: 1,
            idle_heartbeat: HEARTBEAT,
            flow_control: true,
            direct: true,
            sourcing: !is_plain,
            inactive_threshold: SILENCE,
            metadata: self.metadata(),
            ..ConsumerConfig::default()
        }
    }

    fn deliver_policy(&self) -> DeliverPolicy {
        match (self.start.seq, self.source.opt_start_seq, self.source.opt_start_time) {
            (0, 0, None) => DeliverPolicy::All,
            (0, 0, Some(time)) => DeliverPolicy::ByStartTime(time),
            (0, seq, _) => DeliverPolicy::ByStartSequence(seq),
            (seq, ..) => DeliverPolicy::ByStartSequence(seq + 1),
        }
    }

    // spec: JS-113
    fn deliver_subject(&self) -> String {
        let letter = self.kind.letter();
        match &self.source.external {
            Some(external) if !external.deliver.is_empty() => {
                format!("{}.{letter}.{}", external.deliver, self.unique).replace("..", ".")
            }
            _ => format!("$JS.{letter}.{}", self.unique),
        }
    }

    fn metadata(&self) -> BTreeMap<String, String> {
        let what = if *self.kind == Kind::Mirror { "mirror" } else { "src" };
        let of = [("stream", &self.home.stream), ("acc", &self.home.account), ("domain", &self.home.domain)];
        let given = of.into_iter().filter(|(_, value)| !value.is_empty());
        given.map(|(key, value)| (format!("_nats.{what}.{key}"), value.clone())).collect()
    }
}

/// A subject of the API, where an origin is in another account or domain.
fn elsewhere(source: &Source, subject: &str) -> String {
    match &source.external {
        Some(external) if !external.api.is_empty() => subject.replacen("$JS.API", &external.api, 1).replace("..", "."),
        _ => subject.to_owned(),
    }
}

/// Asks for a consumer to be taken away.
pub(super) fn deletion(source: &Source, consumer: &str) -> Request {
    let subject = elsewhere(source, &format!("$JS.API.CONSUMER.DELETE.{}.{consumer}", source.name));
    Request { subject, headers: Vec::new(), body: Vec::new() }
}

/// What an origin answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Granted {
    /// The name of its consumer.
    pub(super) consumer: String,
    /// Where that delivers.
    pub(super) deliver_subject: String,
    /// Whether it is acknowledged by flow control.
    pub(super) acknowledges: bool,
    /// What has been delivered already, or is before the start.
    pub(super) delivered: u64,
    /// Which stream of that name it is; empty where it does not say.
    pub(super) identity: String,
}

#[derive(Debug, Deserialize)]
struct Reply {
    error: Option<Fault>,
    #[serde(default)]
    name: String,
    config: Option<ReplyConfig>,
    #[serde(default)]
    delivered: Delivered,
}

#[derive(Debug, Deserialize)]
struct Fault {
    #[serde(default)]
    code: u16,
    #[serde(default)]
    err_code: u16,
    #[serde(default)]
    description: String,
}

#[derive(Debug, Deserialize)]
struct ReplyConfig {
    #[serde(default)]
    deliver_subject: String,
    #[serde(default)]
    ack_policy: String,
}

#[derive(Debug, Default, Deserialize)]
struct Delivered {
    #[serde(default)]
    stream_seq: u64,
}

/// What an answer means; `None` if it is none.
pub(super) fn understand(block: &[u8], body: &[u8]) -> Option<Result<Granted, ApiError>> {
    let reply: Reply = serde_json::from_slice(body).ok()?;
    if let Some(Fault { code, err_code, description }) = reply.error {
        return Some(Err(ApiError { code, err_code, description: description.into() }));
    }
    let config = reply.config?;
    let identity = headers::get(block, STREAM_IDENTITY).unwrap_or_default();
    Some(Ok(Granted {
        consumer: reply.name,
        deliver_subject: config.deliver_subject,
        acknowledges: config.ack_policy == "flow_control",
        delivered: reply.delivered.stream_seq,
        identity: String::from_utf8_lossy(identity).into_owned(),
    }))
}

/// The headers of an answer to flow control: what stands.
// spec: JS-104 JS-113
pub(super) fn credit(consumer_seq: u64, seq: u64) -> String {
    format!("NATS/1.0\r\nNats-Last-Consumer: {consumer_seq}\r\nNats-Last-Stream: {seq}\r\n\r\n")
}
