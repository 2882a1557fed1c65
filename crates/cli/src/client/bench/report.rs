//! What a measurement found, and how a person reads it.

use std::time::Duration;

use super::latency::Latency;
use crate::client::duration::human;
use crate::client::number::{self, float, grouped};

/// What one client did.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    pub(super) msgs: u64,
    pub(super) bytes: u64,
    pub(super) elapsed: Duration,
    pub(super) latency: Option<Latency>,
}

impl Outcome {
    pub(super) fn msgs_per_second(&self) -> f64 {
        per_second(self.msgs, self.elapsed)
    }

    pub(super) fn bytes_per_second(&self) -> f64 {
        per_second(self.bytes, self.elapsed)
    }

    fn text(&self) -> String {
        format!(
            "{:>11} msgs/s  {:>10}/s  {} messages in {}",
            number::rate(self.msgs_per_second()),
            number::bytes(self.bytes_per_second()),
            grouped(self.msgs),
            human(self.elapsed)
        )
    }
}

fn per_second(count: u64, elapsed: Duration) -> f64 {
    if elapsed.is_zero() { 0.0 } else { float(count) / elapsed.as_secs_f64() }
}

/// A whole measurement.
#[derive(Debug)]
pub(super) struct Report {
    /// `pub`, `sub` or `request`.
    pub(super) kind: &'static str,
    pub(super) subject: String,
    /// Messages asked for, over all clients.
    pub(super) wanted: u64,
    pub(super) clients: Vec<Outcome>,
}

impl Report {
    /// All clients together: they start at the same time, so the slowest one's time is everyone's.
    pub(super) fn total(&self) -> Outcome {
        let latencies = self.clients.iter().filter_map(|client| client.latency.as_ref());
        let latency = latencies.fold(None, |sum: Option<Latency>, latency| {
            let mut sum = sum.unwrap_or_else(Latency::new);
            sum.add(latency);
            Some(sum)
        });
        Outcome {
            msgs: self.clients.iter().map(|client| client.msgs).sum(),
            bytes: self.clients.iter().map(|client| client.bytes).sum(),
            elapsed: self.clients.iter().map(|client| client.elapsed).max().unwrap_or_default(),
            latency,
        }
    }

    /// A line for each client, one for the total, and the latencies.
    pub(super) fn text(&self) -> String {
        let mut lines = vec![format!("{} on {:?}", self.kind, self.subject)];
        if self.clients.len() > 1 {
            let clients = self.clients.iter().enumerate();
            lines.extend(clients.map(|(index, client)| format!("  client {:>4}: {}", index + 1, client.text())));
        }
        let total = self.total();
        lines.push(format!("  total      : {}", total.text()));
        if total.msgs < self.wanted {
            lines.push(format!("  stopped after {} of {}", grouped(total.msgs), grouped(self.wanted)));
        }
        let latency = total.latency.filter(|latency| !latency.is_empty()).map(|latency| latency.text());
        lines.join("\n") + "\n" + &latency.unwrap_or_default()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn example() -> Report {
        let client = |msgs, millis, micros: u64| {
            let mut latency = Latency::new();
            latency.record(Duration::from_micros(micros));
            Outcome { msgs, bytes: msgs * 128, elapsed: Duration::from_millis(millis), latency: Some(latency) }
        };
        Report {
            kind: "request",
            subject: "a \"b\"".to_owned(),
            wanted: 4_000,
            clients: vec![client(1_000, 500, 100), client(3_000, 1_000, 300)],
        }
    }

    #[test]
    fn clients_and_total_are_told() {
        let text = example().text();
        for part in [
            "request on \"a \\\"b\\\"\"",
            "client    1:       2,000 msgs/s     250 KiB/s  1,000 messages in 500ms",
            "total      :       4,000 msgs/s     500 KiB/s  4,000 messages in 1.00s",
            "p50 100µs",
            "max 300µs",
        ] {
            assert!(text.contains(part), "{text}\nlacks {part:?}");
        }
        assert!(!text.contains("stopped"), "{text}");
    }

    #[test]
    fn an_unfinished_measurement_says_so() {
        let report = Report { wanted: 5_000, ..example() };
        assert!(report.text().contains("stopped after 4,000 of 5,000"));
    }

    #[test]
    fn nothing_in_no_time_is_no_speed() {
        let nothing = Outcome { msgs: 0, bytes: 0, elapsed: Duration::ZERO, latency: None };
        assert_eq!(nothing.msgs_per_second().to_bits(), 0.0_f64.to_bits());
    }
}
