//! What can be asked, by subject.

use super::ApiError;
use super::json::{Object, ToJson};

/// A request without its body: whose name is in the subject is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the subjects say it")]
pub enum Endpoint {
    AccountInfo,
    StreamCreate,
    StreamUpdate,
    StreamNames,
    StreamList,
    StreamInfo,
    StreamDelete,
    StreamPurge,
    StreamMsgDelete,
    StreamMsgGet,
    StreamSnapshot,
    StreamRestore,
    StreamPeerRemove,
    StreamPeerEvacuate,
    StreamCancelMove,
    StreamLeaderStepdown,
    ConsumerCreate,
    ConsumerCreateNamed,
    ConsumerCreateDurable,
    ConsumerNames,
    ConsumerList,
    ConsumerInfo,
    ConsumerDelete,
    ConsumerPause,
    ConsumerUnpin,
    ConsumerReset,
    ConsumerLeaderStepdown,
    ConsumerPeerRemove,
    ConsumerPeerEvacuate,
    MetaLeaderStepdown,
    MetaRescue,
    ServerRemove,
    ServerEvacuate,
    AccountPurge,
    AccountStreamMove,
    AccountStreamCancelMove,
}

/// What came of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// What it asked for, if there is anything like that.
    Done,
    /// An error.
    Refused,
}

use Endpoint as E;

/// Subject behind `$JS.API.` with `*` for a name, what it is, and the suffix of its answer's type.
// spec: JS-016 JS-017 JS-018 JS-019 JS-020 JS-021 JS-022 JS-023 JS-024 JS-025 JS-026 JS-027 JS-028 JS-029 JS-030 JS-031
// spec: JS-032 JS-033 JS-035 JS-036 NEW-035 NEW-047
const ENDPOINTS: &[(&str, Endpoint, &str)] = &[
    ("INFO", E::AccountInfo, "account_info"),
    ("STREAM.CREATE.*", E::StreamCreate, "stream_create"),
    ("STREAM.UPDATE.*", E::StreamUpdate, "stream_update"),
    ("STREAM.NAMES", E::StreamNames, "stream_names"),
    ("STREAM.LIST", E::StreamList, "stream_list"),
    ("STREAM.INFO.*", E::StreamInfo, "stream_info"),
    ("STREAM.DELETE.*", E::StreamDelete, "stream_delete"),
    ("STREAM.PURGE.*", E::StreamPurge, "stream_purge"),
    ("STREAM.MSG.DELETE.*", E::StreamMsgDelete, "stream_msg_delete"),
    ("STREAM.MSG.GET.*", E::StreamMsgGet, "stream_msg_get"),
    ("STREAM.SNAPSHOT.*", E::StreamSnapshot, "stream_snapshot"),
    ("STREAM.RESTORE.*", E::StreamRestore, "stream_restore"),
    ("STREAM.PEER.REMOVE.*", E::StreamPeerRemove, "stream_remove_peer"),
    ("STREAM.PEER.EVACUATE.*", E::StreamPeerEvacuate, "stream_evacuate_peer"),
    ("STREAM.CANCEL_MOVE.*", E::StreamCancelMove, "stream_cancel_move"),
    ("STREAM.LEADER.STEPDOWN.*", E::StreamLeaderStepdown, "stream_leader_stepdown"),
    ("CONSUMER.DURABLE.CREATE.*.*", E::ConsumerCreateDurable, "consumer_create"),
    ("CONSUMER.CREATE.*", E::ConsumerCreate, "consumer_create"),
    ("CONSUMER.CREATE.*.>", E::ConsumerCreateNamed, "consumer_create"),
    ("CONSUMER.NAMES.*", E::ConsumerNames, "consumer_names"),
    ("CONSUMER.LIST.*", E::ConsumerList, "consumer_list"),
    ("CONSUMER.INFO.*.*", E::ConsumerInfo, "consumer_info"),
    ("CONSUMER.DELETE.*.*", E::ConsumerDelete, "consumer_delete"),
    ("CONSUMER.PAUSE.*.*", E::ConsumerPause, "consumer_pause"),
    ("CONSUMER.UNPIN.*.*", E::ConsumerUnpin, "consumer_unpin"),
    ("CONSUMER.RESET.*.*", E::ConsumerReset, "consumer_reset"),
    ("CONSUMER.LEADER.STEPDOWN.*.*", E::ConsumerLeaderStepdown, "consumer_leader_stepdown"),
    ("CONSUMER.PEER.REMOVE.*.*", E::ConsumerPeerRemove, "consumer_remove_peer"),
    ("CONSUMER.PEER.EVACUATE.*.*", E::ConsumerPeerEvacuate, "consumer_evacuate_peer"),
    ("META.LEADER.STEPDOWN", E::MetaLeaderStepdown, "meta_leader_stepdown"),
    ("META.RESCUE", E::MetaRescue, "meta_rescue"),
    ("SERVER.REMOVE", E::ServerRemove, "meta_server_remove"),
    ("SERVER.EVACUATE", E::ServerEvacuate, "meta_server_evacuate"),
    ("ACCOUNT.PURGE.*", E::AccountPurge, "account_purge"),
    ("ACCOUNT.STREAM.MOVE.*.*", E::AccountStreamMove, "stream_update"),
    ("ACCOUNT.STREAM.CANCEL_MOVE.*.*", E::AccountStreamCancelMove, "stream_cancel_move"),
];

impl Endpoint {
    /// What is asked by the subject behind `$JS.API.`, and the names in it; `None` if nobody answers there.
    pub fn of(subject: &str) -> Option<(Self, Vec<&str>)> {
        ENDPOINTS.iter().find_map(|(pattern, endpoint, _)| Some((*endpoint, names(pattern, subject)?)))
    }

    /// The patterns of what can be asked, behind `$JS.API.`.
    pub fn patterns() -> impl Iterator<Item = &'static str> {
        ENDPOINTS.iter().map(|(pattern, ..)| *pattern)
    }

    /// The type that an answer names.
    pub(crate) fn answer_type(self) -> String {
        let row = ENDPOINTS.iter().find(|(_, endpoint, _)| *endpoint == self);
        format!("io.nats.jetstream.api.v1.{}_response", row.map_or("", |(_, _, name)| name))
    }

    /// Whether only servers in a cluster can do it.
    pub(crate) fn needs_cluster(self) -> bool {
        matches!(
            self,
            E::StreamPeerRemove
                | E::StreamPeerEvacuate
                | E::StreamCancelMove
                | E::StreamLeaderStepdown
                | E::ConsumerLeaderStepdown
                | E::ConsumerPeerRemove
                | E::ConsumerPeerEvacuate
        )
    }

    /// Whether only the system account may ask it, of a cluster's leader: others get no answer at all.
    // spec: JS-015
    pub(crate) fn is_administrative(self) -> bool {
        matches!(
            self,
            E::MetaLeaderStepdown
                | E::MetaRescue
                | E::ServerRemove
                | E::ServerEvacuate
                | E::AccountPurge
                | E::AccountStreamMove
                | E::AccountStreamCancelMove
        )
    }

    /// Whether it makes a consumer.
    pub fn creates_consumer(self) -> bool {
        matches!(self, E::ConsumerCreate | E::ConsumerCreateNamed | E::ConsumerCreateDurable)
    }

    /// Whether the numbers of an account and its audit know of such a request. A reset is asked of the consumer itself.
    // spec: JS-013 JS-016
    pub fn is_counted(self, outcome: Outcome) -> bool {
        match self {
            E::ConsumerReset => false,
            E::StreamMsgGet => outcome == Outcome::Refused,
            _ => true,
        }
    }

    /// The answer that something is wrong.
    // spec: JS-004
    pub fn refuse(self, error: &ApiError) -> Vec<u8> {
        let mut out = Vec::new();
        Object::write(&mut out, |o| {
            o.field("type", &self.answer_type()).field("error", error);
            self.write_blanks(o);
        });
        out
    }

    /// Fields that are there even in an answer without anything in it.
    fn write_blanks(self, o: &mut Object<'_>) {
        const NULL: &Option<bool> = &None;
        const NOTHING: &[bool] = &[];
        match self {
            E::StreamInfo => paged(o),
            E::StreamNames => {
                paged(o);
                o.field("streams", NULL);
            }
            E::StreamList => {
                paged(o);
                o.field("streams", NOTHING);
            }
            E::ConsumerNames | E::ConsumerList => {
                paged(o);
                o.field("consumers", NOTHING);
            }
            E::StreamPurge => {
                o.field("purged", &0_u64);
            }
            E::StreamRestore => {
                o.field("deliver_subject", "");
            }
            E::ConsumerPause => {
                o.field("paused", &false).field("pause_until", &super::json::write::Moment(None));
            }
            E::ConsumerReset => {
                o.field("reset_seq", &0_u64);
            }
            _ => {}
        }
    }
}

fn paged(o: &mut Object<'_>) {
    o.field("total", &0_u64).field("offset", &0_u64).field("limit", &0_u64);
}

impl ToJson for ApiError {
    fn to_json(&self, out: &mut Vec<u8>) {
        Object::write(out, |o| {
            o.field("code", &self.code).some("err_code", &self.err_code).some("description", &*self.description);
        });
    }
}

/// The tokens for which `pattern` has `*` and `>`.
fn names<'s>(pattern: &str, subject: &'s str) -> Option<Vec<&'s str>> {
    let mut names = Vec::new();
    let mut rest = Some(subject);
    for wanted in pattern.split('.') {
        let left = rest?;
        if wanted == ">" {
            names.push(left);
            return Some(names);
        }
        let (token, behind) = left.split_once('.').map_or((left, None), |(token, behind)| (token, Some(behind)));
        match wanted {
            "*" => names.push(token),
            literal if literal == token => {}
            _ => return None,
        }
        rest = behind;
    }
    rest.is_none().then_some(names)
}
