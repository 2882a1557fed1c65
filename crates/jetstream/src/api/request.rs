//! From a subject and a body to what is asked, or to why it cannot be.
//!
//! What is looked at first is said first: some requests look at the body before the header, some only once they have
//! found the stream. The latter carry what is wrong with their body along.

use martlet_proto::headers;

use super::body::{
    ConsumerCreateBody, ConsumersBody, MsgDeleteBody, MsgGetBody, PauseBody, PurgeBody, ResetBody, RestoreBody,
    SnapshotBody, StreamBody, StreamInfoBody, StreamListBody, StreamNamesBody, UnpinBody,
};
use super::json::read::Read;
use super::json::{self, Int, Strictness};
use super::{ApiError, Endpoint};

/// The newest requirement that this server meets.
pub use martlet_proto::API_LEVEL;

/// The header by which a client says what the server must be able to do.
pub const REQUIRED_API_LEVEL: &[u8] = b"Nats-Required-Api-Level";

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// How much the account has and uses.
    AccountInfo,
    /// A new stream.
    StreamCreate(Box<StreamBody>),
    /// Another configuration for a stream. Whether it is named as in the subject is asked once it has been validated.
    StreamUpdate(String, Box<StreamBody>),
    /// Streams by name.
    StreamNames(StreamNamesBody),
    /// Streams.
    StreamList(StreamNamesBody),
    /// A stream.
    StreamInfo(String, StreamInfoBody),
    /// A stream goes.
    StreamDelete(String),
    /// Messages go.
    StreamPurge(String, PurgeBody),
    /// A message goes.
    StreamMsgDelete(String, MsgDeleteBody),
    /// A message.
    StreamMsgGet(String, MsgGetBody),
    /// A stream with all it has. What is wrong with the body matters if the stream is there.
    StreamSnapshot(String, Result<SnapshotBody, ApiError>),
    /// A stream from a snapshot.
    StreamRestore(String, Box<RestoreBody>),
    /// A new consumer, or another configuration for one.
    ConsumerCreate(Box<ConsumerCreate>),
    /// Consumers by name.
    ConsumerNames(String, ConsumersBody),
    /// Consumers.
    ConsumerList(String, ConsumersBody),
    /// A consumer.
    ConsumerInfo(String, String),
    /// A consumer goes.
    ConsumerDelete(String, String),
    /// A consumer rests.
    ConsumerPause(String, String, PauseBody),
    /// A pinned client is one no more.
    ConsumerUnpin(String, String, UnpinBody),
    /// A consumer begins anew. What is wrong with the request matters if the consumer is there: else nobody answers.
    ConsumerReset(String, String, Result<ResetBody, ApiError>),
    /// All streams of an account go.
    AccountPurge(String),
}

/// A consumer that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerCreate {
    /// Its stream.
    pub stream: String,
    /// Its name, if one is given.
    pub name: Option<String>,
    /// The body; its configuration has the name.
    pub body: ConsumerCreateBody,
}

/// What to do about a message to `$JS.API.>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parsed {
    /// Do it.
    Request(Endpoint, Request),
    /// Say what is wrong.
    Refused(Endpoint, ApiError),
    /// Nothing: nobody answers there.
    Nobody,
}

/// What parsing has to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Setting {
    /// Whether unknown fields are refused.
    pub strictness: Strictness,
    /// Whether the account has streams at all.
    pub is_enabled: bool,
    /// Whether it is the system account.
    pub is_system: bool,
}

/// Reads a request to the subject behind `$JS.API.`; pull requests and direct gets are not among them.
pub fn parse(subject: &str, headers: &[u8], body: &[u8], setting: Setting) -> Parsed {
    let Some((endpoint, names)) = Endpoint::of(subject) else { return Parsed::Nobody };
    if endpoint.is_administrative() {
        // The others are for whoever leads a cluster. This one looks at nothing else.
        // spec: JS-036
        return match names.first() {
            Some(account) if endpoint == Endpoint::AccountPurge && setting.is_system => {
                Parsed::Request(endpoint, Request::AccountPurge((*account).to_owned()))
            }
            _ => Parsed::Nobody,
        };
    }
    let parser = Parser { headers, body, setting };
    match parser.request(endpoint, &names) {
        Ok(request) => Parsed::Request(endpoint, request),
        Err(error) => Parsed::Refused(endpoint, error),
    }
}

/// Whether a request asks for what this server cannot do: an error if so, or if what it asks is no number.
// spec: JS-007
pub fn check_api_level(block: &[u8]) -> Result<(), ApiError> {
    let Some(level) = headers::get(block, REQUIRED_API_LEVEL).filter(|level| !level.is_empty()) else { return Ok(()) };
    let level = std::str::from_utf8(level).ok().and_then(|level| level.parse::<i64>().ok());
    if level.is_some_and(|level| level <= API_LEVEL) { Ok(()) } else { Err(ApiError::required_api_level()) }
}

struct Parser<'a> {
    headers: &'a [u8],
    body: &'a [u8],
    setting: Setting,
}

impl Parser<'_> {
    fn request(&self, endpoint: Endpoint, names: &[&str]) -> Result<Request, ApiError> {
        // spec: JS-037
        if endpoint.needs_cluster() {
            return Err(ApiError::cluster_required());
        }
        let name = |at: usize| names.get(at).copied().unwrap_or_default().to_owned();
        match endpoint {
            Endpoint::ConsumerCreate | Endpoint::ConsumerCreateNamed | Endpoint::ConsumerCreateDurable => {
                self.consumer_create(endpoint, names)
            }
            Endpoint::ConsumerPause => {
                let body = self.optional_body()?;
                self.check_account()?;
                Ok(Request::ConsumerPause(name(0), name(1), body))
            }
            Endpoint::ConsumerInfo => {
                self.expect_no_body()?;
                self.check_account()?;
                Ok(Request::ConsumerInfo(name(0), name(1)))
            }
            Endpoint::ConsumerUnpin => {
                let body = self.unpin()?;
                Ok(Request::ConsumerUnpin(name(0), name(1), body))
            }
            Endpoint::ConsumerReset => Ok(Request::ConsumerReset(name(0), name(1), self.reset())),
            _ => {
                self.check_account()?;
                self.of_account(endpoint, &name)
            }
        }
    }

    /// Requests that look at the account first, then at their body.
    fn of_account(&self, endpoint: Endpoint, name: &dyn Fn(usize) -> String) -> Result<Request, ApiError> {
        Ok(match endpoint {
            Endpoint::StreamCreate => Request::StreamCreate(Box::new(self.stream_create(&name(0))?)),
            Endpoint::StreamUpdate => Request::StreamUpdate(name(0), Box::new(self.body()?)),
            Endpoint::StreamNames => {
                let body: StreamNamesBody = self.optional_body()?;
                Request::StreamNames(StreamNamesBody { offset: at_least_none(body.offset), ..body })
            }
            Endpoint::StreamList => {
                let StreamListBody { offset, subject } = self.optional_body()?;
                Request::StreamList(StreamNamesBody { offset: at_least_none(offset), subject })
            }
            Endpoint::StreamInfo => {
                let body: StreamInfoBody = self.optional_body()?;
                Request::StreamInfo(name(0), StreamInfoBody { offset: at_least_none(body.offset), ..body })
            }
            Endpoint::StreamDelete => {
                self.expect_no_body()?;
                Request::StreamDelete(name(0))
            }
            Endpoint::StreamPurge => Request::StreamPurge(name(0), self.purge()?),
            Endpoint::StreamMsgDelete => Request::StreamMsgDelete(name(0), self.required_body()?),
            Endpoint::StreamMsgGet => Request::StreamMsgGet(name(0), self.msg_get()?),
            Endpoint::StreamSnapshot => {
                self.expect_body()?;
                Request::StreamSnapshot(name(0), self.snapshot())
            }
            Endpoint::StreamRestore => Request::StreamRestore(name(0), Box::new(self.restore(&name(0))?)),
            Endpoint::ConsumerNames => Request::ConsumerNames(name(0), self.consumers()?),
            Endpoint::ConsumerList => Request::ConsumerList(name(0), self.consumers()?),
            Endpoint::ConsumerDelete => {
                self.expect_no_body()?;
                Request::ConsumerDelete(name(0), name(1))
            }
            _ => Request::AccountInfo,
        })
    }

    fn check_account(&self) -> Result<(), ApiError> {
        check_api_level(self.headers)?;
        self.check_enabled()
    }

    // spec: JS-136
    fn check_enabled(&self) -> Result<(), ApiError> {
        if self.setting.is_enabled { Ok(()) } else { Err(ApiError::not_enabled_for_account()) }
    }

    fn body<T: Read + Default>(&self) -> Result<T, ApiError> {
        json::decode(self.body, self.setting.strictness)
    }

    /// Everything that is neither an object nor an array is passed over.
    fn optional_body<T: Read + Default>(&self) -> Result<T, ApiError> {
        if json::is_composite(self.body) { self.body() } else { Ok(T::default()) }
    }

    fn required_body<T: Read + Default>(&self) -> Result<T, ApiError> {
        self.expect_body()?;
        self.body()
    }

    fn expect_body(&self) -> Result<(), ApiError> {
        if json::is_empty(self.body) { Err(ApiError::bad_request()) } else { Ok(()) }
    }

    fn expect_no_body(&self) -> Result<(), ApiError> {
        if json::is_empty(self.body) { Ok(()) } else { Err(ApiError::not_empty_request()) }
    }

    fn stream_create(&self, name: &str) -> Result<StreamBody, ApiError> {
        let body: StreamBody = self.body()?;
        if body.config.name != name {
            return Err(ApiError::stream_mismatch());
        }
        check_separators(name, ApiError::stream_name_contains_path_separators)?;
        // spec: JS-057
        if body.config.sealed {
            return Err(ApiError::stream_invalid_config("stream configuration for create can not be sealed"));
        }
        if body.config.mirror_direct && body.config.mirror.is_none() {
            return Err(ApiError::stream_invalid_config("stream has no mirror but does have mirror direct"));
        }
        Ok(body)
    }

    fn purge(&self) -> Result<PurgeBody, ApiError> {
        let body: PurgeBody = self.optional_body()?;
        if body.seq > 0 && body.keep > 0 { Err(ApiError::bad_request()) } else { Ok(body) }
    }

    fn msg_get(&self) -> Result<MsgGetBody, ApiError> {
        let body: MsgGetBody = self.required_body()?;
        let (seq, time) = (body.seq > 0, body.start_time.is_some());
        let (last, next) = (!body.last_by_subj.is_empty(), !body.next_by_subj.is_empty());
        let is_several = body.batch.0 > 0 || body.max_bytes.0 > 0;
        let is_nothing = !seq && !last && !next && !time;
        let is_contradiction = (seq && (last || time)) || (last && (time || next));
        if is_several || is_nothing || is_contradiction { Err(ApiError::bad_request()) } else { Ok(body) }
    }

    fn snapshot(&self) -> Result<SnapshotBody, ApiError> {
        let body: SnapshotBody = self.body()?;
        if martlet_subject::is_valid_literal(body.deliver_subject.as_bytes()) {
            Ok(body)
        } else {
            Err(ApiError::snapshot_deliver_subject_invalid())
        }
    }

    fn restore(&self, name: &str) -> Result<RestoreBody, ApiError> {
        let mut body: RestoreBody = self.required_body()?;
        if body.config.name.is_empty() {
            name.clone_into(&mut body.config.name);
        }
        if body.config.name != name {
            return Err(ApiError::stream_mismatch());
        }
        check_separators(name, ApiError::stream_name_contains_path_separators)?;
        Ok(body)
    }

    fn consumers(&self) -> Result<ConsumersBody, ApiError> {
        let body: ConsumersBody = self.optional_body()?;
        Ok(ConsumersBody { offset: at_least_none(body.offset) })
    }

    fn unpin(&self) -> Result<UnpinBody, ApiError> {
        check_api_level(self.headers)?;
        let body: UnpinBody = json::decode_lenient(self.body)?;
        if body.group.is_empty() {
            return Err(ApiError::invalid_json("consumer group not specified"));
        }
        if !super::is_valid_group(&body.group) {
            return Err(ApiError::consumer_invalid_group_name());
        }
        self.check_enabled()?;
        Ok(body)
    }

    fn reset(&self) -> Result<ResetBody, ApiError> {
        check_api_level(self.headers)?;
        if self.body.is_empty() { Ok(ResetBody::default()) } else { json::decode_lenient(self.body) }
    }

    fn consumer_create(&self, endpoint: Endpoint, names: &[&str]) -> Result<Request, ApiError> {
        let mut body: ConsumerCreateBody = self.body()?;
        self.check_account()?;
        let (stream, rest) = (names[0].to_owned(), names.get(1).copied().unwrap_or_default());
        let (name, filter) = match endpoint {
            Endpoint::ConsumerCreate => (body.config.name.as_str(), ""),
            _ => rest.split_once('.').unwrap_or((rest, "")),
        };
        let name = name.to_owned();
        if stream != body.stream_name {
            return Err(ApiError::stream_mismatch());
        }
        check_separators(&name, ApiError::consumer_name_contains_path_separators)?;
        check_durable(endpoint, &name, &body.config.durable)?;
        if endpoint != Endpoint::ConsumerCreate {
            body.config.name.clone_from(&name);
        }
        if !filter.is_empty() {
            if !body.config.filter_subjects.is_empty() {
                return Err(ApiError::consumer_multiple_filters_not_allowed());
            }
            if body.config.filter_subject != filter {
                return Err(ApiError::consumer_create_filter_subject_mismatch());
            }
        }
        // spec: JS-490
        if body.config.num_replicas.0 > 1 {
            return Err(ApiError::stream_replicas_not_supported());
        }
        let name = (!name.is_empty()).then_some(name);
        Ok(Request::ConsumerCreate(Box::new(ConsumerCreate { stream, name, body })))
    }
}

/// Whether a durable consumer is asked for where there may be one, by the name that it has in the subject.
fn check_durable(endpoint: Endpoint, name: &str, durable: &str) -> Result<(), ApiError> {
    match endpoint {
        Endpoint::ConsumerCreate if durable.is_empty() => Ok(()),
        Endpoint::ConsumerCreate => Err(ApiError::consumer_ephemeral_with_durable_name()),
        Endpoint::ConsumerCreateDurable if durable.is_empty() => Err(ApiError::consumer_durable_name_not_set()),
        _ if durable.is_empty() || durable == name => Ok(()),
        _ => Err(ApiError::consumer_durable_name_not_match_subject()),
    }
}

fn check_separators(name: &str, error: fn() -> ApiError) -> Result<(), ApiError> {
    if name.contains(['/', '\\']) { Err(error()) } else { Ok(()) }
}

fn at_least_none(Int(number): Int) -> Int {
    Int(number.max(0))
}

#[cfg(test)]
mod tests;
