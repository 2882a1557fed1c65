//! `martlet-compat`: writes `docs/compat.md`, the page that says which rows of the contract hold and which test shows it.
//!
//! `martlet-compat --check` writes nothing and fails if the page is stale, or if a row is cited or noted that does not exist.

mod citations;
mod notes;
mod report;
mod spec;

use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

use martlet_source::{root, texts};

use self::notes::Notes;
use self::report::Contract;

const PAGE: &str = "docs/compat.md";
const NOTES: &str = "docs/compat-notes.txt";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let check = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => false,
        ["--check"] => true,
        _ => {
            eprintln!("usage: martlet-compat [--check]");
            return ExitCode::from(2);
        }
    };
    match run(&root(), check) {
        Ok(()) => ExitCode::SUCCESS,
        Err(faults) => {
            for fault in faults {
                eprintln!("martlet-compat: {fault}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run(root: &Path, check: bool) -> Result<(), Vec<String>> {
    let contract = read(root).map_err(|error| vec![error])?;
    let faults = contract.faults();
    if !faults.is_empty() {
        return Err(faults);
    }
    let page = contract.page();
    let path = root.join(PAGE);
    if !check {
        return fs::write(&path, page).map_err(|error| vec![format!("{PAGE}: {error}")]);
    }
    if fs::read_to_string(&path).is_ok_and(|old| old == page) {
        return Ok(());
    }
    Err(vec![format!("{PAGE} is stale; run `cargo run -p martlet-compat` and commit it")])
}

fn read(root: &Path) -> Result<Contract, String> {
    let texts = |below: &[&str]| texts(root, below).map_err(|error| format!("git ls-files: {error}"));
    let mut rows = Vec::new();
    for source in texts(&["docs/spec"])? {
        let file = source.path.rsplit('/').next().unwrap_or_default();
        rows.extend(spec::rows(file, &source.text));
    }
    let cited = citations::citations(&texts(&["crates", "tests"])?);
    let notes = fs::read_to_string(root.join(NOTES)).map_err(|error| format!("{NOTES}: {error}"))?;
    let notes = Notes::parse(&notes).map_err(|error| format!("{NOTES}: {error}"))?;
    Ok(Contract { rows, cited, notes })
}
