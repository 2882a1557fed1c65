//! How much is used and set aside, by an account and by the server.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use martlet_jetstream::StreamConfig;
use martlet_jetstream::config::Storage;

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
