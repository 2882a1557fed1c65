//! `martlet object put` and `get`: files into buckets, and out of them.

use std::io;
use std::path::{Path, PathBuf};

use async_nats::jetstream::object_store::{Object, ObjectInfo, ObjectMetadata};
use clap::Args;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::super::api::{Api, Doing, Kind, failed};
use super::super::confirm::Force;
use super::super::quantity::pair;
use super::bucket::{known, tell_object};
use super::{both, open};
use crate::client::error::CliError;
use crate::client::number::{self, float};
use crate::client::template::Values;
use crate::client::{header, out};

/// Bytes that are written at once.
const PIECE: usize = 128 << 10;

/// `object put`.
#[derive(Debug, Args)]
pub(crate) struct PutArgs {
    /// Name of the bucket
    bucket: String,
    /// The file; - or none reads standard input
    #[arg(required_unless_present = "name")]
    file: Option<PathBuf>,
    /// Name of the object [default: that of the file]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// A word on what it is
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Header as NAME:VALUE; may be repeated
    #[arg(short = 'H', long = "header", value_name = "NAME:VALUE")]
    headers: Vec<String>,
    /// Something to remember with it; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    metadata: Vec<(String, String)>,
    /// Show no progress, as is done anyway
    #[arg(long, hide = true)]
    no_progress: bool,
    #[command(flatten)]
    force: Force,
    /// Write JSON: what the bucket says of the object
    #[arg(short, long)]
    json: bool,
}

/// `object get`.
#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    /// Name of the bucket
    bucket: String,
    /// Name of the object
    object: String,
    /// The file to write; - is standard output [default: the object's name, in this folder]
    #[arg(short = 'O', long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Show no progress, as is done anyway
    #[arg(long, hide = true)]
    no_progress: bool,
    #[command(flatten)]
    force: Force,
}

// spec: CLI-020
/// Puts the file of `args`.
pub(super) async fn put(args: &PutArgs, api: &Api) -> Result<(), CliError> {
    let file = args.file.as_deref().filter(|file| *file != Path::new("-"));
    let named = args.name.clone().or_else(|| Some(file?.file_name()?.to_str()?.to_owned()));
    let name = named.ok_or_else(|| CliError::Usage("give the object a name with --name".to_owned()))?;
    let headers = header::parse(&args.headers, &Values::now(1))?;
    let store = open(api, &args.bucket).await?;
    let both = both(&args.bucket, &name);
    if store.info(&name).await.is_ok_and(|found| !found.deleted) {
        args.force.confirmed(&format!("Object {both:?} is there already. Replace it?")).await?;
    }
    let metadata = ObjectMetadata {
        name,
        description: args.description.clone(),
        headers,
        metadata: args.metadata.iter().cloned().collect(),
        chunk_size: Some(PIECE.min(api.client.max_payload())),
    };
    let put = match file {
        None => store.put(metadata, &mut tokio::io::stdin()).await,
        Some(path) => {
            let mut file = tokio::fs::File::open(path).await.map_err(|source| unreadable(path, source))?;
            store.put(metadata, &mut file).await
        }
    };
    let made = put.map_err(|error| failed(Doing::new("put", Kind::Object, &both), &error))?;
    tell_object(&made, args.json, &format!("Object {both:?} was put"))
}

// spec: CLI-020
/// Writes the object of `args`.
pub(super) async fn get(args: &GetArgs, api: &Api) -> Result<(), CliError> {
    let store = open(api, &args.bucket).await?;
    let both = both(&args.bucket, &args.object);
    let doing = Doing::new("get", Kind::Object, &both);
    let found = known(&store, "get", &args.bucket, &args.object).await?;
    let mut object = store.get(&args.object).await.map_err(|error| failed(doing, &error))?;
    if args.output.as_deref() == Some(Path::new("-")) {
        return copy(doing, &mut object, &mut tokio::io::stdout(), "to standard output").await;
    }
    let path = target(args)?;
    if path.exists() {
        args.force.confirmed(&format!("{} is there already. Replace it?", path.display())).await?;
    }
    write(doing, &mut object, &path).await?;
    let size = number::bytes(float(found.size as u64));
    out::write(format!("Object {both:?}, {size}, is in {}\n", path.display()).as_bytes())
}

/// The file to write. An object's name does not choose the folder: only its last part is taken.
fn target(args: &GetArgs) -> Result<PathBuf, CliError> {
    let own = || Path::new(&args.object).file_name().map(PathBuf::from);
    let nameless = || CliError::Usage(format!("{:?} names no file: give one with --output", args.object));
    args.output.clone().or_else(own).ok_or_else(nameless)
}

/// Writes `object` into a file beside `path` that takes its place when all has come, and is as it was put.
async fn write(doing: Doing<'_>, object: &mut Object, path: &Path) -> Result<(), CliError> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".part");
    let partial = PathBuf::from(partial);
    let what = path.display().to_string();
    let unwritten = |source| CliError::Write { what: what.clone(), source };
    let mut file = tokio::fs::File::create(&partial).await.map_err(unwritten)?;
    if let Err(error) = copy(doing, object, &mut file, &what).await {
        // What is left of it is of no use; that it cannot be removed is no news beside the error.
        let _ = std::fs::remove_file(&partial);
        return Err(error);
    }
    file.sync_all().await.map_err(unwritten)?;
    std::fs::rename(&partial, path).map_err(unwritten)
}

/// Reads `object` to its end, and writes it `to`, which errors call `what`.
async fn copy(
    doing: Doing<'_>,
    object: &mut Object,
    to: &mut (impl AsyncWrite + Unpin),
    what: &str,
) -> Result<(), CliError> {
    let unwritten = |source: io::Error| match source.kind() {
        io::ErrorKind::BrokenPipe => CliError::OutputClosed,
        _ => CliError::Write { what: what.to_owned(), source },
    };
    let size = size(object.info());
    let mut piece = vec![0; PIECE];
    let mut copied = 0;
    loop {
        let read = object.read(&mut piece).await.map_err(|error| failed(doing, &error))?;
        // Nothing read is no end by itself: an empty chunk reads as nothing, too.
        if read == 0 && copied >= size {
            return to.flush().await.map_err(unwritten);
        }
        if read == 0 {
            let reason = format!("only {copied} of {size} bytes are there");
            return Err(CliError::Failed { doing: doing.to_string(), reason });
        }
        copied += read as u64;
        to.write_all(&piece[..read]).await.map_err(unwritten)?;
    }
}

fn size(info: &ObjectInfo) -> u64 {
    info.size as u64
}

fn unreadable(path: &Path, source: io::Error) -> CliError {
    CliError::Unreadable { option: "FILE", path: path.display().to_string(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_does_not_choose_the_folder() {
        let args = |object: &str, output: Option<&str>| GetArgs {
            bucket: "b".into(),
            object: object.into(),
            output: output.map(Into::into),
            no_progress: false,
            force: Force::default(),
        };
        assert_eq!(target(&args("a.txt", None)).unwrap(), Path::new("a.txt"));
        assert_eq!(target(&args("../../etc/passwd", None)).unwrap(), Path::new("passwd"));
        assert_eq!(target(&args("a.txt", Some("/tmp/x"))).unwrap(), Path::new("/tmp/x"));
        assert!(target(&args("..", None)).unwrap_err().to_string().contains("--output"));
    }
}
