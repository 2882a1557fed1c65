//! What a publish costs: `cargo run --release -p martlet-jetstream --example publish [messages]`.
#![expect(clippy::disallowed_types, reason = "it measures")]

use std::time::Instant;

use martlet_events::{Time, WallTime};
use martlet_jetstream::stream::{Incoming, Options, Stream};
use martlet_jetstream::{Now, Out, Outgoing, StreamConfig};
use martlet_store::MemoryStore;

struct Nowhere(u64);

impl Out for Nowhere {
    fn publish(&mut self, message: &Outgoing<'_>) -> usize {
        self.0 += message.payload.len() as u64;
        1
    }

    fn is_wanted(&mut self, _subject: &[u8]) -> bool {
        false
    }
    fn is_listened_on(&mut self, subject: &[u8], _group: &[u8]) -> bool {
        self.is_wanted(subject)
    }

    fn random(&mut self) -> u64 {
        4
    }
}

fn main() {
    let count: u64 = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(1_000_000);
    for (subjects, headers) in [(1, &b""[..]), (1000, b""), (1000, b"NATS/1.0\r\nA: 1\r\n\r\n")] {
        let config = StreamConfig { name: "S".into(), subjects: vec!["s.>".into()], ..StreamConfig::default() };
        let mut now = Now { time: Time::ORIGIN, wall: WallTime::from_nanos(1) };
        let mut out = Nowhere(0);
        let store = Box::new(MemoryStore::new(0));
        let mut stream = Stream::create(config, now, store, Options::default(), 0);
        stream.flush(now, &mut out);
        let names: Vec<String> = (0..subjects).map(|at| format!("s.{at}")).collect();
        let started = Instant::now();
        for batch in 0..count / 100 {
            now.wall = WallTime::from_nanos(batch * 1000);
            for at in 0..100 {
                let subject = &names[usize::try_from((batch * 100 + at) % subjects).unwrap_or(0)];
                let incoming =
                    Incoming { subject: subject.as_bytes(), reply: b"_INBOX.abc.1", headers, payload: &[b'x'; 128] };
                stream.publish(now, &incoming, &mut out);
            }
            stream.flush(now, &mut out);
        }
        let spent = started.elapsed().as_nanos() / u128::from(count);
        println!(
            "{subjects} subjects, {} bytes of headers: {spent} ns a message, {} bytes of answers",
            headers.len(),
            out.0
        );
    }
}
