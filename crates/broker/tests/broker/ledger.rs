//! What other servers are told of other clusters.

use std::sync::Arc;

use martlet_broker::account::Account;
use martlet_broker::interest::Target;
use martlet_broker::link::{Link, RemoteSubscription, Role};
use martlet_broker::{Batch, Broker, Peer};
use martlet_events::Time;

use crate::support::{Wire, broker};

/// A link, and what is said on it.
struct Told {
    link: Arc<Link>,
    wire: Wire,
}

impl Told {
    fn new(cid: u64, role: Role) -> Self {
        let wire = Wire::default();
        let slot = u32::try_from(cid).expect("small");
        let peer = Arc::new(Peer::new(cid, slot, Box::new(wire.clone()), 1 << 30, Time::ORIGIN));
        Self { link: Arc::new(Link::new(peer, role)), wire }
    }

    /// What it was told, in order of the lines.
    fn lines(&self) -> Vec<String> {
        Batch::new(0).flush(&self.link.peer);
        let text = String::from_utf8(self.wire.written()).expect("text");
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }
}

fn super_cluster() -> (Broker, Arc<Account>) {
    let broker = broker("").expect("valid");
    broker.site().join_super_cluster("C");
    broker.accounts.open_ledgers(true);
    let account = broker.accounts.get("$G").expect("the global account");
    (broker, account)
}

#[test]
fn leaf_nodes_hear_what_other_clusters_want() {
    // spec: CLU-204
    let (_broker, account) = super_cluster();
    let told = [Role::Spoke, Role::Hub, Role::Route, Role::Gateway].map(|role| Told::new(role as u64 + 1, role));
    for told in &told {
        account.ledger.attach("$G", &told.link);
    }
    let other = Told::new(9, Role::Gateway).link;
    let wanted = Arc::new(RemoteSubscription::new(other.clone(), b"foo", Some((b"q", 1)), None));
    account.add(b"foo", Target::Remote(wanted.clone()));
    // Everything, as an older server gets it, is not what it wants.
    account.add(b">", Target::Remote(Arc::new(RemoteSubscription::new(other, b">", None, Some(b" ")))));
    account.remove(b"foo", &Target::Remote(wanted));
    let replies = ["LS+ $GR.*.>", "LS+ _GR_.>"];
    let expected: [&[&str]; 4] = [&["LS+ $GR.*.>", "LS+ _GR_.>", "LS+ foo q 1", "LS- foo q"], &replies, &[], &[]];
    for (told, expected) in told.iter().zip(expected) {
        assert_eq!(told.lines(), expected, "{:?}", told.link.role);
    }
}

#[test]
fn other_clusters_hear_of_a_queue_group_once() {
    // spec: CLU-044 CLU-200
    let (_broker, account) = super_cluster();
    let told = Told::new(1, Role::Gateway);
    account.ledger.attach("$G", &told.link);
    let member = Told::new(2, Role::Route).link;
    let wanted = Arc::new(RemoteSubscription::new(member, b"foo", Some((b"q", 3)), None));
    account.add(b"foo", Target::Remote(wanted.clone()));
    account.reweigh(&wanted, 5);
    assert_eq!(told.lines(), ["RS+ $G foo q 1"]);
    account.remove(b"foo", &Target::Remote(wanted));
    assert_eq!(told.lines(), ["RS- $G foo q"]);
}
