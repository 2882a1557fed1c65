//! Subscriptions and the numbers of interest.

/// A subscription, borrowed while the server shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubRef<'a> {
    /// Account it counts for.
    pub account: &'a str,
    /// What that account calls itself.
    pub account_tag: &'a str,
    /// Its subject.
    pub subject: &'a str,
    /// Its queue group, or empty.
    pub queue: &'a str,
    /// The id its owner gave it.
    pub sid: &'a str,
    /// Messages delivered to it.
    pub msgs: u64,
    /// Messages after which it ends; 0 is never.
    pub max: u64,
    /// Its connection.
    pub cid: u64,
}

/// A subscription, owned.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SubSnapshot {
    /// Account it counts for.
    pub account: String,
    /// What that account calls itself.
    pub account_tag: String,
    /// Its subject.
    pub subject: String,
    /// Its queue group, or empty.
    pub queue: String,
    /// The id its owner gave it.
    pub sid: String,
    /// Messages delivered to it.
    pub msgs: u64,
    /// Messages after which it ends; 0 is never.
    pub max: u64,
    /// Its connection.
    pub cid: u64,
}

/// Numbers of an account's interest, which can be summed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InterestStats {
    /// Subscriptions now.
    pub subscriptions: u64,
    /// Entries of the look-up cache.
    pub cached: u64,
    /// Subscriptions ever added.
    pub inserts: u64,
    /// Subscriptions ever removed.
    pub removes: u64,
    /// Look-ups.
    pub matches: u64,
    /// Look-ups that the cache answered.
    pub cache_hits: u64,
    /// Most subscriptions that one cached entry reaches.
    pub max_fanout: u64,
    /// Subscriptions that all cached entries reach, added up.
    pub total_fanout: u64,
}

impl std::ops::AddAssign for InterestStats {
    fn add_assign(&mut self, other: Self) {
        self.subscriptions += other.subscriptions;
        self.cached += other.cached;
        self.inserts += other.inserts;
        self.removes += other.removes;
        self.matches += other.matches;
        self.cache_hits += other.cache_hits;
        self.max_fanout = self.max_fanout.max(other.max_fanout);
        self.total_fanout += other.total_fanout;
    }
}
