//! Who wants to know when somebody begins or ceases to listen on a subject.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use hashbrown::HashMap;
use parking_lot::RwLock;

/// Is told that something has changed; it asks itself what.
pub type Told = Arc<dyn Fn() + Send + Sync>;

/// A watch over a subject, to be given back to [`Account::unwatch`](crate::account::Account::unwatch).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    subject: Box<[u8]>,
    number: u64,
}

/// Who is told, and by which watch.
type Watchers = Vec<(u64, Told)>;

/// All watches of an account.
#[derive(Default)]
pub(crate) struct Watches {
    by_subject: RwLock<HashMap<Box<[u8]>, Watchers>>,
    /// How many there are: subscribing costs a look at this where nobody watches.
    number: AtomicUsize,
    next: AtomicU64,
}

impl fmt::Debug for Watches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Watches({})", self.number.load(Ordering::Relaxed))
    }
}

impl Watches {
    /// Has `told` called whenever a subscription that takes `subject` comes or goes.
    pub(crate) fn add(&self, subject: &[u8], told: Told) -> Watch {
        let watch = Watch { subject: subject.into(), number: self.next.fetch_add(1, Ordering::Relaxed) };
        self.by_subject.write().entry(subject.into()).or_default().push((watch.number, told));
        self.number.fetch_add(1, Ordering::Release);
        watch
    }

    /// Calls no longer.
    pub(crate) fn remove(&self, watch: &Watch) {
        let mut by_subject = self.by_subject.write();
        let Some(of_subject) = by_subject.get_mut(&watch.subject) else { return };
        let before = of_subject.len();
        of_subject.retain(|(number, _)| *number != watch.number);
        self.number.fetch_sub(before - of_subject.len(), Ordering::Release);
        if of_subject.is_empty() {
            by_subject.remove(&watch.subject);
        }
    }

    /// A subscription to `pattern` has come or gone.
    pub(crate) fn tell(&self, pattern: &[u8]) {
        if self.number.load(Ordering::Acquire) == 0 {
            return;
        }
        let told: Vec<Told> = {
            let by_subject = self.by_subject.read();
            if martlet_subject::is_valid_literal(pattern) {
                by_subject.get(pattern).into_iter().flatten().map(|(_, told)| told.clone()).collect()
            } else {
                let concerned = by_subject.iter().filter(|(subject, _)| martlet_subject::matches(pattern, subject));
                concerned.flat_map(|(_, of_subject)| of_subject).map(|(_, told)| told.clone()).collect()
            }
        };
        for told in told {
            told();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_watches_a_subject_hears_of_every_subscription_that_takes_it() {
        let watches = Watches::default();
        let heard = Arc::new(AtomicUsize::new(0));
        let told = {
            let heard = heard.clone();
            Arc::new(move || {
                heard.fetch_add(1, Ordering::Relaxed);
            })
        };
        let first = watches.add(b"a.b", told.clone());
        let second = watches.add(b"a.b", told);
        for (pattern, calls) in [(&b"a.b"[..], 2), (b"a.*", 2), (b">", 2), (b"a.c", 0), (b"a", 0), (b"b.*", 0)] {
            heard.store(0, Ordering::Relaxed);
            watches.tell(pattern);
            assert_eq!(heard.load(Ordering::Relaxed), calls, "{}", String::from_utf8_lossy(pattern));
        }
        watches.remove(&first);
        heard.store(0, Ordering::Relaxed);
        watches.tell(b"a.b");
        assert_eq!(heard.load(Ordering::Relaxed), 1);
        watches.remove(&second);
        watches.tell(b"a.b");
        assert_eq!(heard.load(Ordering::Relaxed), 1);
    }
}
