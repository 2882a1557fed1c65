//! Connections that a protocol wants made, and how patiently.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use martlet_config::options::LinkUrl;

use crate::leaf::Remote;

/// A connection that was dialled rather than accepted.
#[derive(Debug, Clone)]
pub struct Dialled {
    /// Where.
    pub url: LinkUrl,
    /// It is configured, and therefore tried for ever; the others were heard of.
    pub explicit: bool,
    /// The account that the connection is for alone.
    pub account: Option<Arc<str>>,
    /// What the other side is told about passing this server on (CLU-022).
    pub gossip: u8,
}

/// A connection to make.
#[derive(Debug, Clone)]
pub struct Dial {
    /// What it becomes.
    pub as_: Dialled,
    /// To wait before the first attempt.
    pub after: Duration,
    /// There was a connection before: failures are told less often.
    pub again: bool,
}

/// Something that only the owner of sockets can do.
#[derive(Debug, Clone)]
pub enum Order {
    /// Connect to a member of the cluster.
    Route(Dial),
    /// Connect to a hub, or to a leaf node from where it does not dial itself.
    Leaf(LeafDial),
    /// Connect to another cluster.
    Gateway(GatewayDial),
}

/// A connection to some server of another cluster.
#[derive(Debug, Clone)]
pub struct GatewayDial {
    /// The cluster.
    pub cluster: Arc<str>,
    /// To wait before the first attempt.
    pub after: Duration,
    /// There was a connection before: failures are told less often.
    pub again: bool,
}

/// A connection to one of the configured remotes.
#[derive(Debug, Clone)]
pub struct LeafDial {
    /// Which.
    pub remote: Arc<Remote>,
    /// To wait before the first attempt.
    pub after: Duration,
    /// There was a connection before: failures are told less often.
    pub again: bool,
}

/// Takes orders. Called from any thread, with locks held: queue and return.
pub(crate) type TakeOrder = Box<dyn Fn(Order) + Send + Sync>;

/// Where a protocol leaves its orders.
pub struct Orders(TakeOrder);

impl Orders {
    /// Orders that `take` takes.
    pub fn new(take: TakeOrder) -> Self {
        Self(take)
    }

    pub(crate) fn give(&self, order: Order) {
        (self.0)(order);
    }
}

impl fmt::Debug for Orders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Orders")
    }
}

/// Attempts to reach one address.
#[derive(Debug, Clone)]
pub struct Attempts {
    made: u32,
    pause: Duration,
    backoff: bool,
    /// How many may fail after the first; `None` for ever.
    retries: Option<u32>,
}

/// The pause after a failed attempt.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(30);

impl Attempts {
    /// None made yet; `retries` as configured for what was heard of, `None` for what is configured.
    // spec: CLU-021 CLU-043
    pub fn new(retries: Option<u32>, backoff: bool) -> Self {
        Self { made: 0, pause: PAUSE, backoff, retries }
    }

    /// One has failed: how long to wait before the next, if there is to be one.
    pub fn failed(&mut self) -> Option<Duration> {
        self.made = self.made.saturating_add(1);
        if self.retries.is_some_and(|retries| self.made > retries) {
            return None;
        }
        let pause = self.pause;
        if self.backoff {
            self.pause = (self.pause * 2).min(LONGEST);
        }
        Some(pause)
    }

    /// How many have failed.
    pub fn made(&self) -> u32 {
        self.made
    }

    /// Whether the last failure is worth a line in the log: the first, and then one in `every`.
    // spec: CFG-067 CFG-068
    pub fn is_worth_telling(&self, every: u32) -> bool {
        self.made == 1 || self.made.is_multiple_of(every)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_configured_is_tried_for_ever() {
        // spec: CLU-043
        let mut attempts = Attempts::new(None, true);
        let pauses: Vec<_> = (0..7).map(|_| attempts.failed().expect("for ever").as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);
        let mut steady = Attempts::new(None, false);
        assert!((0..7).all(|_| steady.failed() == Some(PAUSE)));
    }

    #[test]
    fn what_was_heard_of_is_given_up() {
        // spec: CLU-021
        let mut attempts = Attempts::new(Some(2), false);
        assert!(attempts.failed().is_some());
        assert!(attempts.failed().is_some());
        assert_eq!(attempts.failed(), None);
        assert_eq!(Attempts::new(Some(0), false).failed(), None);
    }

    #[test]
    fn the_first_failure_is_told_and_then_one_in_so_many() {
        // spec: CFG-067 CFG-068
        let mut attempts = Attempts::new(None, false);
        let mut told = |every| {
            attempts.failed();
            attempts.is_worth_telling(every)
        };
        assert_eq!([(); 7].map(|()| told(3)), [true, false, true, false, false, true, false]);
        assert!(told(1), "every one");
    }
}
