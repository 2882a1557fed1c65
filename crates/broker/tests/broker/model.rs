//! Random accounts, permissions, exports and imports against a naive model, across a reload.

use std::fmt::Write;

use martlet_subject::{is_subset, matches};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::support::{Client, World, broker};

const NAMES: [&str; 3] = ["A", "B", "C"];
/// What services of an account are called where they are imported under another name.
const RENAMED: [&str; 2] = ["w0", "w1"];

/// What one account's only user may do.
#[derive(Debug, Clone)]
struct May {
    publish_deny: Vec<&'static str>,
    subscribe_allow: Option<Vec<&'static str>>,
    subscribe_deny: Vec<&'static str>,
}

#[derive(Debug, Clone)]
struct Export {
    subject: &'static str,
    /// Importers by number; everyone if `None`.
    private: Option<Vec<usize>>,
}

#[derive(Debug, Clone)]
struct Import {
    exporter: usize,
    subject: &'static str,
    /// A stream gets a prefix, a service another name.
    renamed: bool,
}

#[derive(Debug, Clone)]
struct Account {
    may: May,
    stream: Option<Export>,
    service: Option<Export>,
    streams: Vec<Import>,
    services: Vec<Import>,
}

fn is_allowed(export: Option<&Export>, importer: usize, subject: &str) -> bool {
    export.is_some_and(|e| {
        is_subset(subject.as_bytes(), e.subject.as_bytes()) && e.private.as_ref().is_none_or(|p| p.contains(&importer))
    })
}

impl Import {
    /// The subject or pattern that the importer knows the exporter's `subject` by.
    fn local(&self, subject: &str, is_stream: bool) -> String {
        match (self.renamed, is_stream) {
            (false, _) => subject.to_owned(),
            (true, true) => format!("p.{subject}"),
            (true, false) => subject.replacen('v', RENAMED[self.exporter], 1),
        }
    }
}

/// A whole configuration of the model.
#[derive(Debug, Clone)]
struct Model {
    accounts: Vec<Account>,
}

impl Model {
    /// Every import with whether it is one of streams and whether an export allows it.
    fn imports(&self) -> impl Iterator<Item = (usize, &Import, bool, bool)> {
        self.accounts.iter().enumerate().flat_map(move |(importer, account)| {
            let streams = account.streams.iter().map(|i| (i, true));
            streams.chain(account.services.iter().map(|i| (i, false))).map(move |(import, is_stream)| {
                let exporter = &self.accounts[import.exporter];
                let export = if is_stream { &exporter.stream } else { &exporter.service };
                (importer, import, is_stream, is_allowed(export.as_ref(), importer, import.subject))
            })
        })
    }

    fn is_valid(&self) -> bool {
        self.imports().all(|(.., allowed)| allowed)
    }

    /// The same without the imports that nothing allows.
    fn made_valid(mut self) -> Self {
        let all = self.clone();
        for (importer, account) in self.accounts.iter_mut().enumerate() {
            account.streams.retain(|i| is_allowed(all.accounts[i.exporter].stream.as_ref(), importer, i.subject));
            account.services.retain(|i| is_allowed(all.accounts[i.exporter].service.as_ref(), importer, i.subject));
        }
        self
    }

    fn text(&self) -> String {
        let list = |subjects: &[&str]| {
            format!("[{}]", subjects.iter().map(|s| format!("\"{s}\"")).collect::<Vec<_>>().join(", "))
        };
        let mut text = String::from("accounts {\n");
        for (n, account) in self.accounts.iter().enumerate() {
            let May { publish_deny, subscribe_allow, subscribe_deny } = &account.may;
            let mut permissions =
                format!("publish: {{deny: {}}}, subscribe: {{deny: {}", list(publish_deny), list(subscribe_deny));
            if let Some(allow) = subscribe_allow {
                write!(permissions, ", allow: {}", list(allow)).expect("a string takes all");
            }
            let export = |kind: &str, export: &Option<Export>| {
                export.as_ref().map(|e| {
                    let private = e
                        .private
                        .as_ref()
                        .map(|p| format!(", accounts: {}", list(&p.iter().map(|n| NAMES[*n]).collect::<Vec<_>>())));
                    format!("{{{kind}: \"{}\"{}}}", e.subject, private.unwrap_or_default())
                })
            };
            let exports: Vec<_> = [export("stream", &account.stream), export("service", &account.service)]
                .into_iter()
                .flatten()
                .collect();
            let imports: Vec<_> = self
                .imports()
                .filter(|(importer, ..)| *importer == n)
                .map(|(_, import, is_stream, _)| {
                    let kind = if is_stream { "stream" } else { "service" };
                    let name = match (import.renamed, is_stream) {
                        (false, _) => String::new(),
                        (true, true) => ", prefix: p".into(),
                        (true, false) => format!(", to: \"{}\"", import.local(import.subject, false)),
                    };
                    format!(
                        "{{{kind}: {{account: {}, subject: \"{}\"}}{name}}}",
                        NAMES[import.exporter], import.subject
                    )
                })
                .collect();
            writeln!(
                text,
                "{} {{ users: [{{user: {}, password: pw, permissions: {{{permissions}}}}}}}], exports: [{}], imports: [{}] }}",
                NAMES[n], NAMES[n].to_lowercase(), exports.join(", "), imports.join(", ")
            ).expect("a string takes all");
        }
        text + "}"
    }

    fn may_subscribe(&self, account: usize, pattern: &str) -> bool {
        let may = &self.accounts[account].may;
        let inside = |of: &str| is_subset(pattern.as_bytes(), of.as_bytes());
        may.subscribe_allow.as_ref().is_none_or(|allow| allow.iter().any(|of| inside(of)))
            && !may.subscribe_deny.iter().any(|of| inside(of))
    }

    /// Who gets a message: account, subject seen and sid.
    fn deliveries(
        &self,
        account: usize,
        subject: &str,
        subscriptions: &[(usize, String, usize)],
    ) -> Vec<(usize, String, usize)> {
        let mut delivered = Vec::new();
        let mut deliver = |account: usize, subject: &str| {
            let denied =
                self.accounts[account].may.subscribe_deny.iter().any(|d| matches(d.as_bytes(), subject.as_bytes()));
            let there = subscriptions
                .iter()
                .filter(|(n, pattern, _)| *n == account && matches(pattern.as_bytes(), subject.as_bytes()));
            delivered.extend(there.filter(|_| !denied).map(|(n, _, sid)| (*n, subject.to_owned(), *sid)));
        };
        deliver(account, subject);
        let taken =
            |import: &Import| import.exporter == account && matches(import.subject.as_bytes(), subject.as_bytes());
        for (importer, import, ..) in self.imports().filter(|(_, i, is_stream, _)| *is_stream && taken(i)) {
            deliver(importer, &import.local(subject, true));
        }
        for import in &self.accounts[account].services {
            if matches(import.local(import.subject, false).as_bytes(), subject.as_bytes()) {
                let asked = format!("v.{}", subject.split_once('.').expect("two tokens").1);
                delivered.extend(self.deliveries(import.exporter, &asked, subscriptions));
            }
        }
        delivered.sort();
        delivered
    }
}

fn export(subjects: &'static [&'static str]) -> impl Strategy<Value = Option<Export>> {
    let private = prop::option::weighted(0.3, subsequence(vec![0, 1, 2], 1..3));
    prop::option::weighted(0.8, (select(subjects), private).prop_map(|(subject, private)| Export { subject, private }))
}

fn imports(importer: usize, subjects: &'static [&'static str]) -> impl Strategy<Value = Vec<Import>> {
    (0..importer)
        .map(|exporter| {
            // Only a neighbour's services keep their name: two of one name are refused.
            let is_neighbour = exporter + 1 == importer;
            let import = (select(subjects), any::<bool>()).prop_map(move |(subject, renamed)| Import {
                exporter,
                subject,
                renamed: renamed || !is_neighbour,
            });
            prop::option::weighted(0.7, import)
        })
        .collect::<Vec<_>>()
        .prop_map(|imports| imports.into_iter().flatten().collect())
}

fn may() -> impl Strategy<Value = May> {
    (
        subsequence(vec!["s.1", "v.*", "x.>"], 0..2),
        prop::option::weighted(0.3, subsequence(vec!["s.>", "*.1", "v.*", "p.>", "x.2"], 1..5)),
        subsequence(vec!["s.2", "p.s.*", "v.1", "x.>"], 0..3),
    )
        .prop_map(|(publish_deny, subscribe_allow, subscribe_deny)| May {
            publish_deny,
            subscribe_allow,
            subscribe_deny,
        })
}

fn model() -> impl Strategy<Value = Model> {
    let account = |n: usize| {
        let (streams, services) = (imports(n, &["s.>", "s.*", "s.1"]), imports(n, &["v.*", "v.1"]));
        (may(), export(&["s.>", "s.*", "s.1"]), export(&["v.*", "v.1"]), streams, services)
            .prop_map(|(may, stream, service, streams, services)| Account { may, stream, service, streams, services })
    };
    let accounts = (account(0), account(1), account(2));
    (accounts, prop::bool::weighted(0.8)).prop_map(|((a, b, c), valid)| {
        let model = Model { accounts: vec![a, b, c] };
        if valid { model.made_valid() } else { model }
    })
}

#[derive(Debug, Clone)]
enum Op {
    Subscribe { account: usize, pattern: &'static str },
    Unsubscribe { nth: usize },
    Publish { account: usize, subject: &'static str },
}

fn op() -> impl Strategy<Value = Op> {
    let pattern = select(vec![">", "*.*", "s.>", "s.1", "*.1", "p.>", "p.s.*", "v.*", "v.2", "x.1", "w0.*", "w1.1"]);
    let subject = select(vec!["s.1", "s.2", "v.1", "v.2", "x.1", "w0.1", "w1.2", "p.1"]);
    prop_oneof![
        3 => (0_usize..3, pattern).prop_map(|(account, pattern)| Op::Subscribe { account, pattern }),
        1 => any::<usize>().prop_map(|nth| Op::Unsubscribe { nth }),
        5 => (0_usize..3, subject).prop_map(|(account, subject)| Op::Publish { account, subject }),
    ]
}

/// The open subscriptions as the model knows them: account, pattern, sid.
type Subscriptions = Vec<(usize, String, usize)>;

/// Does one thing in the world and in the model, and compares.
fn step(op: &Op, sid: usize, model: &Model, clients: &[Client], open: &mut Subscriptions) {
    match *op {
        Op::Subscribe { account, pattern } => {
            let answer = clients[account].ask(&format!("SUB {pattern} {sid}\r\n"));
            let allowed = model.may_subscribe(account, pattern);
            assert_eq!(answer.is_empty(), allowed, "{account} to {pattern}: {answer}");
            if allowed {
                open.push((account, pattern.to_owned(), sid));
            }
        }
        Op::Unsubscribe { nth } => {
            if !open.is_empty() {
                let (account, _, sid) = open.remove(nth % open.len());
                clients[account].send(&format!("UNSUB {sid}\r\n"));
            }
        }
        Op::Publish { account, subject } => {
            let denied =
                model.accounts[account].may.publish_deny.iter().any(|d| matches(d.as_bytes(), subject.as_bytes()));
            let expected = if denied { Vec::new() } else { model.deliveries(account, subject, open) };
            // Several times: found, found and remembered, remembered.
            for _ in 0..3 {
                clients[account].send(&format!("PUB {subject} 0\r\n\r\n"));
                let mut delivered = Vec::new();
                for (n, client) in clients.iter().enumerate() {
                    let received = client.received();
                    let is_told = received.contains("Permissions Violation for Publish");
                    assert_eq!(is_told, denied && n == account, "{account} of {subject}");
                    delivered.extend(received.lines().filter_map(|line| {
                        let mut words = line.strip_prefix("MSG ")?.split(' ');
                        let subject = words.next()?.to_owned();
                        Some((n, subject, words.next()?.parse::<usize>().expect("a sid")))
                    }));
                }
                delivered.sort();
                assert_eq!(delivered, expected, "{subject} published in {account}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn accounts_as_a_child_would_do_them(
        before in model(),
        after in model(),
        first in prop::collection::vec(op(), 1..25),
        then in prop::collection::vec(op(), 1..25),
    ) {
        // spec: SEC-036 SEC-037 SEC-041 SEC-045 SEC-046 SEC-047 SEC-048
        if !before.is_valid() {
            let parsed = martlet_config::parse_str(&before.text(), "test.conf", &martlet_config::MemorySource::new());
            let refused = match parsed {
                Err(errors) => errors.to_string(),
                Ok(_) => broker(&before.text()).expect_err("an import that no export allows").to_string(),
            };
            prop_assert!(refused.contains("import not authorized"), "{}", refused);
        }
        let (before, after) = (before.made_valid(), after.made_valid());
        let world = World::new(&before.text());
        // No headers: what a service is told about who asks is not the model's business.
        let clients: Vec<_> = NAMES.iter().map(|name| {
            world.client(&format!(r#"CONNECT {{"verbose":false,"user":"{}","pass":"pw"}}"#, name.to_lowercase()))
        }).collect();
        let mut open = Subscriptions::new();
        for (sid, op) in first.iter().enumerate() {
            step(op, sid, &before, &clients, &mut open);
        }
        world.reload(&after.text()).expect("valid");
        let revoked: Vec<_> = open.iter().filter(|(account, pattern, _)| !after.may_subscribe(*account, pattern)).cloned().collect();
        open.retain(|there| !revoked.contains(there));
        let told: usize = clients.iter().map(|c| c.received().matches("Permissions Violation for Subscription").count()).sum();
        prop_assert_eq!(told, revoked.len());
        for (sid, op) in then.iter().enumerate() {
            step(op, 1000 + sid, &after, &clients, &mut open);
        }
        for client in clients {
            client.hang_up();
        }
        for (n, name) in NAMES.iter().enumerate() {
            let interest = &world.broker().accounts.get(name).expect("configured").interest;
            prop_assert_eq!(interest.len(), after.accounts[n].services.len(), "only the services of {}", name);
        }
    }
}
