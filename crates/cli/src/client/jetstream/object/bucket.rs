//! `martlet object create`, `edit`, `info`, `del` and `seal`.

use async_nats::jetstream::object_store::{InfoErrorKind, ObjectInfo, ObjectStore};
use clap::Args;
use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use super::super::api::{Api, Doing, Kind, failed};
use super::super::bucket::{BucketFlags, EditArgs, Family, compressed, ttl};
use super::super::confirm::Force;
use super::super::quantity::Overlay;
use super::super::value::{ago, byte_limit, bytes, counted, is, metadata, named, text, time};
use super::{both, open};
use crate::client::error::CliError;
use crate::client::number::{self, float, grouped};
use crate::client::page::{self, Section};
use crate::client::{header, out};

/// `object create`.
#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// Name of the bucket
    bucket: String,
    /// Write JSON, as the server told it
    #[arg(short, long)]
    json: bool,
    #[command(flatten)]
    flags: BucketFlags,
}

/// `object info`.
#[derive(Debug, Args)]
pub(crate) struct InfoArgs {
    /// Name of the bucket
    bucket: String,
    /// Name of the object; without one, the bucket is shown
    object: Option<String>,
    /// Write JSON: what the bucket says of the object, or the server of the bucket's stream
    #[arg(short, long)]
    json: bool,
}

/// `object del`.
#[derive(Debug, Args)]
pub(crate) struct RemoveArgs {
    /// Name of the bucket
    bucket: String,
    /// Name of the object; without one, the bucket is removed
    object: Option<String>,
    #[command(flatten)]
    force: Force,
}

/// `object seal`.
#[derive(Debug, Args)]
pub(crate) struct SealArgs {
    /// Name of the bucket
    bucket: String,
    #[command(flatten)]
    force: Force,
}

/// The configuration of the stream that the bucket called `name` is made of.
fn configuration(name: &str, flags: &BucketFlags) -> Result<Map<String, Json>, CliError> {
    let mut config = Map::new();
    config.put("name", Some(Family::OBJECTS.stream(name)?));
    config.put_list("subjects", &[format!("$O.{name}.C.>"), format!("$O.{name}.M.>")]);
    config.put("num_replicas", Some(1));
    config.put("storage", Some("file"));
    config.put("retention", Some("limits"));
    config.put("discard", Some("new"));
    for name in ["max_msgs", "max_bytes", "max_msgs_per_subject", "max_msg_size", "max_consumers"] {
        config.put(name, Some(-1));
    }
    for name in ["allow_rollup_hdrs", "allow_direct"] {
        config.put(name, Some(true));
    }
    flags.apply(&mut config);
    Ok(config)
}

// spec: CLI-020
/// Creates the bucket of `args`.
pub(super) async fn create(args: &CreateArgs, api: &Api) -> Result<(), CliError> {
    let name = &args.bucket;
    let made = Family::OBJECTS.create(api, name, configuration(name, &args.flags)?).await?;
    tell(&made, args.json, &format!("Bucket {name:?} was created"))
}

// spec: CLI-020
/// Changes the bucket of `args`.
pub(super) async fn edit(args: &EditArgs<BucketFlags>, api: &Api) -> Result<(), CliError> {
    let made = Family::OBJECTS.edit(api, &args.bucket, &args.force, |config| {
        args.flags.apply(config);
        Ok(())
    });
    let (made, title) = made.await?;
    tell(&made, args.json, &title)
}

// spec: CLI-020
/// Shows the bucket or the object of `args`.
pub(super) async fn info(args: &InfoArgs, api: &Api) -> Result<(), CliError> {
    let Some(name) = &args.object else {
        let found = Family::OBJECTS.info(api, &args.bucket).await?;
        return tell(&found, args.json, &format!("Bucket {:?}", args.bucket));
    };
    let store = open(api, &args.bucket).await?;
    let found = known(&store, "show", &args.bucket, name).await?;
    tell_object(&found, args.json, &format!("Object {:?}", both(&args.bucket, name)))
}

/// What `store` says of the object called `name`, unless that was removed.
pub(super) async fn known(
    store: &ObjectStore,
    verb: &'static str,
    bucket: &str,
    name: &str,
) -> Result<ObjectInfo, CliError> {
    let both = both(bucket, name);
    let doing = Doing::new(verb, Kind::Object, &both);
    let reason = match store.info(name).await {
        Ok(found) if !found.deleted => return Ok(found),
        Ok(_) => format!("it was removed; `martlet object ls {bucket}` lists those there are"),
        Err(error) if error.kind() == InfoErrorKind::NotFound => {
            format!("it is not there; `martlet object ls {bucket}` lists those there are")
        }
        Err(error) => return Err(failed(doing, &error)),
    };
    Err(CliError::Failed { doing: doing.to_string(), reason })
}

// spec: CLI-020
/// Removes the object of `args`, or the bucket.
pub(super) async fn remove(args: &RemoveArgs, api: &Api) -> Result<(), CliError> {
    let Some(name) = &args.object else { return Family::OBJECTS.remove(api, &args.bucket, &args.force).await };
    let store = open(api, &args.bucket).await?;
    let both = both(&args.bucket, name);
    let found = known(&store, "remove", &args.bucket, name).await?;
    let size = number::bytes(float(found.size as u64));
    args.force.confirmed(&format!("Remove object {both:?}, {size}?")).await?;
    let removed = store.delete(name).await;
    removed.map_err(|error| failed(Doing::new("remove", Kind::Object, &both), &error))?;
    out::write(format!("{both:?} was removed\n").as_bytes())
}

/// Seals the bucket of `args`.
pub(super) async fn seal(args: &SealArgs, api: &Api) -> Result<(), CliError> {
    let name = &args.bucket;
    let found = Family::OBJECTS.info(api, name).await?;
    let mut config = found.get("config").cloned().unwrap_or_default();
    args.force.confirmed(&format!("Seal bucket {name:?}? Nothing can be put, removed or changed after that.")).await?;
    config["sealed"] = true.into();
    let request = format!("STREAM.UPDATE.{}", Family::OBJECTS.stream(name)?);
    api.ask(Doing::new("seal", Kind::Store, name), &request, &config).await?;
    out::write(format!("Bucket {name:?} was sealed\n").as_bytes())
}

fn tell(found: &Json, json: bool, title: &str) -> Result<(), CliError> {
    if json {
        return out::write(out::json(found).as_bytes());
    }
    out::write(format!("{title}\n\n{}", bucket_page(found)).as_bytes())
}

fn bucket_page(found: &Json) -> String {
    let sections = [
        (
            "Configuration",
            vec![
                ("Description", text(found, "/config/description")),
                ("TTL", ttl(found)),
                ("Bucket size", byte_limit(found, "/config/max_bytes")),
                ("Storage", text(found, "/config/storage")),
                ("Compression", compressed(found)),
                ("Replicas", counted(found, "/config/num_replicas")),
                ("Sealed", named(is(found, "/config/sealed"), "yes").unwrap_or_default()),
                ("Metadata", metadata(found, "/config/metadata")),
                ("Created", time(found, "/created")),
            ],
        ),
        ("State", vec![("Size", bytes(found, "/state/bytes")), ("Last change", ago(found, "/state/last_ts"))]),
    ];
    page::render(13, &sections)
}

/// Shows `found` below `title`.
pub(super) fn tell_object(found: &ObjectInfo, json: bool, title: &str) -> Result<(), CliError> {
    if json {
        return out::write(out::json(found).as_bytes());
    }
    out::write(format!("{title}\n\n{}", page::render(13, &[object_section(found)])).as_bytes())
}

fn object_section(found: &ObjectInfo) -> Section<'static> {
    let pairs = |pairs: Vec<(String, String)>| {
        pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(", ")
    };
    let mut metadata: Vec<(String, String)> = found.metadata.clone().into_iter().collect();
    metadata.sort();
    let link = found.options.as_ref().and_then(|options| options.link.as_ref());
    let link = link.map(|link| both(&link.bucket, link.name.as_deref().unwrap_or("(all)")));
    (
        "Object",
        vec![
            ("Description", found.description.clone().unwrap_or_default()),
            ("Size", number::bytes(float(found.size as u64))),
            ("Chunks", grouped(found.chunks as u64)),
            ("Digest", found.digest.clone().unwrap_or_default()),
            ("Link to", link.unwrap_or_default()),
            ("Headers", found.headers.as_ref().map(|headers| pairs(header::pairs(headers))).unwrap_or_default()),
            ("Metadata", pairs(metadata)),
            ("Changed", changed(found)),
        ],
    )
}

/// When the object was put.
pub(super) fn changed(found: &ObjectInfo) -> String {
    let time = found.modified.and_then(|time| Timestamp::from_nanosecond(time.unix_timestamp_nanos()).ok());
    time.map(|time| format!("{time:.0}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_bucket_is_the_stream_that_every_client_makes_of_it() {
        let config = configuration("b", &BucketFlags::default()).unwrap();
        let expected = json!({
            "name": "OBJ_b", "subjects": ["$O.b.C.>", "$O.b.M.>"], "num_replicas": 1, "storage": "file",
            "retention": "limits", "discard": "new", "max_msgs": -1, "max_bytes": -1, "max_msgs_per_subject": -1,
            "max_msg_size": -1, "max_consumers": -1, "allow_rollup_hdrs": true, "allow_direct": true,
        });
        assert_eq!(Json::from(config), expected);
    }

    #[test]
    fn an_object_is_shown_whole() {
        let found: ObjectInfo = serde_json::from_value(json!({
            "name": "a.txt", "bucket": "b", "nuid": "N", "size": 2048, "chunks": 1, "digest": "SHA-256=x",
            "mtime": "2026-01-02T03:04:05.6Z", "metadata": {"z": "1", "a": "2"},
        }))
        .unwrap();
        let expected = "\
Object
  Size          2.0 KiB
  Chunks        1
  Digest        SHA-256=x
  Metadata      a=2, z=1
  Changed       2026-01-02T03:04:05Z
";
        assert_eq!(page::render(13, &[object_section(&found)]), expected);
    }
}
