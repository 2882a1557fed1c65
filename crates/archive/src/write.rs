//! An archive as it is sent.

use martlet_proto::s2;

use crate::Message;
use crate::entry::{Entry, MAGIC};
use crate::state::ConsumerState;

/// Writes an archive. First comes the state, then consumers, then messages in their order, then the end; what was written is
/// taken in compressed pieces.
#[derive(Debug)]
pub struct Writer {
    plain: Vec<u8>,
    compressed: s2::Encoder,
    /// When it is written.
    time: i64,
}

impl Writer {
    /// Of a stream that held what `state` says, in JSON, at a time in nanoseconds since 1970.
    pub fn new(state: &[u8], time: i64) -> Self {
        let mut writer = Self { plain: MAGIC.to_vec(), compressed: s2::Encoder::new(s2::Level::Fast), time };
        writer.file(b"state.json", state);
        writer
    }

    /// Adds a consumer, whose configuration is JSON.
    pub fn consumer(&mut self, name: &str, config: &[u8], state: &ConsumerState) {
        let mut json = b"{\"config\":".to_vec();
        json.extend_from_slice(config);
        json.extend_from_slice(b",\"state\":");
        serde_json::to_writer(&mut json, state).expect("numbers and maps of numbers are JSON, and memory takes it");
        json.push(b'}');
        self.file(format!("consumers/{name}").as_bytes(), &json);
    }

    fn file(&mut self, name: &[u8], payload: &[u8]) {
        Entry { name, time: self.time, payload, ..Entry::default() }.write(&mut self.plain);
    }

    /// Adds a message.
    pub fn message(&mut self, message: &Message<'_>) {
        let Message { seq, time, subject, headers, payload } = *message;
        Entry { name: subject, time, seq, headers, payload }.write(&mut self.plain);
    }

    /// That was all.
    pub fn end(&mut self) {
        Entry::default().write(&mut self.plain);
    }

    /// How much waits to be taken.
    pub fn waiting(&self) -> usize {
        self.plain.len()
    }

    /// Appends what was written since this was called last, compressed.
    pub fn take(&mut self, out: &mut Vec<u8>) {
        if !self.plain.is_empty() {
            self.compressed.encode(&self.plain, out);
            self.plain.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{ArchiveError, Item, ReadError, Reader, Sink};

    #[derive(Default)]
    struct Taken(Vec<String>);

    impl Sink for Taken {
        type Error = std::convert::Infallible;

        fn item(&mut self, item: Item<'_>) -> Result<(), Self::Error> {
            self.0.push(match item {
                Item::Stream(state, _) => format!("{} to {}", state.first_seq, state.last_seq),
                Item::Consumer { name, config, state } => {
                    format!("{name} {} {}", String::from_utf8_lossy(config), state.delivered.stream_seq)
                }
                Item::Message(of) => {
                    let [subject, headers, payload] =
                        [of.subject, of.headers, of.payload].map(|part| String::from_utf8_lossy(part).into_owned());
                    format!("{} {} {subject} {headers:?} {payload}", of.seq, of.time)
                }
                Item::Gone { ranges, last_seq } => format!("{ranges:?} {last_seq}"),
                Item::End => "end".to_owned(),
            });
            Ok(())
        }
    }

    fn archive() -> Vec<u8> {
        let mut writer = Writer::new(br#"{"first_seq":3,"last_seq":9}"#, 5);
        let state = ConsumerState { delivered: crate::Pair { consumer_seq: 1, stream_seq: 4 }, ..Default::default() };
        writer.consumer("c", br#"{"name":"c"}"#, &state);
        let mut out = Vec::new();
        writer.take(&mut out);
        for seq in [3, 4, 9] {
            writer.message(&Message { seq, time: 7, subject: b"a.b", headers: b"H", payload: b"text" });
        }
        writer.take(&mut out);
        writer.end();
        writer.take(&mut out);
        out
    }

    #[test]
    fn an_archive_comes_back() {
        // spec: JS-123
        let (mut reader, mut taken) = (Reader::default(), Taken::default());
        for byte in archive() {
            reader.feed(&[byte], &mut taken).expect("an archive");
        }
        assert_eq!(
            taken.0,
            [
                "3 to 9",
                r#"c {"name":"c"} 4"#,
                r#"3 7 a.b "H" text"#,
                r#"4 7 a.b "H" text"#,
                r#"9 7 a.b "H" text"#,
                "end"
            ]
        );
        assert_eq!(reader.end(), Ok(()));
        // What follows means nothing.
        reader.feed(b"more", &mut taken).expect("passed over");
    }

    #[test]
    fn what_is_missing_is_said() {
        // spec: JS-125
        let whole = archive();
        for len in 0..whole.len() {
            let (mut reader, mut taken) = (Reader::default(), Taken::default());
            reader.feed(&whole[..len], &mut taken).expect("as far as it goes");
            assert!(matches!(reader.end(), Err(ArchiveError::Truncated(_))), "{len}");
        }
    }

    #[test]
    fn what_stands_in_a_wrong_place_is_refused() {
        let read = |plain: &[u8]| {
            let mut out = Vec::new();
            s2::Encoder::new(s2::Level::Fast).encode(plain, &mut out);
            Reader::default().feed(&out, &mut Taken::default())
        };
        let mut plain = MAGIC.to_vec();
        Entry { name: b"../state.json", payload: b"{}", ..Entry::default() }.write(&mut plain);
        let refused = read(&plain);
        let Err(ReadError::Archive(ArchiveError::Unexpected { found, .. })) = refused else { panic!("{refused:?}") };
        assert_eq!(found, "../state.json");

        let mut plain = MAGIC.to_vec();
        Entry { name: b"state.json", payload: b"{}", ..Entry::default() }.write(&mut plain);
        Entry { name: b"a", seq: 1, ..Entry::default() }.write(&mut plain);
        Entry { name: b"consumers/c", payload: b"{}", ..Entry::default() }.write(&mut plain);
        assert!(matches!(read(&plain), Err(ReadError::Archive(ArchiveError::Unexpected { .. }))));
        assert!(matches!(read(&[b'x'; 600]), Err(ReadError::Archive(ArchiveError::Damaged { at: 0, .. }))));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut out = Vec::new();
            s2::Encoder::new(s2::Level::Fast).encode(&[&MAGIC[..], &bytes].concat(), &mut out);
            let _ = Reader::default().feed(&out, &mut Taken::default());
        }
    }
}
