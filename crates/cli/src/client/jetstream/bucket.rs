//! What buckets of keys and of objects have in common: the flags of their streams, and how they are shown and removed.

use clap::Args;
use serde_json::{Map, Value as Json};

use super::api::{Api, Doing, Kind};
use super::confirm::Force;
use super::quantity::{Overlay, age, byte_limit, pair};
use super::stream::{PlacementFlags, Storage};
use super::value::{age_limit, counted, text};
use crate::client::error::CliError;
use crate::client::out;

/// What can be said of a bucket.
#[derive(Debug, Default, Clone, Args)]
#[command(next_help_heading = "Configuration")]
pub(crate) struct BucketFlags {
    /// The age at which what it holds goes; -1 for never
    #[arg(long, value_name = "DURATION", value_parser = age, allow_hyphen_values = true)]
    pub(super) ttl: Option<u64>,
    #[command(flatten)]
    placement: PlacementFlags,
    /// The most bytes it may hold; -1 for no limit
    #[arg(long, value_name = "SIZE", value_parser = byte_limit, allow_hyphen_values = true)]
    max_bucket_size: Option<i64>,
    /// A word on what it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Where it is kept
    #[arg(long, value_enum)]
    storage: Option<Storage>,
    /// Compress what is kept
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    compress: Option<bool>,
    /// Something to remember with it; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    metadata: Vec<(String, String)>,
}

impl BucketFlags {
    /// Puts what is given over `config`.
    pub(super) fn apply(&self, config: &mut Map<String, Json>) {
        config.put("max_age", self.ttl);
        config.put("max_bytes", self.max_bucket_size);
        config.put("description", self.description.clone());
        config.put("storage", self.storage);
        config.put("compression", self.compress.map(|compress| if compress { "s2" } else { "none" }));
        self.placement.apply(config);
        config.put_pairs("metadata", &self.metadata);
    }
}

/// `edit` of a bucket, whose configuration has these flags.
#[derive(Debug, Args)]
pub(crate) struct EditArgs<F: Args> {
    /// Name of the bucket
    pub(super) bucket: String,
    #[command(flatten)]
    pub(super) force: Force,
    /// Write JSON, as the server told it
    #[arg(short, long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) flags: F,
}

/// A kind of bucket: what its streams' names begin with, and what it is called in errors.
#[derive(Debug, Clone, Copy)]
pub(super) struct Family {
    pub(super) prefix: &'static str,
    pub(super) kind: Kind,
}

impl Family {
    pub(super) const KEYS: Self = Self { prefix: "KV_", kind: Kind::Bucket };
    pub(super) const OBJECTS: Self = Self { prefix: "OBJ_", kind: Kind::Store };

    /// The stream that the bucket called `name` is made of; bucket names are made of letters, digits, `_` and `-`.
    pub(super) fn stream(self, name: &str) -> Result<String, CliError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if name.is_empty() || !name.chars().all(allowed) {
            let reason = "it is made of letters, digits, _ and -";
            return Err(CliError::Name { kind: "bucket", name: name.to_owned(), reason });
        }
        Ok(format!("{}{name}", self.prefix))
    }

    /// What the server says of the stream of the bucket called `name`.
    pub(super) async fn info(self, api: &Api, name: &str) -> Result<Json, CliError> {
        let request = format!("STREAM.INFO.{}", self.stream(name)?);
        api.ask(Doing::new("find", self.kind, name), &request, &Json::Null).await
    }

    /// Makes the stream of the bucket called `name`.
    pub(super) async fn create(self, api: &Api, name: &str, config: Map<String, Json>) -> Result<Json, CliError> {
        let request = format!("STREAM.CREATE.{}", self.stream(name)?);
        api.ask(Doing::new("create", self.kind, name), &request, &config.into()).await
    }

    /// Changes the configuration of the bucket called `name` as `apply` says; what the server says of it then, and what became
    /// of it in a few words.
    pub(super) async fn edit(
        self,
        api: &Api,
        name: &str,
        force: &Force,
        apply: impl FnOnce(&mut Map<String, Json>) -> Result<(), CliError>,
    ) -> Result<(Json, String), CliError> {
        let found = self.info(api, name).await?;
        let (doing, title) = (Doing::new("change", self.kind, name), format!("Bucket {name:?}"));
        let apply = |config: &mut Map<String, Json>| {
            apply(config)?;
            // Duplicates are remembered no longer than what they are duplicates of.
            let span = |name: &str| config.get(name).and_then(Json::as_u64).filter(|nanos| *nanos > 0);
            let window = span("max_age").zip(span("duplicate_window")).map(|(age, window)| age.min(window));
            config.put("duplicate_window", window);
            Ok(())
        };
        Ok(match super::stream::change(api, (&found, doing), (&title, force), apply).await? {
            Some(made) => (made, format!("{title} was changed")),
            None => (found, title),
        })
    }

    /// Removes the bucket called `name` and all it holds.
    pub(super) async fn remove(self, api: &Api, name: &str, force: &Force) -> Result<(), CliError> {
        let found = self.info(api, name).await?;
        let messages = counted(&found, "/state/messages");
        force.confirmed(&format!("Remove bucket {name:?} and all it holds, {messages} messages?")).await?;
        let request = format!("STREAM.DELETE.{}", self.stream(name)?);
        api.ask(Doing::new("remove", self.kind, name), &request, &Json::Null).await?;
        out::write(format!("Bucket {name:?} was removed\n").as_bytes())
    }

    /// The streams of all its buckets, ordered by name.
    pub(super) async fn all(self, api: &Api) -> Result<Vec<Json>, CliError> {
        let mut found = super::stream::all(api, None).await?;
        found.retain(|row| text(row, "/config/name").starts_with(self.prefix));
        Ok(found)
    }

    /// The name of the bucket that the stream in `row` is.
    pub(super) fn name(self, row: &Json) -> String {
        let name = text(row, "/config/name");
        name.strip_prefix(self.prefix).unwrap_or(&name).to_owned()
    }
}

/// The age at which what is in the bucket goes.
pub(super) fn ttl(row: &Json) -> String {
    age_limit(row, "/config/max_age")
}

/// Whether what is in the bucket is compressed.
pub(super) fn compressed(row: &Json) -> String {
    Some(text(row, "/config/compression")).filter(|name| name != "none").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_streams_with_a_prefix() {
        assert_eq!(Family::KEYS.stream("a-B_1").unwrap(), "KV_a-B_1");
        assert_eq!(Family::OBJECTS.stream("x").unwrap(), "OBJ_x");
        for wrong in ["", "a.b", "a b", "ä"] {
            let error = Family::KEYS.stream(wrong).unwrap_err().to_string();
            assert!(error.contains(&format!("{wrong:?} is no bucket name")), "{error}");
        }
        assert_eq!(Family::KEYS.name(&serde_json::json!({"config": {"name": "KV_a"}})), "a");
    }
}
