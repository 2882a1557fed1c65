//! Configurations of streams and consumers: JSON, with a checksum in a file beside it.

use thiserror::Error;

use super::Hash;

/// Why a configuration is none.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MetaError {
    /// It is not what was written.
    #[error("the checksum in meta.sum does not match meta.inf")]
    Checksum,
    /// It is no JSON of a stream or consumer.
    #[error("meta.inf cannot be read: {0}")]
    Json(String),
}

/// What a configuration says beside its own values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// When it was created, in nanoseconds since 1970.
    pub created: i64,
    /// Its name.
    pub name: String,
}

impl Meta {
    /// Reads it, decrypted.
    pub fn read(json: &[u8]) -> Result<Self, MetaError> {
        // A consumer may be named twice.
        let value: serde_json::Map<String, serde_json::Value> =
            serde_json::from_slice(json).map_err(|error| MetaError::Json(error.to_string()))?;
        let text = |names: &[&str]| {
            names.iter().filter_map(|name| value.get(*name)?.as_str()).find(|text| !text.is_empty()).map(str::to_owned)
        };
        let name = text(&["name", "Name", "durable_name"]).unwrap_or_default();
        let created = text(&["Created", "created"]).unwrap_or_default();
        let time: jiff::Timestamp =
            created.parse().map_err(|error| MetaError::Json(format!("its time of creation: {error}")))?;
        Ok(Self { created: i64::try_from(time.as_nanosecond()).unwrap_or(0), name })
    }
}

/// Whether `meta.sum` is that of a stream's `meta.inf`, as both stand on disk.
pub fn check_sum(stream: &str, meta: &[u8], sum: &[u8]) -> Result<(), MetaError> {
    check(stream, meta, sum)
}

/// The same for a consumer of a stream.
pub fn check_consumer_sum(stream: &str, consumer: &str, meta: &[u8], sum: &[u8]) -> Result<(), MetaError> {
    check(&format!("{stream}/{consumer}"), meta, sum)
}

fn check(name: &str, meta: &[u8], sum: &[u8]) -> Result<(), MetaError> {
    let expected = data_encoding::HEXLOWER.encode(&Hash::of(name).sum(&[meta]));
    if sum.trim_ascii() == expected.as_bytes() { Ok(()) } else { Err(MetaError::Checksum) }
}
