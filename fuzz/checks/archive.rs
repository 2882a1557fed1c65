//! Archives of streams: any bytes are read without panic and alike however they are cut, and what was read is written so that
//! it is read again.

use martlet_archive::{Item, Message, Reader, Sink, Writer};
use martlet_proto::s2::{Encoder, Level};

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
