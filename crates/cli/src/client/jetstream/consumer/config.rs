//! A consumer's configuration as flags give it.

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use super::super::quantity::{Overlay, byte_limit, in_nanos, limit, moment, nanos, pair};
use super::super::stream::policies;
use crate::client::duration;

policies! {
    /// Which acknowledgements are awaited.
    Ack { None = "none", All = "all", Explicit = "explicit" }
}

policies! {
    /// How fast stored messages are delivered.
    Replay { Instant = "instant", Original = "original" }
}

/// Where a consumer begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Deliver {
    /// A policy that needs nothing else.
    Policy(&'static str),
    /// From this sequence on.
    Sequence(u64),
    /// From this point in time on.
    Time(Timestamp),
    /// From so many nanoseconds ago on.
    Ago(u64),
}

/// Reads where a consumer begins.
pub(super) fn deliver(text: &str) -> Result<Deliver, String> {
    let policy = match text {
        "all" => Some("all"),
        "last" => Some("last"),
        "new" | "next" => Some("new"),
        "subject" | "last-per-subject" | "last_per_subject" => Some("last_per_subject"),
        _ => None,
    };
    if let Some(policy) = policy {
        return Ok(Deliver::Policy(policy));
    }
    if let Ok(sequence) = text.parse() {
        return Ok(Deliver::Sequence(sequence));
    }
    if let Some(ago) = duration::parse(text).ok().and_then(in_nanos) {
        return Ok(Deliver::Ago(ago));
    }
    text.parse().map(Deliver::Time).map_err(|_| {
        format!("{text:?} is no beginning: write all, new, last, subject, a sequence, an age such as 1h, or 2026-01-31T12:00:00Z")
    })
}

/// Reads pauses between deliveries: `none`, or durations separated by commas.
fn backoff(text: &str) -> Result<Vec<u64>, String> {
    if text == "none" {
        return Ok(Vec::new());
    }
    text.split(',').map(|pause| nanos(pause.trim())).collect()
}

// spec: CLI-018
/// Everything that can be said of a consumer, at any time.
#[derive(Debug, Default, Clone, Args)]
#[command(next_help_heading = "Configuration")]
pub(super) struct ConsumerFlags {
    /// Only messages of this subject, or of those it matches; may be repeated
    #[arg(long = "filter", value_name = "SUBJECT", value_delimiter = ',')]
    filters: Vec<String>,
    /// A word on what it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Subject that messages are pushed to, instead of being pulled
    #[arg(long, value_name = "SUBJECT")]
    target: Option<String>,
    /// How long an acknowledgement is awaited
    #[arg(long, value_name = "DURATION", value_parser = nanos)]
    wait: Option<u64>,
    /// How often a message is delivered at most; -1 for no limit
    #[arg(long, value_name = "COUNT", value_parser = limit, allow_hyphen_values = true)]
    max_deliver: Option<i64>,
    /// Pauses between deliveries of a message, separated by commas, or none
    #[arg(long, value_name = "DURATIONS", value_parser = backoff)]
    backoff: Option<::std::vec::Vec<u64>>,
    /// How many messages may be unacknowledged; -1 for no limit
    #[arg(long, visible_alias = "max-outstanding", value_name = "COUNT", value_parser = limit, allow_hyphen_values = true)]
    max_pending: Option<i64>,
    /// Deliver headers without bodies
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    headers_only: Option<bool>,
    /// The most messages one pull may ask for
    #[arg(long, value_name = "COUNT", value_parser = limit, allow_hyphen_values = true)]
    max_pull_batch: Option<i64>,
    /// The longest one pull may wait
    #[arg(long, value_name = "DURATION", value_parser = nanos)]
    max_pull_expire: Option<u64>,
    /// The most bytes one pull may ask for
    #[arg(long, value_name = "SIZE", value_parser = byte_limit, allow_hyphen_values = true)]
    max_pull_bytes: Option<i64>,
    /// Of how many acknowledgements in a hundred an event is published
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    sample: Option<u8>,
    /// How long it may be idle before it is removed
    #[arg(long, value_name = "DURATION", value_parser = nanos)]
    inactive_threshold: Option<u64>,
    /// Servers that have a copy of its state each; 0 for as many as the stream
    #[arg(long, value_name = "COUNT")]
    replicas: Option<u64>,
    /// Something to remember with it; NAME= forgets; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    metadata: Vec<(String, String)>,
}

impl ConsumerFlags {
    /// Puts what is given over `config`.
    pub(super) fn apply(&self, config: &mut Map<String, Json>) {
        if !self.filters.is_empty() {
            config.remove("filter_subject");
            config.remove("filter_subjects");
        }
        match self.filters.as_slice() {
            [] => {}
            [one] => config.put("filter_subject", Some(one.clone())),
            several => config.put_list("filter_subjects", several),
        }
        config.put("description", self.description.clone());
        config.put("deliver_subject", self.target.clone());
        config.put("ack_wait", self.wait);
        config.put("max_deliver", self.max_deliver);
        config.put("backoff", self.backoff.clone());
        config.put("max_ack_pending", self.max_pending);
        config.put("headers_only", self.headers_only);
        config.put("max_batch", self.max_pull_batch);
        config.put("max_expires", self.max_pull_expire);
        config.put("max_bytes", self.max_pull_bytes);
        config.put("sample_freq", self.sample.map(|percent| percent.to_string()));
        config.put("inactive_threshold", self.inactive_threshold);
        config.put("num_replicas", self.replicas);
        config.put_pairs("metadata", &self.metadata);
    }
}

/// What is said of a consumer once, when it is made.
#[derive(Debug, Default, Clone, Args)]
#[command(next_help_heading = "Configuration, for good")]
pub(super) struct NewFlags {
    /// Deliver messages when they are pulled, as is done without --target
    #[arg(long, conflicts_with = "target")]
    pull: bool,
    /// Remove it when nobody uses it
    #[arg(long)]
    ephemeral: bool,
    /// Which acknowledgements are awaited [default: explicit; with --target none]
    #[arg(long, value_enum)]
    ack: Option<Ack>,
    /// Where to begin: all, new, last, subject, a sequence, an age such as 1h, or a point in time
    #[arg(long, value_name = "WHERE", value_parser = deliver)]
    deliver: Option<Deliver>,
    /// How fast stored messages are delivered
    #[arg(long, value_enum)]
    replay: Option<Replay>,
    /// Queue group that messages are pushed to
    #[arg(long, value_name = "GROUP", requires = "target")]
    deliver_group: Option<String>,
    /// Push no faster than messages are taken
    #[arg(long, requires_all = ["target", "heartbeat"])]
    flow_control: bool,
    /// How often something is sent when there are no messages
    #[arg(long, value_name = "DURATION", value_parser = nanos, requires = "target")]
    heartbeat: Option<u64>,
    /// The most bits a second that are pushed
    #[arg(long, value_name = "BITS", value_parser = limit, requires = "target")]
    bps: Option<i64>,
    /// How many pulls may wait
    #[arg(long, value_name = "COUNT", value_parser = limit, conflicts_with = "target")]
    max_waiting: Option<i64>,
    /// Keep its state in memory
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    memory: Option<bool>,
    /// Deliver nothing for this long, or until this point in time
    #[arg(long, value_name = "UNTIL")]
    pause: Option<String>,
    /// Groups whose pulls are served by one client at a time, separated by commas
    #[arg(long, value_name = "GROUPS", value_delimiter = ',', conflicts_with_all = ["overflow_groups", "prioritized_groups"])]
    pinned_groups: Vec<String>,
    /// How long such a client may be silent
    #[arg(long, value_name = "DURATION", value_parser = nanos, requires = "pinned_groups")]
    pinned_ttl: Option<u64>,
    /// Groups whose pulls are served when enough is pending, separated by commas
    #[arg(long, value_name = "GROUPS", value_delimiter = ',', conflicts_with = "prioritized_groups")]
    overflow_groups: Vec<String>,
    /// Groups whose pulls are served by their priority, separated by commas
    #[arg(long, value_name = "GROUPS", value_delimiter = ',')]
    prioritized_groups: Vec<String>,
}

impl NewFlags {
    /// Puts what is given over `config`, which `name` is called if it has one.
    pub(super) fn apply(
        &self,
        config: &mut Map<String, Json>,
        name: Option<&str>,
        now: Timestamp,
    ) -> Result<(), String> {
        config.put("name", name);
        let name = name.map(Into::into).or_else(|| config.get("name").cloned()).filter(|_| !self.ephemeral);
        if self.ephemeral {
            config.remove("durable_name");
        }
        config.put("durable_name", name);
        let is_push = config.get("deliver_subject").is_some_and(|subject| !subject.is_null());
        let default = if is_push { Ack::None } else { Ack::Explicit };
        let ack = self.ack.or((!config.contains_key("ack_policy")).then_some(default));
        config.put("ack_policy", ack);
        self.apply_beginning(config, now)?;
        config.put("replay_policy", self.replay.or((!config.contains_key("replay_policy")).then_some(Replay::Instant)));
        config.put("deliver_group", self.deliver_group.clone());
        config.put("flow_control", self.flow_control.then_some(true));
        config.put("idle_heartbeat", self.heartbeat);
        config.put("rate_limit_bps", self.bps);
        config.put("max_waiting", self.max_waiting);
        config.put("mem_storage", self.memory);
        if let Some(until) = &self.pause {
            config.put("pause_until", Some(moment(until, now)?.to_string()));
        }
        self.apply_priority(config);
        Ok(())
    }

    fn apply_beginning(&self, config: &mut Map<String, Json>, now: Timestamp) -> Result<(), String> {
        let (policy, sequence, time) = match &self.deliver {
            None if config.contains_key("deliver_policy") => return Ok(()),
            None => ("all", None, None),
            Some(Deliver::Policy(policy)) => (*policy, None, None),
            Some(Deliver::Sequence(sequence)) => ("by_start_sequence", Some(*sequence), None),
            Some(Deliver::Time(time)) => ("by_start_time", None, Some(*time)),
            Some(Deliver::Ago(nanos)) => {
                let ago = jiff::SignedDuration::try_from(std::time::Duration::from_nanos(*nanos));
                let time = ago.ok().and_then(|ago| now.checked_sub(ago).ok());
                ("by_start_time", None, Some(time.ok_or("--deliver begins too long ago")?))
            }
        };
        config.put("deliver_policy", Some(policy));
        config.put("opt_start_seq", sequence);
        config.put("opt_start_time", time.map(|time| time.to_string()));
        Ok(())
    }

    fn apply_priority(&self, config: &mut Map<String, Json>) {
        for (policy, groups) in [
            ("pinned_client", &self.pinned_groups),
            ("overflow", &self.overflow_groups),
            ("prioritized", &self.prioritized_groups),
        ] {
            if !groups.is_empty() {
                config.put("priority_policy", Some(policy));
                config.put_list("priority_groups", groups);
            }
        }
        config.put("priority_timeout", self.pinned_ttl);
    }
}

#[cfg(test)]
mod tests;
