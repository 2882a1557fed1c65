//! What a stream costs by itself, on a disk that takes no time: `cargo bench -p martlet-jetstream`. First it says how often memory is
//! allocated for a message when everything has been warmed up.

use std::hint::black_box;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use criterion::Criterion;
use martlet_events::{Time, WallTime};
use martlet_jetstream::config::{AckPolicy, ConsumerConfig, StreamConfig};
use martlet_jetstream::stream::{Durability, Incoming, NOBODY, Options, Recovery, Stream};
use martlet_jetstream::{Now, Out, Outgoing};
use martlet_store::sim::SteadyDisk;
use martlet_store::{FileStore, Limits, MemoryStore, Store};

/// Idle consumers of a stream that has many.
const MANY: usize = 10_000;
/// Messages for which allocations are counted, after as many for which they are not.
const COUNTED: u64 = 20_000;
/// Messages that are under way together.
const TOGETHER: u64 = 64;

/// Takes everything, and keeps the reply subjects of what is delivered.
#[derive(Default)]
struct Sink {
    dice: u64,
    replies: Vec<u8>,
    ends: Vec<usize>,
}

impl Out for Sink {
    fn publish(&mut self, message: &Outgoing<'_>) -> usize {
        black_box(message);
        if !message.reply.is_empty() {
            self.replies.extend_from_slice(message.reply);
            self.ends.push(self.replies.len());
        }
        1
    }

    fn is_wanted(&mut self, _: &[u8]) -> bool {
        false
    }

    fn is_listened_on(&mut self, _: &[u8], _: &[u8]) -> bool {
        false
    }

    fn random(&mut self) -> u64 {
        self.dice += 1;
        self.dice
    }
}

struct Scene {
    stream: Stream,
    out: Sink,
    now: Now,
    sent: u64,
}

fn in_memory() -> Box<dyn Store> {
    Box::new(MemoryStore::new(1))
}

fn in_file() -> Box<dyn Store> {
    let options = martlet_store::Options::for_limits(Limits::default(), 7);
    let mut observer = Recovery::recovery(Now::default());
    Box::new(FileStore::open(Arc::new(SteadyDisk::default()), options, &mut observer).expect("memory works").store)
}

impl Scene {
    fn new(store: Box<dyn Store>, change: impl FnOnce(&mut StreamConfig)) -> Self {
        let now = Now { time: Time::ORIGIN, wall: WallTime::from_nanos(1_795_910_400_000_000_000) };
        let mut config = StreamConfig { name: "S".into(), subjects: vec!["s.>".into()], ..StreamConfig::default() };
        change(&mut config);
        let options = Options { durability: Durability::OnCommitOfWrite, ..Options::default() };
        let stream = Stream::create(config, now, store, options, NOBODY);
        let mut scene = Self { stream, out: Sink::default(), now, sent: 0 };
        scene.stream.flush(now, &mut scene.out);
        scene
    }

    fn pass(&mut self) {
        self.now.time += Duration::from_micros(10);
        self.now.wall = WallTime::from_nanos(self.now.wall.as_nanos() + 10_000);
    }

    fn flush(&mut self) {
        self.stream.flush(self.now, &mut self.out);
        if let Some(job) = self.stream.sync_job() {
            self.stream.synced(job.through, job.run(), self.now, &mut self.out);
        }
        black_box(self.stream.deadline());
    }

    /// Messages that come and are kept together.
    fn publish(&mut self, number: u64, headers: &[u8]) {
        self.pass();
        for _ in 0..number {
            let subject = [b's', b'.', b'a' + u8::try_from(self.sent % 16).expect("it is small")];
            self.sent += 1;
            let incoming = Incoming { subject: &subject, reply: b"_INBOX.x.1", headers, payload: &[7; 128] };
            self.stream.publish(self.now, &incoming, &mut self.out);
        }
        self.flush();
    }

    fn add_consumer(&mut self, name: &str, filter: &str) {
        let config = ConsumerConfig {
            durable: name.into(),
            name: name.into(),
            ack_policy: AckPolicy::Explicit,
            ack_wait: Duration::from_secs(30),
            max_waiting: 512,
            max_ack_pending: 1000,
            filter_subjects: vec![filter.into()],
            ..ConsumerConfig::default()
        };
        self.stream.create_consumer(name, config, self.now, NOBODY, &mut self.out).expect("it may be");
        self.flush();
    }

    fn add_many(&mut self, filter: impl Fn(usize) -> String) {
        for number in 0..MANY {
            self.add_consumer(&format!("c{number}"), &filter(number));
        }
    }

    /// Pulls as many messages as came together, and acknowledges them.
    fn consume(&mut self) {
        self.pass();
        self.out.replies.clear();
        self.out.ends.clear();
        let body = format!("{{\"batch\":{TOGETHER},\"no_wait\":true}}");
        self.stream.pull("c", b"_INBOX.x.2", b"", body.as_bytes(), self.now, &mut self.out);
        let (replies, ends) = (std::mem::take(&mut self.out.replies), std::mem::take(&mut self.out.ends));
        let mut from = 0;
        for &end in &ends {
            self.stream.ack(&replies[from..end], b"", b"+ACK", self.now, &mut self.out);
            from = end;
        }
        (self.out.replies, self.out.ends) = (replies, ends);
        self.stream.tick(self.now, &mut self.out);
        self.flush();
    }
}

/// Says how many allocations a message costs.
#[expect(clippy::cast_precision_loss, reason = "the numbers are small")]
fn report(what: &str, mut messages: impl FnMut(u64) -> u64) {
    let mut run = || {
        let mut done = 0;
        while done < COUNTED {
            done += messages(done);
        }
    };
    run();
    let counted = allocation_counter::measure(run);
    let (number, bytes) = (counted.count_total as f64 / COUNTED as f64, counted.bytes_total as f64 / COUNTED as f64);
    println!("{what:<52} {number:>8.3} {bytes:>10.1}");
}

fn allocations() {
    println!("{:<52} {:>8} {:>10}", "allocations of a message", "number", "bytes");
    let bounded = |config: &mut StreamConfig| config.max_msgs = 10_000;
    let dedup = |config: &mut StreamConfig| {
        (config.max_msgs, config.duplicate_window) = (10_000, Duration::from_millis(10));
    };
    for (kind, store) in [("file", in_file as fn() -> Box<dyn Store>), ("memory", in_memory)] {
        for number in [1, TOGETHER] {
            let mut scene = Scene::new(store(), bounded);
            report(&format!("{kind}: kept, {number} together"), |_| {
                scene.publish(number, b"");
                number
            });
        }
        let (mut scene, mut headers) = (Scene::new(store(), dedup), Vec::new());
        report(&format!("{kind}: kept with an id of its own, 1 together"), |_| {
            headers.clear();
            let _ = write!(headers, "NATS/1.0\r\nNats-Msg-Id: {:012}\r\n\r\n", scene.sent);
            scene.publish(1, &headers);
            scene.stream.tick(scene.now, &mut scene.out);
            1
        });
        let mut scene = Scene::new(store(), bounded);
        scene.add_consumer("c", "s.>");
        report(&format!("{kind}: kept, pulled, acknowledged, {TOGETHER} together"), |_| {
            scene.publish(TOGETHER, b"");
            scene.consume();
            TOGETHER
        });
        let mut scene = Scene::new(store(), bounded);
        scene.publish(10_000, b"");
        report(&format!("{kind}: got by its subject"), |done| {
            let subject = [b's', b'.', b'a' + u8::try_from(done % 16).expect("it is small")];
            scene.stream.direct_get_last(&subject, b"_INBOX.x.3", &mut scene.out);
            1
        });
    }
}

fn publishing(c: &mut Criterion) {
    let mut group = c.benchmark_group("publish a message");
    let bounded = |config: &mut StreamConfig| config.max_msgs = 10_000;
    let mut bench = |name: &str, scene: &mut Scene| {
        group.bench_function(name, |bench| bench.iter(|| scene.publish(1, b"")));
    };
    bench("without consumers", &mut Scene::new(in_memory(), bounded));
    let mut scene = Scene::new(in_memory(), bounded);
    scene.add_many(|number| format!("s.other.{number}"));
    bench("beside 10,000 that want others", &mut scene);
    let mut scene = Scene::new(in_memory(), bounded);
    scene.add_many(|number| format!("s.{}", char::from(b'a' + u8::try_from(number % 16).expect("it is small"))));
    bench("for 10,000 that want one of 16 subjects", &mut scene);
    let mut scene = Scene::new(in_memory(), bounded);
    scene.add_many(|_| ">".into());
    bench("for 10,000 that want all", &mut scene);
}

fn creating(c: &mut Criterion) {
    let mut scene = Scene::new(in_memory(), |_| {});
    scene.add_many(|number| format!("s.other.{number}"));
    c.bench_function("make a consumer beside 10,000, and take it away", |bench| {
        bench.iter(|| {
            scene.add_consumer("new", "s.a");
            scene.stream.delete_consumer("new", scene.now, NOBODY).expect("it is there");
            scene.flush();
        });
    });
}

fn main() {
    allocations();
    let mut criterion = Criterion::default().configure_from_args().sample_size(20);
    publishing(&mut criterion);
    creating(&mut criterion);
    criterion.final_summary();
}
