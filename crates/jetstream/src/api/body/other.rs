//! Bodies that are no configuration.

use std::collections::BTreeMap;

use martlet_events::WallTime;

use super::StreamConfigBody;
use crate::api::json::Int;
use crate::api::json::read::fields;

/// Which page of a list of streams.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StreamNamesBody {
    /// How many to leave out.
    pub offset: Int,
    /// Only streams that listen on it; empty for all.
    pub subject: String,
}

/// The same, of whole streams.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct StreamListBody {
    /// How many to leave out.
    pub offset: Int,
    /// Only streams that listen on it; empty for all.
    pub subject: String,
}

/// How much to say of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StreamInfoBody {
    /// How many subjects to leave out.
    pub offset: Int,
    /// Which sequences are gone.
    pub deleted_details: bool,
    /// How many messages these subjects have; empty for none.
    pub subjects_filter: String,
}

/// What to purge.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PurgeBody {
    /// The first sequence that stays; 0 for none.
    pub seq: u64,
    /// Which subjects; empty for all.
    pub filter: String,
    /// How many stay.
    pub keep: u64,
}

/// Which message to delete.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MsgDeleteBody {
    /// Its sequence.
    pub seq: u64,
    /// Its bytes need not be overwritten.
    pub no_erase: bool,
}

/// Which messages to get, of a stream or directly.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MsgGetBody {
    /// The sequence, or the first that may be given.
    pub seq: u64,
    /// The last of this subject.
    pub last_by_subj: String,
    /// The next of this subject.
    pub next_by_subj: String,
    /// How many.
    pub batch: Int,
    /// How many bytes.
    pub max_bytes: Int,
    /// The first since then.
    pub start_time: Option<WallTime>,
    /// The last of each of these subjects.
    pub multi_last: Vec<String>,
    /// As it was at this sequence.
    pub up_to_seq: u64,
    /// As it was then.
    pub up_to_time: Option<WallTime>,
    /// Without headers.
    pub no_hdr: bool,
}

/// How to send a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SnapshotBody {
    /// Where to.
    pub deliver_subject: String,
    /// Without consumers.
    pub no_consumers: bool,
    /// The most bytes of a message.
    pub chunk_size: Int,
    /// The most bytes that are not acknowledged.
    pub window_size: Int,
    /// Whether messages are checked before.
    pub jsck: bool,
}

/// What a snapshot holds that is to be restored.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RestoreBody {
    /// The stream's configuration.
    pub config: StreamConfigBody,
    /// What it held.
    pub state: StateBody,
}

/// What a stream holds, as somebody says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "the fields are those of an answer's state")]
pub struct StateBody {
    pub messages: u64,
    pub bytes: u64,
    pub first_seq: u64,
    pub first_ts: WallTime,
    pub last_seq: u64,
    pub last_ts: WallTime,
    pub num_subjects: Int,
    pub subjects: BTreeMap<String, u64>,
    pub num_deleted: Int,
    pub deleted: Vec<u64>,
    pub lost: Option<LostBody>,
    pub consumer_count: Int,
}

/// What could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "the fields are those of an answer's state")]
pub struct LostBody {
    pub msgs: Vec<u64>,
    pub bytes: u64,
}

/// Which page of a list of consumers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConsumersBody {
    /// How many to leave out.
    pub offset: Int,
}

/// Until when a consumer rests.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PauseBody {
    /// Until then; the beginning of 1970 and what is before stand for no rest.
    pub pause_until: Option<WallTime>,
}

/// Whose client is unpinned.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UnpinBody {
    /// The group.
    pub group: String,
}

/// Where a consumer begins anew.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResetBody {
    /// At this sequence; 0 for behind what is acknowledged.
    pub seq: u64,
}

fields! { StreamNamesBody: "server.JSApiStreamNamesRequest" { "offset" => offset, "subject" => subject } }

fields! { StreamListBody: "server.JSApiStreamListRequest" { "offset" => offset, "subject" => subject } }

fields! { StreamInfoBody: "server.JSApiStreamInfoRequest" {
    "offset" => offset, "deleted_details" => deleted_details, "subjects_filter" => subjects_filter,
} }

fields! { PurgeBody: "server.JSApiStreamPurgeRequest" { "seq" => seq, "filter" => filter, "keep" => keep } }

fields! { MsgDeleteBody: "server.JSApiMsgDeleteRequest" { "seq" => seq, "no_erase" => no_erase } }

fields! { MsgGetBody: "server.JSApiMsgGetRequest" {
    "seq" => seq, "last_by_subj" => last_by_subj, "next_by_subj" => next_by_subj, "batch" => batch,
    "max_bytes" => max_bytes, "start_time" => start_time, "multi_last" => multi_last, "up_to_seq" => up_to_seq,
    "up_to_time" => up_to_time, "no_hdr" => no_hdr,
} }

fields! { SnapshotBody: "server.JSApiStreamSnapshotRequest" {
    "deliver_subject" => deliver_subject, "no_consumers" => no_consumers, "chunk_size" => chunk_size,
    "window_size" => window_size, "jsck" => jsck,
} }

fields! { RestoreBody: "server.JSApiStreamRestoreRequest" { "config" => config, "state" => state } }

fields! { StateBody: "server.StreamState" {
    "messages" => messages, "bytes" => bytes, "first_seq" => first_seq, "first_ts" => first_ts, "last_seq" => last_seq,
    "last_ts" => last_ts, "num_subjects" => num_subjects, "subjects" => subjects, "num_deleted" => num_deleted,
    "deleted" => deleted, "lost" => lost, "consumer_count" => consumer_count,
} }

fields! { LostBody: "server.LostStreamData" { "msgs" => msgs, "bytes" => bytes } }

fields! { ConsumersBody: "server.JSApiConsumersRequest" { "offset" => offset } }

fields! { PauseBody: "server.JSApiConsumerPauseRequest" { "pause_until" => pause_until } }

fields! { UnpinBody: "server.JSApiConsumerUnpinRequest" { "group" => group } }

fields! { ResetBody: "server.JSApiConsumerResetRequest" { "seq" => seq } }
