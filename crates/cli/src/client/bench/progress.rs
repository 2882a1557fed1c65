//! A progress bar on standard error, when a person watches it.

use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use super::load::Load;
use crate::client::number::{float, grouped, rate, whole};
use crate::client::out;

const EVERY: Duration = Duration::from_millis(100);
const WIDTH: u64 = 30;

/// A bar that is drawn until it is dropped.
#[derive(Debug)]
pub(super) struct Progress {
    task: Option<JoinHandle<()>>,
}

impl Progress {
    /// Shows how far `load` is on its way to `total`, unless it is `hidden` or nobody watches.
    pub(super) fn show(load: &Load, total: u64, hidden: bool) -> Self {
        if hidden || !out::is_watched() {
            return Self { task: None };
        }
        let load = load.clone();
        Self { task: Some(tokio::spawn(draw(load, total))) }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            // Clears the line, so that the report starts on a clean one.
            eprint!("\r\x1b[2K");
        }
    }
}

async fn draw(load: Load, total: u64) {
    let mut ticks = tokio::time::interval(EVERY);
    let mut last = (Instant::now(), 0);
    loop {
        let now = ticks.tick().await.into_std();
        let done = load.done();
        let seconds = now.saturating_duration_since(last.0).as_secs_f64();
        let speed = if seconds > 0.0 { float(done - last.1) / seconds } else { 0.0 };
        eprint!("\r\x1b[2K{}", line(done, total, speed));
        last = (now, done);
    }
}

fn line(done: u64, total: u64, per_second: f64) -> String {
    let share = (float(done) / float(total.max(1))).min(1.0);
    let filled = whole(share * float(WIDTH));
    let bar: String = (0..WIDTH).map(|place| if place < filled { '=' } else { ' ' }).collect();
    format!("[{bar}] {:>3} %  {} of {}  {}/s", whole(share * 100.0), grouped(done), grouped(total), rate(per_second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_fills_as_work_is_done() {
        let cases = [
            (0, "[                              ]   0 %  0 of 2,000  1,500/s"),
            (1_000, "[===============               ]  50 %  1,000 of 2,000  1,500/s"),
            (2_000, "[==============================] 100 %  2,000 of 2,000  1,500/s"),
        ];
        for (done, expected) in cases {
            assert_eq!(line(done, 2_000, 1_500.0), expected);
        }
        assert!(line(3_000, 2_000, 0.0).contains("100 %"), "never beyond its end");
    }
}
