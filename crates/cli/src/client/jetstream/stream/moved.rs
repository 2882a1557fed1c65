//! How much of a backup or a restore is done, on standard error while a person watches.

use std::time::{Duration, Instant};

use crate::client::number::{self, float};
use crate::client::out;

const EVERY: Duration = Duration::from_millis(100);

/// A line that is drawn until it is dropped.
#[derive(Debug)]
pub(super) struct Moved {
    bytes: u64,
    total: Option<u64>,
    is_shown: bool,
    drawn: Option<Instant>,
}

impl Moved {
    /// Nothing yet, of `total` bytes if that is known; nothing is shown if it is `hidden` or nobody watches.
    pub(super) fn new(total: Option<u64>, hidden: bool) -> Self {
        Self { bytes: 0, total, is_shown: !hidden && out::is_watched(), drawn: None }
    }

    /// Some more bytes have moved.
    pub(super) fn add(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        if self.is_shown && self.drawn.is_none_or(|drawn| drawn.elapsed() >= EVERY) {
            self.drawn = Some(Instant::now());
            eprint!("\r\x1b[2K{}", line(self.bytes, self.total));
        }
    }

    /// How many have.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Moved {
    fn drop(&mut self) {
        if self.drawn.is_some() {
            // Clears the line, so that what follows starts on a clean one.
            eprint!("\r\x1b[2K");
        }
    }
}

fn line(bytes: u64, total: Option<u64>) -> String {
    let done = number::bytes(float(bytes));
    total.map_or_else(|| format!("{done} received"), |total| format!("{done} of {} sent", number::bytes(float(total))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_is_known() {
        assert_eq!(line(2048, None), "2.0 KiB received");
        assert_eq!(line(2048, Some(4096)), "2.0 KiB of 4.0 KiB sent");
    }
}
