//! `/stacksz` and `/debug/vars`: what there is to say about threads and memory.
//!
//! There are no stacks to print: the threads are listed with what they are doing.

use std::fmt::Write as _;

use serde::Serialize;

use super::reply::{Layout, to_json};
use crate::process::{Thread, Usage, threads};
use crate::views::{Expvarz, Memstats, expvarz};

/// One line for each thread.
// spec: CLU-112 CLU-155
pub(super) fn stacks() -> String {
    let threads = threads();
    let mut text = format!("{} threads\n\n", threads.len());
    for Thread { id, name, state, cpu } in threads {
        let _ = writeln!(text, "thread {id} [{}]: {name}, cpu {:.2}s", state_name(state), cpu.as_secs_f64());
    }
    text
}

fn state_name(state: char) -> &'static str {
    match state {
        'R' => "running",
        'S' | 'I' => "sleeping",
        'D' => "waiting for a device",
        'T' | 't' => "stopped",
        _ => "ending",
    }
}

#[derive(Serialize)]
struct Vars<'a> {
    cmdline: Vec<String>,
    memstats: Memstats,
    process: Resources<'a>,
}

#[derive(Serialize)]
struct Resources<'a> {
    resident_bytes: u64,
    virtual_bytes: u64,
    cpu_seconds: f64,
    threads: u64,
    open_fds: u64,
    max_fds: &'a Option<u64>,
}

/// The process's variables.
// spec: CLU-112 CLU-156
pub(super) fn debug_vars(usage: &Usage) -> Vec<u8> {
    let Expvarz { memstats, cmdline } = expvarz(usage);
    let vars = Vars {
        cmdline,
        memstats,
        process: Resources {
            resident_bytes: usage.resident_bytes,
            virtual_bytes: usage.virtual_bytes,
            cpu_seconds: usage.cpu.as_secs_f64(),
            threads: usage.threads,
            open_fds: usage.open_fds,
            max_fds: &usage.max_fds,
        },
    };
    to_json(Layout::Indented("  "), &vars)
}
