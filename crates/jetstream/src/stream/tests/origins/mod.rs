//! Stories of streams that copy, told over an origin and a wire that are as simple as can be.

mod model;
mod stories;

use std::collections::{BTreeMap, VecDeque};

use super::*;
use crate::config::Source;

/// A stream that is copied, as its server shows it.
struct Origin {
    messages: BTreeMap<u64, (String, String)>,
    last: u64,
    identity: String,
    /// The API level of its server.
    level: u32,
    /// Why it refuses.
    refuses: Option<&'static str>,
    consumer: Option<Consumer>,
    consumers: u32,
}

struct Consumer {
    name: String,
    subject: String,
    next: u64,
    delivered: u64,
    asked: u64,
}

/// Something on its way to the stream.
#[derive(Debug, Clone)]
struct Letter {
    to: String,
    subject: String,
    reply: String,
    headers: String,
    payload: String,
}

/// The stream, the wire, and the origin.
struct World {
    scene: Option<Scene>,
    origin: Origin,
    listening: BTreeMap<String, u32>,
    wire: VecDeque<Letter>,
    /// What was asked of the API: subject, headers, body.
    asked: Vec<String>,
    warned: Vec<String>,
    answered_for: Vec<String>,
    /// Requests get nowhere.
    is_cut_off: bool,
}

impl Origin {
    fn new() -> Self {
        Self {
            messages: BTreeMap::new(),
            last: 0,
            identity: "identity".into(),
            level: 5,
            refuses: None,
            consumer: None,
            consumers: 0,
        }
    }

    fn put(&mut self, subject: &str) {
        self.last += 1;
        self.messages.insert(self.last, (subject.into(), self.last.to_string()));
    }

    fn answer(&mut self, subject: &str, headers: &str, body: &str) -> (String, String) {
        let error = |code: u16, text: &str| {
            (String::new(), format!(r#"{{"error":{{"code":400,"err_code":{code},"description":"{text}"}}}}"#))
        };
        if let Some(why) = self.refuses {
            return error(10059, why);
        }
        let header = |name: &str| {
            let found = headers.split("\r\n").find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            found.unwrap_or_default().to_owned()
        };
        if header("Nats-Required-Api-Level").parse::<u32>().is_ok_and(|wanted| wanted > self.level) {
            return error(10185, "level");
        }
        if body.contains("\"sourcing\"") && self.level < 4 {
            return error(10025, "unknown field");
        }
        let identity = header("Nats-Stream-Identity");
        if !identity.is_empty() && identity != self.identity {
            return error(10225, "another");
        }
        let field = |name: &str| {
            let start = body.find(&format!("\"{name}\":"))? + name.len() + 3;
            Some(body[start..].trim_start_matches('"').split(['"', ',', '}']).next()?.to_owned())
        };
        let next = field("opt_start_seq").map_or(1, |seq| seq.parse().unwrap());
        self.consumers += 1;
        let name = format!("c{}", self.consumers);
        let deliver = field("deliver_subject").unwrap_or_else(|| "durable".into());
        let policy = if subject.contains("RESET") { "flow_control" } else { "none" };
        let delivered = next - 1;
        self.consumer = Some(Consumer { name: name.clone(), subject: deliver.clone(), next, delivered: 0, asked: 0 });
        let block = if self.level > 4 {
            format!("NATS/1.0\r\nNats-Stream-Identity: {}\r\n\r\n", self.identity)
        } else {
            String::new()
        };
        let config = format!(r#"{{"deliver_subject":"{deliver}","ack_policy":"{policy}"}}"#);
        (block, format!(r#"{{"name":"{name}","config":{config},"delivered":{{"stream_seq":{delivered}}}}}"#))
    }

    /// The next message on its way, if there is one.
    fn deliver(&mut self) -> Option<Letter> {
        let consumer = self.consumer.as_mut()?;
        let (&seq, (subject, payload)) = self.messages.range(consumer.next..).next()?;
        (consumer.next, consumer.delivered) = (seq + 1, consumer.delivered + 1);
        let pending = self.messages.range(seq + 1..).count();
        let (name, delivered, time) = (&consumer.name, consumer.delivered, START + seq);
        Some(Letter {
            to: consumer.subject.clone(),
            subject: subject.clone(),
            reply: format!("$JS.ACK.O.{name}.1.{seq}.{delivered}.{time}.{pending}"),
            headers: String::new(),
            payload: payload.clone(),
        })
    }

    fn status(&mut self, headers: &str, reply: &str) -> Option<Letter> {
        let to = self.consumer.as_ref()?.subject.clone();
        let headers = format!("NATS/1.0 100 {headers}\r\n\r\n");
        Some(Letter { to, subject: String::new(), reply: reply.into(), headers, payload: String::new() })
    }

    fn heartbeat(&mut self, more: &str) -> Option<Letter> {
        let delivered = self.consumer.as_ref()?.delivered;
        self.status(&format!("Idle Heartbeat\r\nNats-Last-Consumer: {delivered}{more}"), "")
    }

    fn question(&mut self) -> Option<Letter> {
        let consumer = self.consumer.as_mut()?;
        consumer.asked += 1;
        let reply = format!("fc{}", consumer.asked);
        self.status("FlowControl Request", &reply)
    }
}

impl World {
    fn new(change: impl FnOnce(&mut StreamConfig)) -> Self {
        let options = Options { account: "A".into(), ..Options::default() };
        let scene = Scene::with(options, change);
        let mut world = Self {
            scene: Some(scene),
            origin: Origin::new(),
            listening: BTreeMap::new(),
            wire: VecDeque::new(),
            asked: Vec::new(),
            warned: Vec::new(),
            answered_for: Vec::new(),
            is_cut_off: false,
        };
        world.run_tasks();
        world
    }

    fn mirror() -> Self {
        Self::new(|config| {
            (config.subjects, config.mirror) = (vec![], Some(Source { name: "O".into(), ..Source::default() }));
        })
    }

    fn source() -> Self {
        Self::new(|config| config.sources = vec![Source { name: "O".into(), ..Source::default() }])
    }

    fn scene(&mut self) -> &mut Scene {
        self.scene.as_mut().unwrap()
    }

    fn stream(&mut self) -> &mut Stream {
        &mut self.scene().stream
    }

    fn run_tasks(&mut self) {
        while let Some(action) = self.stream().next_action() {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            match action {
                Action::Listen { key, subject } => {
                    assert_eq!(self.listening.insert(text(&subject), key), None, "nobody listens twice");
                }
                Action::Ignore { subject } => {
                    assert!(self.listening.remove(&text(&subject)).is_some(), "somebody has listened");
                }
                Action::Send { subject, reply, headers, payload } => {
                    let (subject, headers, body) = (text(&subject), text(&headers), text(&payload));
                    self.asked.push(format!("{subject} {}{body}", headers.replace("\r\n", "|")));
                    if self.is_cut_off {
                        let Scene { stream, out, now, .. } = self.scene();
                        stream.nobody_heard(&reply, *now, out);
                        continue;
                    }
                    if reply.is_empty() {
                        continue;
                    }
                    let (block, payload) = self.origin.answer(&subject, &headers, &body);
                    let to = text(&reply);
                    self.wire.push_back(Letter { to, subject, reply: String::new(), headers: block, payload });
                }
                Action::AnswerFor { origin } => self.answered_for.push(format!("+{origin}")),
                Action::AnswerNoMore { origin } => self.answered_for.push(format!("-{origin}")),
                Action::Tell(text) => self.warned.push(text),
            }
        }
    }

    /// A letter arrives, if somebody still listens for it.
    fn hand_over(&mut self, letter: &Letter) {
        let Some(key) = self.listening.get(&letter.to).copied() else { return };
        let incoming = Incoming {
            subject: letter.subject.as_bytes(),
            reply: letter.reply.as_bytes(),
            headers: letter.headers.as_bytes(),
            payload: letter.payload.as_bytes(),
        };
        let Scene { stream, out, now, .. } = self.scene();
        stream.from_origin(key, &incoming, *now, out);
        self.run_tasks();
    }

    /// Everything on the wire arrives, and all that follows, and is written.
    fn settle(&mut self) {
        loop {
            while let Some(letter) = self.wire.pop_front() {
                self.hand_over(&letter);
            }
            match self.origin.deliver() {
                Some(letter) => self.wire.push_back(letter),
                None => break,
            }
        }
        self.write();
    }

    fn write(&mut self) {
        self.scene().flush();
        self.scene().sync();
        self.run_tasks();
    }

    fn send(&mut self, letter: Option<Letter>) {
        self.wire.extend(letter);
        while let Some(letter) = self.wire.pop_front() {
            self.hand_over(&letter);
        }
    }

    /// Time passes; what is due on the way is done.
    fn pass(&mut self, span: Duration) {
        let end = self.scene().now.time + span;
        while let Some(due) = self.stream().deadline().filter(|due| *due <= end) {
            let step = due.since(self.scene().now.time);
            self.scene().wait(step);
            let Scene { stream, out, now, .. } = self.scene();
            stream.tick(*now, out);
            self.scene().sync();
            self.run_tasks();
        }
        let rest = end.since(self.scene().now.time);
        self.scene().wait(rest);
    }

    /// Time passes, and nothing is lost on the wire.
    fn live(&mut self, span: Duration) {
        for _ in 0..span.as_secs() {
            self.pass(Duration::from_secs(1));
            self.settle();
            let heartbeat = self.origin.heartbeat("");
            self.send(heartbeat);
        }
    }

    fn crash(&mut self) {
        self.scene = self.scene.take().map(Scene::crash);
        self.listening.clear();
        self.wire.clear();
        self.run_tasks();
    }

    fn kept(&mut self) -> Vec<String> {
        self.scene().kept()
    }

    fn error(&mut self) -> String {
        let now = self.scene().now;
        let info = self.stream().info(now);
        let of = info.mirror.into_iter().chain(info.sources).next().unwrap();
        of.error.map_or_else(String::new, |error| error.to_string())
    }

    /// What was asked of the API since this was last asked for.
    fn asked(&mut self) -> Vec<String> {
        std::mem::take(&mut self.asked)
    }
}
