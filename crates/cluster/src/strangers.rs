//! What the other side wants in accounts that are not known here: a reload may bring them, and it is not said again.
//!
//! Invariant: at most [`Strangers::ROOM`] bytes; what there is no room for is forgotten.

use hashbrown::HashMap;

use crate::wants::Wanted;

/// One line of interest.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Stranger {
    pub(crate) account: Box<[u8]>,
    pub(crate) subject: Box<[u8]>,
    pub(crate) queue: Option<Box<[u8]>>,
    pub(crate) origin: Option<Box<[u8]>>,
}

impl Stranger {
    fn new(account: &[u8], wanted: &Wanted<'_>) -> Self {
        Self {
            account: account.into(),
            subject: wanted.subject.into(),
            queue: wanted.queue.map(Into::into),
            origin: wanted.origin.map(Into::into),
        }
    }

    pub(crate) fn wanted(&self) -> Wanted<'_> {
        Wanted { subject: &self.subject, queue: self.queue.as_deref(), origin: self.origin.as_deref() }
    }

    fn room(&self) -> usize {
        let of = |part: &Option<Box<[u8]>>| part.as_ref().map_or(0, |part| part.len());
        size_of::<Self>() + self.account.len() + self.subject.len() + of(&self.queue) + of(&self.origin)
    }
}

/// What the other side wants in accounts that are not known here, with how many members of its queue groups.
#[derive(Debug, Default)]
pub(crate) struct Strangers {
    entries: HashMap<Stranger, u32>,
    used: usize,
}

impl Strangers {
    /// Bytes for one link.
    pub(crate) const ROOM: usize = 1024 * 1024;

    /// Takes something down; whether it was new, and there was room.
    pub(crate) fn note(&mut self, account: &[u8], wanted: &Wanted<'_>, weight: u32) -> bool {
        let stranger = Stranger::new(account, wanted);
        if let Some(known) = self.entries.get_mut(&stranger) {
            *known = weight;
            return false;
        }
        let room = stranger.room();
        if self.used + room > Self::ROOM {
            return false;
        }
        self.used += room;
        self.entries.insert(stranger, weight);
        true
    }

    /// It is wanted no more.
    pub(crate) fn forget(&mut self, account: &[u8], wanted: &Wanted<'_>) {
        if self.entries.is_empty() {
            return;
        }
        let stranger = Stranger::new(account, wanted);
        if self.entries.remove(&stranger).is_some() {
            self.used -= stranger.room();
        }
    }

    /// Takes out what is wanted in accounts that `are_known` now.
    pub(crate) fn take(&mut self, are_known: impl Fn(&[u8]) -> bool) -> Vec<(Stranger, u32)> {
        let found: Vec<_> = self.entries.extract_if(|stranger, _| are_known(&stranger.account)).collect();
        self.used -= found.iter().map(|(stranger, _)| stranger.room()).sum::<usize>();
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(subject: &str) -> Wanted<'_> {
        Wanted { subject: subject.as_bytes(), queue: None, origin: None }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        // spec: CLU-025
        let mut strangers = Strangers::default();
        let kept = (0..100_000).filter(|n| strangers.note(b"A", &wanted(&format!("foo.{n}")), 1)).count();
        assert!((5_000..50_000).contains(&kept), "{kept}");
        assert!(strangers.used <= Strangers::ROOM);
        strangers.forget(b"A", &wanted("foo.0"));
        strangers.forget(b"A", &wanted("foo.99999"));
        assert_eq!(strangers.take(|name| name == b"B").len(), 0);
        assert_eq!(strangers.take(|name| name == b"A").len(), kept - 1);
        assert_eq!(strangers.used, 0);
        assert!(strangers.note(b"A", &wanted("foo"), 1) && !strangers.note(b"A", &wanted("foo"), 2));
        assert_eq!(strangers.take(|_| true)[0].1, 2);
    }
}
