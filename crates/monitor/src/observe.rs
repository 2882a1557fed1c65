//! What a running server lets the monitor see.
//!
//! Everything here is a plain value taken at one moment: no locks, no references into the server, no meaning of
//! its own. Sorting, paging, filtering beyond what a method's arguments say, and every text a user sees, are the
//! monitor's work.
//!
//! Costs: a call must never hold up the data plane for longer than it takes to copy what it returns. The two
//! that grow with the number of connections are [`Observe::connections`] (numbers only, no heap: about 120 bytes
//! each) and [`Observe::visit_subscriptions`] (borrowed, nothing is kept but the page asked for).

use crate::snapshot::{
    AccountSnapshot, AccountTraffic, ClosedList, ComebackSnapshot, ConnDetail, ConnFilter, ConnList, Found,
    GatewayList, Health, Identity, InterestStats, JetStreamAccount, JetStreamSnapshot, JetStreamTotals, JetStreamWant,
    LeafSnapshot, Listen, LoopSnapshot, QueueSnapshot, RouteList, ServerCounters, ServerSettings, StreamFault, SubRef,
    Want,
};

/// A server that can be observed. All methods may be called from any thread, at any time until it is dropped.
pub trait Observe: Send + Sync + 'static {
    /// Who it is. Cheap: called for every view.
    fn identity(&self) -> Identity;

    /// What it was told by its options, after the last reload.
    fn settings(&self) -> ServerSettings;

    /// Where it listens and what it tells clients to connect to.
    fn listen(&self) -> Listen;

    /// Its totals.
    fn counters(&self) -> ServerCounters;

    /// Whether it serves clients.
    fn health(&self) -> Health;

    /// The numbers of the open connections that `filter` admits, in any order, with the total before the filter's
    /// user and MQTT client. `None` if the filter names an account that does not exist.
    ///
    /// A filter with a `cid` is one look-up. Otherwise every connection is visited: O(connections), no heap per
    /// connection.
    fn connections(&self, filter: &ConnFilter) -> Option<ConnList>;

    /// The rest about the connections `cids`, which are one page: at most the view's limit, in its order. Those that are
    /// gone by now are left out. `want` says which of the costly parts will be shown: leave the others empty.
    fn connection_details(&self, cids: &[u64], want: Want) -> Vec<ConnDetail>;

    /// The closed connections that are still remembered and that `filter` admits, oldest first, with the total of the account
    /// before the filter's other fields. Shared, not copied: O(remembered).
    fn closed(&self, filter: &ConnFilter) -> ClosedList;

    /// Shows every local subscription (those of clients and the server's own) of one account, or of all, to `visit`.
    /// The order should stay the same while nothing changes, so that pages fit together.
    ///
    /// O(subscriptions). `visit` is short and takes no lock, so it may be called under one.
    fn visit_subscriptions(&self, account: Option<&str>, visit: &mut dyn FnMut(SubRef<'_>));

    /// The numbers of the interest of one account, or the sum over all. O(accounts).
    fn interest(&self, account: Option<&str>) -> InterestStats;

    /// The names of the accounts it knows, in an order that stays.
    fn accounts(&self) -> Vec<String>;

    /// Everything about one account; `None` if it does not know it.
    fn account(&self, name: &str) -> Option<AccountSnapshot>;

    /// What went through one account; `None` if it does not know it.
    fn account_traffic(&self, name: &str) -> Option<AccountTraffic>;

    /// What went through every account, in the order of [`Observe::accounts`]. One who counts per connection does it in one
    /// round here.
    fn traffic(&self) -> Vec<AccountTraffic> {
        self.accounts().iter().filter_map(|name| self.account_traffic(name)).collect()
    }

    /// Its connections to other members of the cluster, with what those want one by one if `listed`.
    fn routes(&self, listed: bool) -> RouteList {
        let _ = listed;
        RouteList::default()
    }

    /// Its leaf node links, by number; with what the other sides want by subject, if asked for: that is O(interest).
    fn leafs(&self, subjects: bool) -> Vec<LeafSnapshot> {
        let _ = subjects;
        Vec::new()
    }

    /// Its connections to and from other clusters, with what is known of accounts if asked for: that is O(interest).
    fn gateways(&self, accounts: bool) -> GatewayList {
        let _ = accounts;
        GatewayList::default()
    }

    /// How often links to other servers were made again.
    fn comebacks(&self) -> Vec<ComebackSnapshot> {
        Vec::new()
    }

    /// Its `JetStream`; `None` if that is off. Cheap: O(accounts).
    fn jetstream(&self) -> Option<JetStreamSnapshot> {
        None
    }

    /// How much there is of streams. Looks at each for as long as it takes to copy four numbers.
    fn jetstream_totals(&self) -> JetStreamTotals {
        JetStreamTotals::default()
    }

    /// The accounts that may have streams, by name.
    fn jetstream_accounts(&self) -> Vec<String> {
        Vec::new()
    }

    /// One of them; `None` if it may not have any. A stream is held for as long as it takes to copy what is wanted of it.
    fn jetstream_account(&self, account: &str, want: JetStreamWant) -> Option<JetStreamAccount> {
        let _ = (account, want);
        None
    }

    /// What there is of an account's stream and its consumer; whoever is empty is not looked for.
    fn find_stream(&self, account: &str, stream: &str, consumer: &str) -> Found {
        let _ = (account, stream, consumer);
        Found::NoAccount
    }

    /// Streams that cannot be used as they should, by account and name.
    fn stream_faults(&self) -> Vec<StreamFault> {
        Vec::new()
    }

    /// Its internal queues.
    fn queues(&self) -> Vec<QueueSnapshot> {
        Vec::new()
    }

    /// Its event loops: what each of them carries.
    fn loops(&self) -> Vec<LoopSnapshot> {
        Vec::new()
    }
}
