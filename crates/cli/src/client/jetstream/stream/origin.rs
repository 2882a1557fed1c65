//! Where a stream gets its messages, as flags give it.

use clap::Args;
use serde_json::{Map, Value as Json, json};

use super::super::quantity::Overlay;

// spec: CLI-017
/// The streams that a stream copies. What is said of where they are and of what is taken counts for all of them.
#[derive(Debug, Default, Clone, Args)]
#[command(next_help_heading = "Copies")]
pub(super) struct OriginFlags {
    /// The stream this is a copy of
    #[arg(long, value_name = "STREAM", conflicts_with = "sources")]
    mirror: Option<String>,
    /// A stream to take messages from; may be repeated
    #[arg(long = "source", value_name = "STREAM")]
    sources: Vec<String>,
    /// Be a copy no longer: the stream takes messages itself from then on
    #[arg(long, conflicts_with = "mirror")]
    no_mirror: bool,
    /// The domain that these streams are in
    #[arg(long, value_name = "DOMAIN", conflicts_with = "origin_api")]
    origin_domain: Option<String>,
    /// The prefix under which another account's API is imported
    #[arg(long, value_name = "PREFIX")]
    origin_api: Option<String>,
    /// The prefix under which what another account delivers is imported
    #[arg(long, value_name = "PREFIX", requires = "origin_api")]
    origin_deliver: Option<String>,
    /// Only messages of these subjects
    #[arg(long, value_name = "PATTERN")]
    origin_filter: Option<String>,
    /// Only messages from this sequence on
    #[arg(long, value_name = "SEQ")]
    origin_start: Option<u64>,
}

impl OriginFlags {
    /// Puts what is given over `config`.
    pub(super) fn apply(&self, config: &mut Map<String, Json>) {
        config.put("mirror", self.mirror.as_ref().map(|name| self.origin(name)));
        if self.no_mirror {
            config.put("mirror", Some(Json::Null));
        }
        let sources: Vec<Json> = self.sources.iter().map(|name| self.origin(name)).collect();
        config.put("sources", (!sources.is_empty()).then_some(sources));
    }

    fn origin(&self, name: &str) -> Json {
        let mut origin = Map::new();
        origin.put("name", Some(name));
        let api = self.origin_domain.as_ref().map(|domain| format!("$JS.{domain}.API")).or(self.origin_api.clone());
        let deliver = self.origin_deliver.clone().unwrap_or_default();
        origin.put("external", api.map(|api| json!({ "api": api, "deliver": deliver })));
        origin.put("filter_subject", self.origin_filter.clone());
        origin.put("opt_start_seq", self.origin_start);
        origin.into()
    }
}
