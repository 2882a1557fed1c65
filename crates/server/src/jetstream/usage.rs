//! How much is used and set aside, by an account and by the server.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use martlet_jetstream::StreamConfig;
use martlet_jetstream::config::Storage;

/// Atomic batches under way on a server, if nothing else is configured.
const MOST_ATOMIC: u64 = 1000;
/// Fast batches.
const MOST_FAST: u64 = 50_000;

/// Bytes of one kind of storage.
#[derive(Debug)]
struct Bytes {
    used: AtomicU64,
    /// What streams may come to use, by their configuration.
    reserved: AtomicU64,
    /// `u64::MAX` for no bound.
    most: AtomicU64,
}

impl Default for Bytes {
    fn default() -> Self {
        Self { used: AtomicU64::new(0), reserved: AtomicU64::new(0), most: AtomicU64::new(u64::MAX) }
    }
}

/// What is used and set aside of both kinds.
#[derive(Debug, Default)]
pub(super) struct Usage {
    memory: Bytes,
    files: Bytes,
}

impl Usage {
    fn of(&self, storage: Storage) -> &Bytes {
        match storage {
            Storage::Memory => &self.memory,
            Storage::File => &self.files,
        }
    }

    /// Puts bounds in force; `None` for none.
    pub(super) fn bound(&self, memory: Option<u64>, files: Option<u64>) {
        self.memory.most.store(memory.unwrap_or(u64::MAX), Relaxed);
        self.files.most.store(files.unwrap_or(u64::MAX), Relaxed);
    }

    /// A stream that used `before` bytes uses `now`.
    pub(super) fn change(&self, storage: Storage, before: u64, now: u64) {
        move_by(&self.of(storage).used, before, now);
    }

    /// A stream with the configuration `before` has `now`, or is new, or gone.
    pub(super) fn reserve(&self, before: Option<&StreamConfig>, now: Option<&StreamConfig>) {
        for (config, is_now) in [(before, false), (now, true)] {
            let Some(config) = config else { continue };
            let bytes = u64::try_from(config.max_bytes).unwrap_or(0);
            let (from, to) = if is_now { (0, bytes) } else { (bytes, 0) };
            move_by(&self.of(config.storage).reserved, from, to);
        }
    }

    /// Bytes that are used.
    pub(super) fn used(&self, storage: Storage) -> u64 {
        self.of(storage).used.load(Relaxed)
    }

    /// Bytes that are set aside.
    pub(super) fn reserved(&self, storage: Storage) -> u64 {
        self.of(storage).reserved.load(Relaxed)
    }

    /// Bytes that may still be used.
    pub(super) fn left(&self, storage: Storage) -> u64 {
        let of = self.of(storage);
        of.most.load(Relaxed).saturating_sub(of.used.load(Relaxed))
    }

    /// Bytes that may still be set aside; `None` for any number.
    pub(super) fn free(&self, storage: Storage) -> Option<u64> {
        let of = self.of(storage);
        let most = of.most.load(Relaxed);
        (most < u64::MAX).then(|| most.saturating_sub(of.reserved.load(Relaxed)))
    }

    /// The bound; `None` for none.
    pub(super) fn most(&self, storage: Storage) -> Option<u64> {
        Some(self.of(storage).most.load(Relaxed)).filter(|most| *most < u64::MAX)
    }
}

/// Batches that are under way in all streams of a server: atomic ones and fast ones.
#[derive(Debug)]
pub(super) struct OpenBatches {
    open: [AtomicU64; 2],
    most: [u64; 2],
}

impl OpenBatches {
    /// At most as many of each kind as is configured.
    // spec: CFG-418 NEW-013
    pub(super) fn new(configured: Option<u64>) -> Self {
        let most = [MOST_ATOMIC, MOST_FAST].map(|most| configured.filter(|most| *most > 0).unwrap_or(most));
        Self { open: Default::default(), most }
    }

    /// A stream that had `before` has `now`.
    pub(super) fn change(&self, before: [usize; 2], now: [usize; 2]) {
        for (kind, counter) in self.open.iter().enumerate() {
            move_by(counter, before[kind] as u64, now[kind] as u64);
        }
    }

    /// How many a stream may have that has `own`.
    pub(super) fn left(&self, own: [usize; 2]) -> [usize; 2] {
        std::array::from_fn(|kind| {
            let others = self.open[kind].load(Relaxed).saturating_sub(own[kind] as u64);
            usize::try_from(self.most[kind].saturating_sub(others)).unwrap_or(usize::MAX)
        })
    }
}

fn move_by(counter: &AtomicU64, before: u64, now: u64) {
    // Additions and subtractions of many threads come to the same in any order.
    if now >= before {
        counter.fetch_add(now - before, Relaxed);
    } else {
        counter.fetch_sub(before - now, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_stream_may_have_what_the_others_leave() {
        let open = OpenBatches::new(Some(5));
        open.change([0, 0], [3, 5]);
        open.change([0, 0], [1, 0]);
        assert_eq!((open.left([3, 5]), open.left([1, 0]), open.left([0, 0])), ([4, 5], [2, 0], [1, 0]));
        open.change([3, 5], [0, 0]);
        assert_eq!(open.left([1, 0]), [5, 5]);
        assert_eq!(OpenBatches::new(None).left([0, 0]), [1000, 50_000]);
    }

    #[test]
    fn what_is_used_and_set_aside_is_missing_elsewhere() {
        let usage = Usage::default();
        assert_eq!((usage.left(Storage::File), usage.free(Storage::File)), (u64::MAX, None));
        usage.bound(Some(100), Some(1000));
        usage.change(Storage::File, 0, 300);
        usage.change(Storage::File, 300, 200);
        let config = StreamConfig { max_bytes: 600, ..StreamConfig::default() };
        usage.reserve(None, Some(&config));
        assert_eq!((usage.used(Storage::File), usage.left(Storage::File)), (200, 800));
        assert_eq!((usage.free(Storage::File), usage.free(Storage::Memory)), (Some(400), Some(100)));
        usage.reserve(Some(&config), None);
        assert_eq!((usage.reserved(Storage::File), usage.most(Storage::File)), (0, Some(1000)));
    }
}
