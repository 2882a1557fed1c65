//! `--signal`: a signal to a server that runs already.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};
use thiserror::Error;

/// The names a server runs under.
const NAMES: [&str; 2] = ["nats-server", "martlet"];

/// Why no signal was sent, or not to everyone.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum SendError {
    /// Neither a number, nor a prefix and `*`, nor a file that holds a number.
    #[error("invalid pid: {0}")]
    InvalidPid(String),
    /// None of the six.
    #[error("unknown signal {0:?}")]
    UnknownSignal(String),
    /// Nobody to signal.
    #[error("no {0} processes running")]
    NoneRunning(String),
    /// It has to be said which one.
    #[error("multiple {program} processes running:{}", list(pids))]
    Several {
        /// What they are called.
        program: String,
        /// Those that run.
        pids: Vec<i32>,
    },
    /// There is no list of processes here.
    #[error("unable to resolve pid, try providing one")]
    NoList,
    /// Some would not take it.
    #[error("{0}")]
    Failed(String),
}

fn list(pids: &[i32]) -> String {
    pids.iter().fold(String::new(), |text, pid| text + "\n" + &pid.to_string())
}

/// Sends `command` to `target`: a pid, the start of one and `*`, the path of a pid file, or whoever runs.
// spec: CORE-141
pub(super) fn send(program: &str, command: &str, target: &str) -> Result<(), SendError> {
    let content = fs::read_to_string(target).ok();
    let wanted = content.as_deref().unwrap_or(target);
    let pids = select(program, wanted, |name| running(Path::new("/proc"), name))?;
    let signal = signal(command)?;
    let mut failures = String::new();
    for pid in pids {
        let result = Pid::from_raw(pid).ok_or(Errno::SRCH).and_then(|pid| kill_process(pid, signal));
        if let Err(errno) = result {
            let reason = match errno {
                Errno::SRCH => "no such process".into(),
                Errno::PERM => "operation not permitted".into(),
                other => other.to_string(),
            };
            // Writing to a string does not fail.
            let _ = write!(failures, "\nsignal {command:?} {pid}: {reason}");
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(SendError::Failed(failures)) }
}

fn signal(command: &str) -> Result<Signal, SendError> {
    match command {
        "stop" => Ok(Signal::KILL),
        "quit" => Ok(Signal::INT),
        "term" => Ok(Signal::TERM),
        "reopen" => Ok(Signal::USR1),
        "reload" => Ok(Signal::HUP),
        "ldm" => Ok(Signal::USR2),
        _ => Err(SendError::UnknownSignal(command.to_owned())),
    }
}

/// Whom `wanted` means. `running` is asked, by name, only when the pid is not given in full.
///
/// Whoever types `martlet` means a `martlet`, though a `nats-server` runs beside it; where none is called so, a server by the
/// other name is meant.
fn select(program: &str, wanted: &str, running: impl Fn(&str) -> Option<Vec<i32>>) -> Result<Vec<i32>, SendError> {
    let (digits, is_prefix) = match wanted.strip_suffix('*') {
        Some(digits) => (digits, true),
        None => (wanted.trim_end(), false),
    };
    if !digits.is_empty() {
        // Nothing below 1: those numbers mean whole groups of processes.
        let pid = digits.parse().ok().filter(|pid: &i32| *pid > 0);
        let pid = pid.ok_or_else(|| SendError::InvalidPid(digits.to_owned()))?;
        if !is_prefix {
            return Ok(vec![pid]);
        }
    }
    let (mut called, mut pids) = (program, running(program).ok_or(SendError::NoList)?);
    if pids.is_empty() {
        called = NAMES.into_iter().find(|name| *name != program).unwrap_or(program);
        pids = running(called).ok_or(SendError::NoList)?;
    }
    if pids.len() > 1 && !is_prefix {
        return Err(SendError::Several { program: called.to_owned(), pids });
    }
    let chosen: Vec<i32> = pids.into_iter().filter(|pid| pid.to_string().starts_with(digits)).collect();
    if chosen.is_empty() { Err(SendError::NoneRunning(program.to_owned())) } else { Ok(chosen) }
}

/// The servers called `name` among the processes under `proc`, without this process; `None` where there is no such list.
fn running(proc: &Path, name: &str) -> Option<Vec<i32>> {
    let mut pids: Vec<i32> = fs::read_dir(proc)
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid: &i32| u32::try_from(*pid) != Ok(std::process::id()))
        .filter(|pid| is_server(&proc.join(pid.to_string()), name))
        .collect();
    pids.sort_unstable();
    Some(pids)
}

/// By its name, and by its arguments: `martlet pub` is a client and no server.
fn is_server(process: &Path, name: &str) -> bool {
    let is_named = fs::read_to_string(process.join("comm")).is_ok_and(|comm| comm.trim_end() == name);
    let has_flags_only = || {
        let arguments = fs::read(process.join("cmdline")).unwrap_or_default();
        let first = arguments.split(|byte| *byte == 0).nth(1).unwrap_or_default();
        first.is_empty() || first.starts_with(b"-")
    };
    is_named && has_flags_only()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_a_target_means() {
        // spec: CORE-141
        let some = |name: &str| Some(if name == "nats-server" { vec![12, 123, 45] } else { vec![] });
        let program = "nats-server".to_owned();
        for (wanted, expected) in [
            ("77", Ok(vec![77])),
            ("77\n", Ok(vec![77])), // a pid file somebody else wrote
            ("12*", Ok(vec![12, 123])),
            ("*", Ok(vec![12, 123, 45])),
            ("9*", Err(SendError::NoneRunning(program.clone()))),
            ("", Err(SendError::Several { program: program.clone(), pids: vec![12, 123, 45] })),
            ("abc", Err(SendError::InvalidPid("abc".into()))),
            ("-1", Err(SendError::InvalidPid("-1".into()))),
            ("0", Err(SendError::InvalidPid("0".into()))),
        ] {
            assert_eq!(select(&program, wanted, some), expected, "{wanted:?}");
        }
        assert_eq!(select(&program, "", |_| Some(vec![])), Err(SendError::NoneRunning(program.clone())));
        assert_eq!(select(&program, "1*", |_| None), Err(SendError::NoList));
        let several = SendError::Several { program, pids: vec![12, 13] };
        assert_eq!(several.to_string(), "multiple nats-server processes running:\n12\n13");
    }

    #[test]
    fn those_called_like_the_command_come_first() {
        // spec: CORE-141
        let beside = |martlets: &[i32], others: &[i32]| {
            let (martlets, others) = (martlets.to_vec(), others.to_vec());
            move |name: &str| Some(if name == "martlet" { martlets.clone() } else { others.clone() })
        };
        let several = |program: &str| Err(SendError::Several { program: program.into(), pids: vec![5, 6] });
        for (program, martlets, others, expected) in [
            ("martlet", &[5][..], &[6][..], Ok(vec![5])),
            ("nats-server", &[5], &[6], Ok(vec![6])),
            ("martlet", &[], &[6], Ok(vec![6])),
            ("nats-server", &[5], &[], Ok(vec![5])),
            ("martlet", &[5, 6], &[7], several("martlet")),
            ("martlet", &[], &[5, 6], several("nats-server")),
        ] {
            assert_eq!(select(program, "", beside(martlets, others)), expected, "{program} {martlets:?} {others:?}");
        }
        assert_eq!(select("martlet", "*", beside(&[5], &[6])), Ok(vec![5]));
    }

    #[test]
    fn failures_are_told_as_the_reference_tells_them() {
        // spec: CORE-141
        // Above the largest pid that Linux gives.
        let error = send("nats-server", "quit", "4999999").expect_err("nobody there").to_string();
        assert_eq!(error, "\nsignal \"quit\" 4999999: no such process");
        let error = send("nats-server", "foo", "4999999").expect_err("no such command").to_string();
        assert_eq!(error, "unknown signal \"foo\"");
    }

    #[test]
    fn every_command_has_its_signal() {
        // spec: CORE-141 CLI-003
        for (command, expected) in [
            ("stop", Signal::KILL),
            ("quit", Signal::INT),
            ("term", Signal::TERM),
            ("reopen", Signal::USR1),
            ("reload", Signal::HUP),
            ("ldm", Signal::USR2),
        ] {
            assert_eq!(signal(command), Ok(expected));
        }
    }

    #[test]
    fn servers_are_told_from_clients_and_strangers() {
        // spec: CORE-141
        let proc = tempfile::tempdir().unwrap();
        for (pid, comm, cmdline) in [
            ("10", "nats-server\n", "nats-server\0-c\0a.conf\0"),
            ("9", "martlet\n", "martlet\0"),
            ("11", "martlet\n", "martlet\0pub\0a\0b\0"),
            ("12", "bash\n", "bash\0"),
            ("self", "martlet\n", "martlet\0"),
        ] {
            let process = proc.path().join(pid);
            fs::create_dir(&process).unwrap();
            fs::write(process.join("comm"), comm).unwrap();
            fs::write(process.join("cmdline"), cmdline).unwrap();
        }
        assert_eq!(running(proc.path(), "martlet"), Some(vec![9]));
        assert_eq!(running(proc.path(), "nats-server"), Some(vec![10]));
        assert_eq!(running(&proc.path().join("none"), "martlet"), None);
    }
}
