//! A snapshot of a server before 2.15: the stream's files, in a tar archive, decrypted and decompressed.

use crate::files::{self, Contents, Index, Meta, Shelf};
use crate::tar::Tar;
use crate::{ArchiveError, ConsumerState, Item, ReadError, Sink};

/// What has come so far.
#[derive(Debug, Default)]
pub(crate) struct Tarred {
    tar: Tar,
    /// The stream's configuration, until its checksum has come.
    meta: Option<Vec<u8>>,
    /// From then on.
    shelf: Option<Shelf>,
    name: String,
    index: Option<Index>,
    /// A consumer whose state has not come.
    consumer: Option<Consumer>,
    is_over: bool,
}

#[derive(Debug, Default)]
struct Consumer {
    name: String,
    meta: Vec<u8>,
}

impl Tarred {
    pub(crate) fn feed<S: Sink>(&mut self, bytes: &[u8], sink: &mut S) -> Result<(), ReadError<S::Error>> {
        let mut tar = std::mem::take(&mut self.tar);
        tar.feed(bytes);
        while let Some((name, content)) = tar.take_next()? {
            self.file(&name, content, sink)?;
        }
        if tar.is_over() && !self.is_over {
            self.is_over = true;
            self.over(sink)?;
        }
        self.tar = tar;
        Ok(())
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    fn file<S: Sink>(&mut self, name: &str, content: &[u8], sink: &mut S) -> Result<(), ReadError<S::Error>> {
        let parts: Vec<&str> = name.split('/').collect();
        match *parts {
            ["meta.inf"] if self.meta.is_none() && self.shelf.is_none() => self.meta = Some(content.to_vec()),
            ["meta.sum"] => self.stream(content, sink)?,
            ["msgs", file] => self.messages(file, content, sink)?,
            ["obs", consumer, file] if !matches!(consumer, "" | "." | "..") => {
                self.consumer_file(consumer, file, content, sink)?;
            }
            ["errors.txt"] => {
                let why = String::from_utf8_lossy(&content[..content.len().min(200)]).into_owned();
                return Err(ArchiveError::Unexpected { found: why, expected: "a snapshot that came to its end" }.into());
            }
            _ => {
                let found = name.chars().take(100).collect();
                return Err(ArchiveError::Unexpected { found, expected: "a file of a stream" }.into());
            }
        }
        Ok(())
    }

    /// The configuration is what was written.
    fn stream<S: Sink>(&mut self, sum: &[u8], sink: &mut S) -> Result<(), ReadError<S::Error>> {
        let unexpected = || ArchiveError::Unexpected { found: "meta.sum".into(), expected: "meta.inf" };
        let json = self.meta.take().ok_or_else(unexpected)?;
        let meta = Meta::read(&json).map_err(|error| json_error("meta.inf", &error))?;
        files::check_sum(&meta.name, &json, sum).map_err(|error| json_error("meta.inf", &error))?;
        self.shelf = Some(Shelf::new(&meta.name));
        self.name.clone_from(&meta.name);
        sink.item(Item::Stream(crate::StreamState::default(), Some(meta))).map_err(ReadError::Sink)
    }

    fn messages<S: Sink>(&mut self, file: &str, content: &[u8], sink: &mut S) -> Result<(), ReadError<S::Error>> {
        let unexpected = || ArchiveError::Unexpected { found: format!("msgs/{file}"), expected: "meta.inf" };
        let blocks = self.shelf.as_mut().ok_or_else(unexpected)?;
        if file == "index.db" {
            // Without it the blocks say what is there.
            self.index = Index::read(&self.name, content, None).ok();
        } else if let Some(number) = file.strip_suffix(".blk").and_then(|number| number.parse().ok()) {
            blocks.block(number, content, sink).map_err(ReadError::Sink)?;
            if let Some(fault) = blocks.faults().first() {
                let (at, why) = (fault.at, fault.why.to_string());
                return Err(ArchiveError::Block { file: file.to_owned(), at, why }.into());
            }
        }
        Ok(())
    }

    fn consumer_file<S: Sink>(
        &mut self,
        name: &str,
        file: &str,
        content: &[u8],
        sink: &mut S,
    ) -> Result<(), ReadError<S::Error>> {
        if self.consumer.as_ref().is_none_or(|consumer| consumer.name != name) {
            self.end_consumer(None, sink)?;
            self.consumer = Some(Consumer { name: name.to_owned(), meta: Vec::new() });
        }
        let Some(consumer) = &mut self.consumer else { return Ok(()) };
        match file {
            "meta.inf" => consumer.meta = content.to_vec(),
            "meta.sum" => files::check_consumer_sum(&self.name, name, &consumer.meta, content)
                .map_err(|error| json_error(&format!("obs/{name}/meta.inf"), &error))?,
            "o.dat" => self.end_consumer(Some(files::consumer_state(content)?), sink)?,
            _ => {}
        }
        Ok(())
    }

    /// All of a consumer has come.
    fn end_consumer<S: Sink>(&mut self, state: Option<ConsumerState>, sink: &mut S) -> Result<(), ReadError<S::Error>> {
        let Some(consumer) = self.consumer.take() else { return Ok(()) };
        let (name, config) = (&*consumer.name, &*consumer.meta);
        sink.item(Item::Consumer { name, config, state: state.unwrap_or_default() }).map_err(ReadError::Sink)
    }

    /// All files have come.
    fn over<S: Sink>(&mut self, sink: &mut S) -> Result<(), ReadError<S::Error>> {
        self.end_consumer(None, sink)?;
        let nothing = ArchiveError::Truncated("it has no configuration of a stream");
        let Contents { gone, last_seq, missing, .. } = self.shelf.as_mut().ok_or(nothing)?.end(self.index.as_ref());
        if missing > 0 {
            return Err(ArchiveError::Truncated("messages that its index tells of are in none of its blocks").into());
        }
        sink.item(Item::Gone { ranges: &gone, last_seq }).map_err(ReadError::Sink)?;
        sink.item(Item::End).map_err(ReadError::Sink)
    }
}

fn json_error(what: &str, why: &impl ToString) -> ArchiveError {
    ArchiveError::Json { what: what.to_owned(), why: why.to_string() }
}
