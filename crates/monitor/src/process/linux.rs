//! `/proc/self` and the control group.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use super::{Thread, Usage, parallelism};

/// The unit of processor time in `/proc`, which the kernel promises to user space on every architecture.
const TICK: Duration = Duration::from_millis(10);

pub(super) fn usage() -> Usage {
    let status = read("/proc/self/status");
    let stat = Stat::parse(&read("/proc/self/stat"));
    let parallelism = parallelism();
    Usage {
        resident_bytes: kibibytes(&status, "VmRSS:"),
        virtual_bytes: kibibytes(&status, "VmSize:"),
        cpu: stat.cpu,
        cpu_percent: 0.0,
        open_fds: open_fds(),
        max_fds: max_fds(&read("/proc/self/limits")),
        threads: field(&status, "Threads:").and_then(|count| count.parse().ok()).unwrap_or(0),
        cores: field(&status, "Cpus_allowed_list:").and_then(count_listed).unwrap_or(parallelism),
        parallelism,
        memory_limit_bytes: memory_limit(),
        start: boot_time(&read("/proc/stat")).map(|boot| UNIX_EPOCH + boot + stat.started),
    }
}

pub(super) fn threads() -> Vec<Thread> {
    let Ok(tasks) = fs::read_dir("/proc/self/task") else { return Vec::new() };
    let mut threads: Vec<Thread> = tasks
        .filter_map(|task| {
            let path = task.ok()?.path();
            let text = fs::read_to_string(path.join("stat")).ok()?;
            let stat = Stat::parse(&text);
            Some(Thread {
                id: path.file_name()?.to_str()?.parse().ok()?,
                name: stat.name,
                state: stat.state,
                cpu: stat.cpu,
            })
        })
        .collect();
    threads.sort_by_key(|thread| thread.id);
    threads
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// What follows `name` on its line.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

fn kibibytes(status: &str, name: &str) -> u64 {
    let count = field(status, name).and_then(|value| value.strip_suffix(" kB")?.trim().parse::<u64>().ok());
    count.unwrap_or(0) * 1024
}

/// The fields of a `stat` file that matter here.
#[derive(Debug, PartialEq, Eq, Default)]
struct Stat {
    name: String,
    state: char,
    cpu: Duration,
    /// After the boot.
    started: Duration,
}

impl Stat {
    /// `id (name) state …`: the name may have any character, so the last parenthesis ends it.
    fn parse(text: &str) -> Self {
        let Some((head, rest)) = text.rsplit_once(") ") else { return Self::default() };
        let name = head.split_once('(').map_or("", |(_, name)| name);
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        // `rest` begins with field 3 of the manual page.
        let ticks = |number: usize| fields.get(number - 3).and_then(|value| value.parse::<u32>().ok()).unwrap_or(0);
        Self {
            name: name.into(),
            state: fields.first().and_then(|state| state.chars().next()).unwrap_or('?'),
            cpu: TICK * ticks(14) + TICK * ticks(15),
            started: TICK * ticks(22),
        }
    }
}

/// `0-3,8` has five.
fn count_listed(ranges: &str) -> Option<u32> {
    ranges.split(',').try_fold(0, |count, range| {
        let (low, high) = range.split_once('-').unwrap_or((range, range));
        let (low, high): (u32, u32) = (low.trim().parse().ok()?, high.trim().parse().ok()?);
        Some(count + high.checked_sub(low)? + 1)
    })
}

/// Newer kernels tell the count as the directory's size; older ones have to be counted.
fn open_fds() -> u64 {
    match fs::metadata("/proc/self/fd").map(|metadata| metadata.len()) {
        Ok(count) if count > 0 => count,
        _ => fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count() as u64),
    }
}

fn max_fds(limits: &str) -> Option<u64> {
    field(limits, "Max open files")?.split_ascii_whitespace().next()?.parse().ok()
}

fn boot_time(stat: &str) -> Option<Duration> {
    Some(Duration::from_secs(field(stat, "btime ")?.parse().ok()?))
}

pub(super) fn memory_limit() -> Option<u64> {
    limit_of_groups(Path::new("/sys/fs/cgroup"), &read("/proc/self/cgroup"))
}

/// The tightest limit of the groups in either version of the hierarchy.
fn limit_of_groups(mounted: &Path, groups: &str) -> Option<u64> {
    let group = |line: &str| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, own) = rest.split_once(':')?;
        match controllers {
            "" => tightest(mounted, own, "memory.max"),
            _ if controllers.split(',').any(|name| name == "memory") => {
                tightest(&mounted.join("memory"), own, "memory.limit_in_bytes")
            }
            _ => None,
        }
    };
    groups.lines().filter_map(group).min()
}

/// What the first version of the hierarchy says, less a page, where there is no limit.
const NO_LIMIT: u64 = i64::MAX as u64;
const PAGE: u64 = 64 * 1024;

/// The tightest limit from the process's own group up to the root, which is what a container sees.
fn tightest(root: &Path, own: &str, file: &str) -> Option<u64> {
    let mut limit: Option<u64> = None;
    let mut path: PathBuf = root.join(own.trim_start_matches('/'));
    loop {
        let here = read(path.join(file)).trim().parse::<u64>().ok().filter(|bytes| *bytes < NO_LIMIT - PAGE);
        limit = [limit, here].into_iter().flatten().min();
        if path == root || !path.starts_with(root) || !path.pop() {
            return limit;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_is_read_whatever_the_name() {
        let line = "77 (a) b) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 4 0 1234 99 1\n";
        let expected = Stat {
            name: "a) b".into(),
            state: 'S',
            cpu: Duration::from_secs(3),
            started: Duration::from_millis(12_340),
        };
        assert_eq!(Stat::parse(line), expected);
        assert_eq!(Stat::parse(""), Stat::default());
        assert_eq!(Stat::parse("1 (x) R").cpu, Duration::ZERO);
    }

    #[test]
    fn fields_and_lists_are_read() {
        let status = "Name:\tx\nVmRSS:\t   1234 kB\nThreads:\t7\nCpus_allowed_list:\t0-3,8\n";
        assert_eq!(kibibytes(status, "VmRSS:"), 1234 * 1024);
        assert_eq!(kibibytes(status, "VmSize:"), 0);
        assert_eq!(field(status, "Threads:"), Some("7"));
        assert_eq!(count_listed("0-3,8"), Some(5));
        assert_eq!(count_listed("0"), Some(1));
        assert_eq!(count_listed("3-1"), None);
        assert_eq!(count_listed(""), None);
        assert_eq!(max_fds("Limit\nMax open files            1024    524288    files\n"), Some(1024));
        assert_eq!(max_fds("Max open files            unlimited    unlimited    files\n"), None);
        assert_eq!(boot_time("cpu 1\nbtime 1795000000\n"), Some(Duration::from_secs(1_795_000_000)));
    }

    #[test]
    fn the_tightest_group_limits_memory() {
        let root = std::env::temp_dir().join(format!("martlet-cgroup-{}", std::process::id()));
        let inner = root.join("pod/box");
        fs::create_dir_all(&inner).unwrap();
        fs::write(root.join("memory.max"), "max\n").unwrap();
        fs::write(root.join("pod/memory.max"), "1000\n").unwrap();
        fs::write(inner.join("memory.max"), "max\n").unwrap();
        assert_eq!(limit_of_groups(&root, "0::/pod/box\n"), Some(1000));
        fs::write(inner.join("memory.max"), "500\n").unwrap();
        assert_eq!(limit_of_groups(&root, "0::/pod/box\n"), Some(500));
        assert_eq!(limit_of_groups(&root, "0::/\n"), None);
        assert_eq!(limit_of_groups(&root, "0::/gone\n"), None);
        assert_eq!(limit_of_groups(&root, "1:cpu:/pod\n"), None);
        let first = root.join("memory/pod");
        fs::create_dir_all(&first).unwrap();
        fs::write(root.join("memory/memory.limit_in_bytes"), "9223372036854771712\n").unwrap();
        fs::write(first.join("memory.limit_in_bytes"), "700\n").unwrap();
        assert_eq!(limit_of_groups(&root, "4:hugetlb,memory:/pod/box\n1:cpu:/\n0::/\n"), Some(700));
        assert_eq!(limit_of_groups(&root, "4:memory:/\n0::/\n"), None);
        fs::remove_dir_all(&root).unwrap();
    }
}
