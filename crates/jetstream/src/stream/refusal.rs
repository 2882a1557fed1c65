//! Why a message is refused: codes and texts as publishers know them.

use std::borrow::Cow;

use crate::api::ApiError;

const fn error(code: u16, err_code: u16, text: &'static str) -> ApiError {
    ApiError { code, err_code, description: Cow::Borrowed(text) }
}

macro_rules! errors {
    ($($name:ident = $code:literal $err:literal $text:literal;)*) => {
        $(pub(super) const $name: ApiError = error($code, $err, $text);)*
    };
}

errors! {
    BAD_REQUEST = 400 10003 "bad request";
    INSUFFICIENT_RESOURCES = 503 10023 "insufficient resources";
    NO_MESSAGE = 404 10037 "no message found";
    TOO_LARGE = 400 10054 "message size exceeds maximum allowed";
    OTHER_STREAM = 400 10060 "expected stream does not match";
    HEADERS_TOO_LARGE = 400 10097 "header size exceeds maximum allowed of 64k";
    SEALED = 400 10109 "invalid operation on sealed stream";
    WRONG_LAST_SEQUENCE = 400 10164 "wrong last sequence";
    TTL_INVALID = 400 10165 "invalid per-message TTL";
    TTL_DISABLED = 400 10166 "per-message TTL is disabled";
    COUNTERS_DISABLED = 400 10168 "message counters is disabled";
    INCREMENT_MISSING = 400 10169 "message counter increment is missing";
    INCREMENT_WITH_PAYLOAD = 400 10170 "message counter has payload";
    INCREMENT_INVALID = 400 10171 "message counter increment is invalid";
    COUNTER_BROKEN = 400 10172 "message counter is broken";
    ATOMIC_DISABLED = 400 10174 "atomic publish is disabled";
    ATOMIC_NO_SEQUENCE = 400 10175 "atomic publish sequence is missing";
    ATOMIC_INCOMPLETE = 400 10176 "atomic publish batch is incomplete";
    ATOMIC_ID_INVALID = 400 10179 "atomic publish batch ID is invalid";
    DELETE_DENIED = 500 10057 "message delete not permitted";
    PURGE_DENIED = 500 10110 "stream purge not permitted";
    TOO_MANY_REQUESTS = 429 10167 "too many requests";
    API_LEVEL = 412 10185 "JetStream minimum api level required";
    SCHEDULES_DISABLED = 400 10188 "message schedules is disabled";
    SCHEDULE_INVALID = 400 10189 "message schedules pattern is invalid";
    SCHEDULE_TARGET = 400 10190 "message schedules target is invalid";
    SCHEDULE_TTL = 400 10191 "message schedules invalid per-message TTL";
    SCHEDULE_ROLLUP = 400 10192 "message schedules invalid rollup";
    NO_SUBJECT_SEQUENCE = 400 10193 "missing sequence for expected last sequence per subject";
    ATOMIC_COMMIT_INVALID = 400 10200 "atomic publish batch commit is invalid";
    ATOMIC_DUPLICATE = 400 10201 "atomic publish batch contains duplicate message id";
    SCHEDULE_SOURCE = 400 10203 "message schedules source is invalid";
    FAST_DISABLED = 400 10205 "batch publish is disabled";
    FAST_INVALID = 400 10206 "batch publish pattern is invalid";
    FAST_ID_INVALID = 400 10207 "batch publish ID is invalid";
    FAST_UNKNOWN = 400 10208 "batch publish ID unknown";
    ATOMIC_TOO_MANY = 429 10210 "atomic publish too many inflight";
    FAST_TOO_MANY = 429 10211 "batch publish too many inflight";
    SCHEDULER_INVALID = 400 10212 "message schedules invalid scheduler";
    TIME_ZONE_INVALID = 400 10223 "message schedules time zone is invalid";
    SOURCE_HEADER = 400 10227 "message stream source header is not allowed";
}

/// The last sequence is another one.
pub(super) fn wrong_last_sequence(last: u64) -> ApiError {
    ApiError { code: 400, err_code: 10071, description: format!("wrong last sequence: {last}").into() }
}

/// The last message id is another one.
pub(super) fn wrong_last_id(last: &[u8]) -> ApiError {
    let description = format!("wrong last msg ID: {}", String::from_utf8_lossy(last)).into();
    ApiError { code: 400, err_code: 10070, description }
}

/// A rollup cannot be done.
pub(super) fn rollup(text: Cow<'static, str>) -> ApiError {
    ApiError { code: 500, err_code: 10111, description: text }
}

/// The store does not take it.
pub(super) fn store(text: impl Into<Cow<'static, str>>) -> ApiError {
    ApiError { code: 503, err_code: 10077, description: text.into() }
}

/// The message cannot be deleted.
pub(super) fn delete(text: impl Into<Cow<'static, str>>) -> ApiError {
    ApiError { code: 500, err_code: 10057, description: text.into() }
}

/// A message is there, damaged.
pub(super) fn unreadable(text: impl Into<Cow<'static, str>>) -> ApiError {
    ApiError { code: 500, err_code: 10051, description: text.into() }
}

/// A header has no place in an atomic batch.
pub(super) fn atomic_header(name: &str) -> ApiError {
    let description = format!("atomic publish unsupported header used: {name}").into();
    ApiError { code: 400, err_code: 10177, description }
}

/// An atomic batch has too many messages.
pub(super) fn atomic_too_large(most: u64) -> ApiError {
    ApiError { code: 400, err_code: 10199, description: format!("atomic publish batch is too large: {most}").into() }
}
