//! Latencies as a histogram, and the few numbers that people read off it.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::client::duration::human;
use crate::client::number::{self, float};

const HIGHEST: Duration = Duration::from_mins(1);
const BAR: usize = 40;

/// Latencies in nanoseconds, to three figures.
#[derive(Debug, Clone)]
pub(super) struct Latency {
    histogram: Histogram<u64>,
}

/// The named percentiles of every output.
pub(super) const PERCENTILES: [(&str, f64); 4] = [("p50", 50.0), ("p90", 90.0), ("p99", 99.0), ("p99.9", 99.9)];

impl Latency {
    pub(super) fn new() -> Self {
        let highest = nanos(HIGHEST);
        let histogram = Histogram::new_with_bounds(1, highest, 3).expect("the bounds are constants in range");
        Self { histogram }
    }

    /// Takes one latency in; what exceeds a minute counts as a minute.
    pub(super) fn record(&mut self, latency: Duration) {
        self.histogram.saturating_record(nanos(latency));
    }

    /// Takes all of `other` in.
    pub(super) fn add(&mut self, other: &Self) {
        self.histogram.add(&other.histogram).expect("all histograms here have the same bounds");
    }

    pub(super) fn is_empty(&self) -> bool {
        self.histogram.is_empty()
    }

    pub(super) fn at(&self, percentile: f64) -> Duration {
        Duration::from_nanos(self.histogram.value_at_percentile(percentile))
    }

    pub(super) fn min(&self) -> Duration {
        Duration::from_nanos(self.histogram.min())
    }

    pub(super) fn max(&self) -> Duration {
        Duration::from_nanos(self.histogram.max())
    }

    pub(super) fn mean(&self) -> Duration {
        Duration::from_nanos(number::whole(self.histogram.mean()))
    }

    /// Counts in steps that double: the step's upper end, and how many lie below it and above the last one.
    pub(super) fn steps(&self) -> Vec<(Duration, u64)> {
        let steps = self.histogram.iter_log(4_000, 2.0);
        let steps =
            steps.map(|step| (Duration::from_nanos(step.value_iterated_to()), step.count_since_last_iteration()));
        let steps: Vec<_> = steps.collect();
        let first = steps.iter().position(|(_, count)| *count > 0).unwrap_or(steps.len());
        steps[first..].to_vec()
    }

    /// The percentiles on one line and a bar for each step.
    pub(super) fn text(&self) -> String {
        let mut numbers = vec![format!("min {}", human(self.min())), format!("mean {}", human(self.mean()))];
        numbers.extend(PERCENTILES.iter().map(|(name, percentile)| format!("{name} {}", human(self.at(*percentile)))));
        numbers.push(format!("max {}", human(self.max())));
        let mut lines = vec![format!("Latency: {}", numbers.join(", "))];
        let total = float(self.histogram.len());
        for (upper, count) in self.steps() {
            let share = float(count) / total;
            let width = usize::try_from(number::whole(share * float(BAR as u64))).unwrap_or(BAR);
            let bar = "#".repeat(width);
            lines.push(format!("  up to {:>7} |{bar:<BAR$}| {:>6.2} %", human(upper), share * 100.0));
        }
        lines.join("\n") + "\n"
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(micros: impl IntoIterator<Item = u64>) -> Latency {
        let mut latency = Latency::new();
        micros.into_iter().for_each(|micros| latency.record(Duration::from_micros(micros)));
        latency
    }

    #[test]
    fn percentiles_are_within_a_thousandth() {
        let latency = filled(1..=10_000);
        for (_, percentile) in PERCENTILES {
            let expected = percentile * 100.0 * 1e-6;
            let seen = latency.at(percentile).as_secs_f64();
            assert!((seen / expected - 1.0).abs() < 0.002, "{percentile}: {seen} for {expected}");
        }
        assert!(latency.max() >= Duration::from_millis(10));
    }

    #[test]
    fn steps_hold_every_latency_once() {
        let latency = filled([5, 6, 7, 100, 100, 5_000]);
        assert_eq!(latency.steps().iter().map(|(_, count)| count).sum::<u64>(), 6);
        assert!(latency.steps()[0].1 > 0, "empty steps below the fastest are left out");
    }

    #[test]
    fn histograms_add_up_and_saturate() {
        let mut latency = filled([10]);
        latency.add(&filled([20, 100_000_000]));
        assert_eq!(latency.histogram.len(), 3);
        assert!(latency.max() >= HIGHEST && latency.max() < HIGHEST * 2);
    }

    #[test]
    fn the_text_names_the_percentiles() {
        let text = filled([10, 20, 30]).text();
        for part in ["min 10", "p50 20", "p90", "p99 ", "p99.9", "max 30", "33.33 %"] {
            assert!(text.contains(part), "{text:?} lacks {part:?}");
        }
    }
}
