//! Variables of the process, for those who ask the system account for them.

use serde::Serialize;

use crate::process::{Usage, command_line};

/// Variables of the process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Expvarz {
    /// Its memory.
    pub(crate) memstats: Memstats,
    /// What it was started by.
    pub(crate) cmdline: Vec<String>,
}

/// Names that readers of these variables know, for what means the same here: there is no collector, and memory is what
/// the system counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Memstats {
    /// Memory in use.
    pub(crate) sys: u64,
}

/// Answers.
// spec: CLU-088
pub fn expvarz(usage: &Usage) -> Expvarz {
    Expvarz { memstats: Memstats { sys: usage.resident_bytes }, cmdline: command_line() }
}
