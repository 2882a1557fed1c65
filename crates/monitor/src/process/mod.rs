//! What the operating system says about this process: memory, processor time, threads, limits.
//!
//! On Linux it is read from `/proc/self` and the control group; elsewhere only what the standard library knows is
//! told, and the rest is zero or absent.
//!
//! Invariant: reading never fails; what cannot be read is left at its default.

#[cfg(target_os = "linux")]
mod linux;

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// What the process uses, and what it may use.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Usage {
    /// Memory that is in RAM now.
    pub resident_bytes: u64,
    /// Address space.
    pub virtual_bytes: u64,
    /// Processor time since the start, in the program and in the kernel for it.
    pub cpu: Duration,
    /// Processor time per time, over the last second or more; 100 is one core.
    pub cpu_percent: f64,
    /// Open file descriptors.
    pub open_fds: u64,
    /// Most file descriptors.
    pub max_fds: Option<u64>,
    /// Threads now.
    pub threads: u64,
    /// Processors this process may run on.
    pub cores: u32,
    /// Threads that may run at once, which a quota of the container can make fewer.
    pub parallelism: u32,
    /// Most memory that the container may use.
    pub memory_limit_bytes: Option<u64>,
    /// When the process started.
    pub start: Option<SystemTime>,
}

/// One thread.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Thread {
    /// The system's id.
    pub id: u64,
    /// The name it was given.
    pub name: String,
    /// `R` running, `S` sleeping, `D` waiting for a device, …
    pub state: char,
    /// Its processor time.
    pub cpu: Duration,
}

/// The process, with the memory that a percentage needs.
#[derive(Debug)]
pub struct Process {
    cpu: Mutex<CpuMeter>,
}

/// Shortest interval to tell a percentage of: the system counts hundredths of a second.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct CpuMeter {
    read_at: Instant,
    cpu: Duration,
    percent: f64,
}

impl CpuMeter {
    /// The percentage since the last reading, or the last one if that is too short ago. One decimal.
    fn percent(&mut self, now: Instant, cpu: Duration) -> f64 {
        let passed = now.saturating_duration_since(self.read_at);
        if passed >= SHORTEST_INTERVAL {
            let used = cpu.saturating_sub(self.cpu);
            self.percent = (used.as_secs_f64() / passed.as_secs_f64() * 1000.0).round() / 10.0;
            self.read_at = now;
            self.cpu = cpu;
        }
        self.percent
    }
}

impl Process {
    /// Begins to measure.
    pub fn new() -> Self {
        let meter = CpuMeter { read_at: Instant::now(), cpu: read().cpu, percent: 0.0 };
        Self { cpu: Mutex::new(meter) }
    }

    /// Reads everything.
    pub fn usage(&self) -> Usage {
        let mut usage = read();
        let mut meter = self.cpu.lock().unwrap_or_else(PoisonError::into_inner);
        usage.cpu_percent = meter.percent(Instant::now(), usage.cpu);
        usage
    }
}

impl Default for Process {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(target_os = "linux")]
fn read() -> Usage {
    linux::usage()
}

#[cfg(not(target_os = "linux"))]
fn read() -> Usage {
    let parallelism = parallelism();
    Usage { cores: parallelism, parallelism, ..Usage::default() }
}

/// The threads of this process, by id; none where the system does not tell.
pub fn threads() -> Vec<Thread> {
    #[cfg(target_os = "linux")]
    return linux::threads();
    #[cfg(not(target_os = "linux"))]
    return Vec::new();
}

/// Most memory that the process's control groups leave it; none where there are no such groups.
pub fn memory_limit() -> Option<u64> {
    #[cfg(target_os = "linux")]
    return linux::memory_limit();
    #[cfg(not(target_os = "linux"))]
    return None;
}

/// The command line, without the secrets that were passed on it.
pub(crate) fn command_line() -> Vec<String> {
    hide_secrets(std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()))
}

/// Flags whose value nobody else should read.
const SECRET_FLAGS: [&str; 2] = ["pass", "auth"];

fn hide_secrets(arguments: impl Iterator<Item = String>) -> Vec<String> {
    let mut hide_next = false;
    arguments
        .map(|argument| {
            if std::mem::take(&mut hide_next) {
                return "[REDACTED]".into();
            }
            let Some(flag) = argument.strip_prefix('-').map(|flag| flag.trim_start_matches('-')) else {
                return hide_user_info(&argument);
            };
            match flag.split_once('=') {
                Some((name, _)) if SECRET_FLAGS.contains(&name) => {
                    format!("{}=[REDACTED]", argument.split('=').next().unwrap_or_default())
                }
                None if SECRET_FLAGS.contains(&flag) => {
                    hide_next = true;
                    argument
                }
                _ => hide_user_info(&argument),
            }
        })
        .collect()
}

/// `scheme://user:password@host` without user and password, wherever it stands.
fn hide_user_info(argument: &str) -> String {
    let mut parts = argument.split("://");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let host = part.find(['/', ',']).unwrap_or(part.len());
        let from = part[..host].rfind('@').map_or(0, |at| at + 1);
        out.push_str("://");
        out.push_str(&part[from..]);
    }
    out
}

fn parallelism() -> u32 {
    std::thread::available_parallelism().map_or(1, |count| u32::try_from(count.get()).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_of_the_time_since_the_last_reading() {
        let start = Instant::now();
        let mut meter = CpuMeter { read_at: start, cpu: Duration::from_secs(1), percent: 0.0 };
        let (at, used) = (|ms| start + Duration::from_millis(ms), Duration::from_millis);
        for (now, cpu, expected) in
            [(500, 1_400, 0.0), (2_000, 2_000, 50.0), (2_999, 9_000, 50.0), (4_000, 6_000, 200.0), (7_000, 6_001, 0.0)]
        {
            let percent = meter.percent(at(now), used(cpu));
            assert!((percent - expected).abs() < 1e-9, "{now}: {percent}");
        }
    }

    #[test]
    fn this_process_is_seen() {
        let usage = Process::new().usage();
        assert!(usage.cores >= 1 && usage.parallelism >= 1);
        if cfg!(target_os = "linux") {
            assert!(usage.resident_bytes > 100_000, "{usage:?}");
            assert!(usage.virtual_bytes >= usage.resident_bytes);
            assert!(usage.open_fds >= 3 && usage.threads >= 1);
            let start = usage.start.expect("Linux tells when a process started");
            let age = SystemTime::now().duration_since(start).expect("started in the past");
            assert!(age < Duration::from_hours(1), "{age:?}");
        }
    }

    #[test]
    fn threads_are_listed_by_name() {
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        let handle = std::thread::Builder::new().name("seen-by-test".into()).spawn(move || receiver.recv()).unwrap();
        // A new thread names itself: give it the time to.
        let seen = || threads().iter().any(|thread| thread.name == "seen-by-test");
        let found = (0..200).any(|_| {
            seen() || {
                std::thread::sleep(Duration::from_millis(5));
                false
            }
        });
        assert_eq!(found, cfg!(target_os = "linux"));
        drop(sender);
        let _ = handle.join();
    }

    #[test]
    fn secrets_of_the_command_line_are_not_told() {
        let hide = |line: &str| hide_secrets(line.split(' ').map(Into::into)).join(" ");
        for (line, shown) in [
            ("martlet --user me --pass s3cret -p 4222", "martlet --user me --pass [REDACTED] -p 4222"),
            ("martlet -pass=s3cret --auth=t", "martlet -pass=[REDACTED] --auth=[REDACTED]"),
            ("martlet --routes=nats://u:p@a:1,nats://b:2", "martlet --routes=nats://a:1,nats://b:2"),
            ("martlet --routes nats://u:p@a:1/x@y", "martlet --routes nats://a:1/x@y"),
        ] {
            assert_eq!(hide(line), shown);
        }
    }
}
