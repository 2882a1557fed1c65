//! `martlet kv ls`, `info`, `create` and `edit`.

use clap::Args;
use serde_json::{Map, Value as Json, json};

use super::super::api::Api;
use super::super::bucket::{BucketFlags, EditArgs, Family, compressed, ttl};
use super::super::quantity::{Overlay, byte_limit, nanos};
use super::super::stream::sum;
use super::super::value::{ago, byte_limit as shown_bytes, bytes, counted, metadata, nanos as shown_nanos, text, time};
use super::{entries, key};
use crate::client::error::CliError;
use crate::client::number::{self, float, grouped};
use crate::client::out;
use crate::client::page;
use crate::client::table::{self, Column};

/// How long duplicates are remembered at most.
const DUPLICATES: u64 = 120_000_000_000;

/// `kv ls`.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Name of a bucket, to list its keys
    bucket: Option<String>,
    /// Names only
    #[arg(short, long)]
    names: bool,
    /// Write JSON: a list of what the server says of each bucket; of names with --names and for keys
    #[arg(short, long)]
    json: bool,
}

/// `kv info`.
#[derive(Debug, Args)]
pub(crate) struct InfoArgs {
    /// Name of the bucket
    bucket: String,
    /// Write JSON: what the server says of the bucket's stream
    #[arg(short, long)]
    json: bool,
}

/// `kv create`.
#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// Name of the bucket
    bucket: String,
    /// A key to create in a bucket that is there
    key: Option<String>,
    /// The key's value; read from standard input when none is given
    value: Option<String>,
    /// Write JSON, as the server told it
    #[arg(short, long)]
    json: bool,
    #[command(flatten)]
    flags: KvFlags,
}

/// What can be said of a bucket of keys.
#[derive(Debug, Default, Clone, Args)]
#[command(next_help_heading = "Configuration")]
pub(crate) struct KvFlags {
    /// How many values of each key are kept
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..=64))]
    history: Option<u64>,
    /// The largest value that is taken; -1 for no limit
    #[arg(long, value_name = "SIZE", value_parser = byte_limit, allow_hyphen_values = true)]
    max_value_size: Option<i64>,
    /// Let keys have an age limit of their own, and leave a mark of this age where one expired
    #[arg(long, value_name = "DURATION", value_parser = nanos)]
    marker_ttl: Option<u64>,
    /// The bucket this is a copy of
    #[arg(long, value_name = "BUCKET", conflicts_with = "sources")]
    mirror: Option<String>,
    /// A bucket to take values from; may be repeated
    #[arg(long = "source", value_name = "BUCKET")]
    sources: Vec<String>,
    /// Keys that are published as messages, too
    #[arg(long, value_name = "PATTERN", requires = "republish_destination")]
    republish_source: Option<String>,
    /// What they are published as
    #[arg(long, value_name = "PATTERN", requires = "republish_source")]
    republish_destination: Option<String>,
    /// Publish without values
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          requires = "republish_source")]
    republish_headers: Option<bool>,
    #[command(flatten)]
    common: BucketFlags,
}

impl KvFlags {
    /// Puts what is given over `config`.
    fn apply(&self, config: &mut Map<String, Json>) -> Result<(), CliError> {
        self.common.apply(config);
        config.put("max_msgs_per_subject", self.history);
        config.put("max_msg_size", self.max_value_size);
        config.put("subject_delete_marker_ttl", self.marker_ttl);
        config.put("allow_msg_ttl", self.marker_ttl.map(|_| true));
        let copy = |bucket: &String| Ok::<_, CliError>(json!({"name": Family::KEYS.stream(bucket)?}));
        config.put("mirror", self.mirror.as_ref().map(copy).transpose()?);
        let sources = self.sources.iter().map(copy).collect::<Result<Vec<_>, _>>()?;
        config.put("sources", (!sources.is_empty()).then_some(sources));
        let republish = self.republish_source.as_ref().zip(self.republish_destination.as_ref());
        config.put("republish", republish.map(|(src, dest)| {
            json!({"src": src, "dest": dest, "headers_only": self.republish_headers.unwrap_or(false)})
        }));
        Ok(())
    }
}

/// The configuration of the stream that the bucket called `name` is made of.
fn configuration(name: &str, flags: &KvFlags) -> Result<Map<String, Json>, CliError> {
    let mut config = Map::new();
    config.put("name", Some(Family::KEYS.stream(name)?));
    config.put("max_msgs_per_subject", Some(1));
    config.put("num_replicas", Some(1));
    config.put("storage", Some("file"));
    config.put("retention", Some("limits"));
    config.put("discard", Some("new"));
    for name in ["max_msgs", "max_bytes", "max_msg_size", "max_consumers"] {
        config.put(name, Some(-1));
    }
    for name in ["allow_rollup_hdrs", "deny_delete", "allow_direct"] {
        config.put(name, Some(true));
    }
    flags.apply(&mut config)?;
    match flags.mirror {
        Some(_) => config.put("mirror_direct", Some(true)),
        None => config.put_list("subjects", &[format!("$KV.{name}.>")]),
    }
    let age = flags.common.ttl.filter(|age| *age > 0);
    config.put("duplicate_window", Some(age.map_or(DUPLICATES, |age| age.min(DUPLICATES))));
    Ok(config)
}

/// A column of the table.
type Of = Column<Json>;

const COLUMNS: [Of; 7] = [
    Of::text("Bucket", |row| Family::KEYS.name(row)).total(|all| format!("{} buckets", all.len())),
    Of::text("Description", |row| text(row, "/config/description")),
    Of::number("History", |row| counted(row, "/config/max_msgs_per_subject")),
    Of::number("TTL", ttl),
    Of::number("Values", |row| counted(row, "/state/messages")).total(|all| grouped(sum(all, "/state/messages"))),
    Of::number("Size", |row| bytes(row, "/state/bytes")).total(|all| number::bytes(float(sum(all, "/state/bytes")))),
    Of::number("Last change", |row| ago(row, "/state/last_ts")),
];

// spec: CLI-019
/// Lists buckets, or the keys of one.
pub(super) async fn list(args: &ListArgs, api: &Api) -> Result<(), CliError> {
    if let Some(bucket) = &args.bucket {
        return entries::list_keys(api, bucket, None, args.json).await;
    }
    let found = Family::KEYS.all(api).await?;
    let names = found.iter().map(|row| Family::KEYS.name(row)).collect::<Vec<_>>();
    out::write(table::list(args.json, args.names, &names, &found, &COLUMNS).as_bytes())
}

/// Shows the bucket of `args`.
pub(super) async fn info(args: &InfoArgs, api: &Api) -> Result<(), CliError> {
    let found = Family::KEYS.info(api, &args.bucket).await?;
    tell(&found, args.json, &format!("Bucket {:?}", args.bucket))
}

// spec: CLI-019
/// Creates the bucket of `args`, or the key in it.
pub(super) async fn create(args: &CreateArgs, api: &Api) -> Result<(), CliError> {
    let name = &args.bucket;
    let Some(key) = &args.key else {
        let made = Family::KEYS.create(api, name, configuration(name, &args.flags)?).await?;
        return tell(&made, args.json, &format!("Bucket {name:?} was created"));
    };
    let mut others = Map::new();
    args.flags.apply(&mut others)?;
    others.remove("max_age");
    if let Some(option) = others.keys().next() {
        let text = format!(
            "a key has no {option}: of the options of a bucket, it takes --ttl only; leave the key out to create a bucket"
        );
        return Err(CliError::Usage(text));
    }
    key::create_key(api, name, key, args.value.as_ref(), args.flags.common.ttl, args.json).await
}

// spec: CLI-019
/// Changes the bucket of `args`.
pub(super) async fn edit(args: &EditArgs<KvFlags>, api: &Api) -> Result<(), CliError> {
    let (made, title) = Family::KEYS.edit(api, &args.bucket, &args.force, |config| args.flags.apply(config)).await?;
    tell(&made, args.json, &title)
}

fn tell(found: &Json, json: bool, title: &str) -> Result<(), CliError> {
    if json {
        return out::write(out::json(found).as_bytes());
    }
    out::write(format!("{title}\n\n{}", page(found)).as_bytes())
}

fn page(found: &Json) -> String {
    let mirror = text(found, "/config/mirror/name");
    let sections = [
        (
            "Configuration",
            vec![
                ("Description", text(found, "/config/description")),
                ("History", counted(found, "/config/max_msgs_per_subject")),
                ("TTL", ttl(found)),
                ("Marks expire", shown_nanos(found, "/config/subject_delete_marker_ttl")),
                ("Value size", shown_bytes(found, "/config/max_msg_size")),
                ("Bucket size", shown_bytes(found, "/config/max_bytes")),
                ("Storage", text(found, "/config/storage")),
                ("Compression", compressed(found)),
                ("Replicas", counted(found, "/config/num_replicas")),
                ("Mirror of", mirror.strip_prefix(Family::KEYS.prefix).unwrap_or(&mirror).to_owned()),
                ("Metadata", metadata(found, "/config/metadata")),
                ("Created", time(found, "/created")),
            ],
        ),
        (
            "State",
            vec![
                ("Keys, marks", counted(found, "/state/num_subjects")),
                ("Values", counted(found, "/state/messages")),
                ("Size", bytes(found, "/state/bytes")),
                ("Last change", ago(found, "/state/last_ts")),
            ],
        ),
    ];
    page::render(13, &sections)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        flags: KvFlags,
    }

    fn made(line: &str) -> Json {
        let flags = Line::try_parse_from(["x"].into_iter().chain(line.split_whitespace())).unwrap().flags;
        configuration("b", &flags).unwrap().into()
    }

    #[test]
    fn a_bucket_is_the_stream_that_every_client_makes_of_it() {
        let expected = json!({
            "name": "KV_b", "subjects": ["$KV.b.>"], "max_msgs_per_subject": 1, "num_replicas": 1, "storage": "file",
            "retention": "limits", "discard": "new", "max_msgs": -1, "max_bytes": -1, "max_msg_size": -1,
            "max_consumers": -1, "allow_rollup_hdrs": true, "deny_delete": true, "allow_direct": true,
            "duplicate_window": DUPLICATES,
        });
        assert_eq!(made(""), expected);
        let mut more = expected;
        for (name, value) in [
            ("max_msgs_per_subject", json!(5)),
            ("max_age", json!(60_000_000_000_u64)),
            ("duplicate_window", json!(60_000_000_000_u64)),
            ("storage", json!("memory")),
            ("compression", json!("s2")),
            ("allow_msg_ttl", json!(true)),
            ("subject_delete_marker_ttl", json!(3_600_000_000_000_u64)),
        ] {
            more[name] = value;
        }
        assert_eq!(made("--history 5 --ttl 1m --storage memory --compress --marker-ttl 1h"), more);
        let mirror = made("--mirror a");
        assert_eq!((&mirror["mirror"], &mirror["mirror_direct"]), (&json!({"name": "KV_a"}), &json!(true)));
        assert!(mirror.get("subjects").is_none());
    }

    #[test]
    fn the_page_shows_what_there_is() {
        let found = json!({
            "config": {"name": "KV_b", "max_msgs_per_subject": 5, "max_age": 60_000_000_000_u64, "max_msg_size": -1,
                       "max_bytes": 1_048_576, "storage": "file", "num_replicas": 1, "compression": "none"},
            "state": {"messages": 1234, "bytes": 2048, "num_subjects": 7},
        });
        let expected = "\
Configuration
  History       5
  TTL           1m
  Value size    unlimited
  Bucket size   1.0 MiB
  Storage       file
  Replicas      1

State
  Keys, marks   7
  Values        1,234
  Size          2.0 KiB
";
        assert_eq!(page(&found), expected);
    }
}
