//! Archives of streams: any bytes are read without panic and alike however they are cut, and what was read is written so that
//! it is read again. What could be an archive of files is read a second time with its checksums made right.

use martlet_archive::files::Meta;
use martlet_archive::{Item, Message, Reader, Sink, Writer};
use martlet_proto::s2::{Encoder, Level};

use crate::reference;

/// What is read, written down; messages also as an archive again.
struct Told {
    text: Vec<String>,
    writer: Writer,
}

impl Default for Told {
    fn default() -> Self {
        Self { text: Vec::new(), writer: Writer::new(b"{}", 0) }
    }
}

impl Sink for Told {
    type Error = std::convert::Infallible;

    fn item(&mut self, item: Item<'_>) -> Result<(), Self::Error> {
        self.text.push(format!("{item:?}"));
        match &item {
            Item::Consumer { name, config, state } => self.writer.consumer(name, config, state),
            Item::Message(message) => self.writer.message(&Message { ..*message }),
            Item::End => self.writer.end(),
            Item::Stream(..) | Item::Gone { .. } => {}
        }
        Ok(())
    }
}

/// The first byte chooses the cut, the rest is what an archive says before it is compressed.
pub(crate) fn check(data: &[u8]) {
    let Some((&choice, data)) = data.split_first() else { return };
    alike(choice, data);
    if !data.starts_with(martlet_archive::MAGIC) {
        let mut sealed = data.to_vec();
        seal(&mut sealed);
        alike(choice, &sealed);
    }
}

fn alike(choice: u8, data: &[u8]) {
    let mut stream = Vec::new();
    Encoder::new(Level::Fast).encode(data, &mut stream);
    let (whole, error) = read(&stream, stream.len());
    let (pieces, same_error) = read(&stream, 1 + usize::from(choice));
    assert_eq!((&whole.text, &error), (&pieces.text, &same_error), "the cut changed what was understood");

    if !data.starts_with(martlet_archive::MAGIC) {
        return; // What earlier servers wrote is not written any more.
    }
    let mut again = whole.writer;
    let mut stream = Vec::new();
    again.take(&mut stream);
    let (told, _) = read(&stream, stream.len());
    assert_eq!(told.text.get(1..), whole.text.get(1..).or(Some(&[])), "what was written is read otherwise");
}

fn read(stream: &[u8], piece: usize) -> (Told, Option<String>) {
    let (mut reader, mut told) = (Reader::default(), Told::default());
    for piece in stream.chunks(piece.max(1)) {
        if let Err(error) = reader.feed(piece, &mut told) {
            return (told, Some(error.to_string()));
        }
    }
    let error = reader.end().err().map(|error| error.to_string());
    (told, error)
}

/// Makes the checksums right of what could be a tar archive of a stream's files, and of those files.
fn seal(mut bytes: &mut [u8]) {
    const BLOCK: usize = 512;
    const SUM: std::ops::Range<usize> = 148..156;
    let (mut stream, mut meta) = (String::new(), Vec::new());
    while bytes.len() >= BLOCK && bytes[..BLOCK].iter().any(|byte| *byte != 0) {
        let (head, rest) = bytes.split_at_mut(BLOCK);
        head[SUM].fill(b' ');
        let sum: u32 = head.iter().map(|byte| u32::from(*byte)).sum();
        head[SUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let text =
            |range: std::ops::Range<usize>| String::from_utf8_lossy(&head[range]).trim_matches(['\0', ' ']).to_owned();
        let size = usize::from_str_radix(&text(124..136), 8).unwrap_or(0).min(rest.len());
        let content = &mut rest[..size];
        let file = text(0..100);
        match *file.split('/').collect::<Vec<_>>() {
            ["meta.inf"] => {
                stream = Meta::read(content).map_or_else(|_| String::new(), |meta| meta.name);
                meta = content.to_vec();
            }
            ["obs", _, "meta.inf"] => meta = content.to_vec(),
            ["meta.sum"] => fill(content, &hex(&stream, &meta)),
            ["obs", consumer, "meta.sum"] => fill(content, &hex(&format!("{stream}/{consumer}"), &meta)),
            ["msgs", "index.db"] => reference::seal(&stream, content),
            ["msgs", block] => {
                let number = block.strip_suffix(".blk").and_then(|number| number.parse().ok());
                reference::seal_block(&stream, number.unwrap_or(0), content);
            }
            _ => {}
        }
        let next = size.next_multiple_of(BLOCK).min(rest.len());
        bytes = &mut rest[next..];
    }
}

/// The checksum of a thing's configuration, as a file has it.
fn hex(name: &str, meta: &[u8]) -> Vec<u8> {
    reference::sum(name, &[meta]).iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect()
}

fn fill(content: &mut [u8], with: &[u8]) {
    content.iter_mut().zip(with).for_each(|(byte, new)| *byte = *new);
}
