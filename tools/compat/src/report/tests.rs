use martlet_source::Source;

use super::*;
use crate::citations::citations;
use crate::spec::rows;

fn contract(spec: &str, code: &str, test: &str, notes: &str) -> Contract {
    let source = |path: &str, ids: &str| Source { path: path.to_owned(), text: format!("// spec: {ids}\n") };
    Contract {
        rows: rows("01.md", spec),
        cited: citations(&[source("crates/a/src/lib.rs", code), source("tests/a.py", test)]),
        notes: Notes::parse(notes).expect("valid notes"),
    }
}

const SPEC: &str =
    "- [ ] **A-001** one\n- [ ] **A-002** two\n- [ ] **A-003** a|b\n- [ ] **B-001** four\n- [ ] **B-002** five\n";

#[test]
fn a_row_is_done_by_a_test_and_only_if_nothing_is_said_against_it() {
    let contract = contract(SPEC, "A-001 A-003", "A-001 A-002 B-001", "partly A-002 half of it\nlater B-* next year\n");
    assert_eq!(contract.faults(), [""; 0]);
    let page = contract.page();
    for line in [
        "| [01.md](spec/01.md) | 5 | 2 | 0 | 1 | 0 | 1 | 0 | 1 |",
        "| **all** | 5 | 2 | 0 | 1 | 0 | 1 | 0 | 1 |",
        "| A-001 | done | one | [tests/a.py](../tests/a.py) |",
        "| A-002 | partly | two | half of it<br>[tests/a.py](../tests/a.py) |",
        "| A-003 | open | a\\|b | code without a test: [crates/a/src/lib.rs](../crates/a/src/lib.rs) |",
        "| B-001 | done | four | [tests/a.py](../tests/a.py) |",
        "| B-002 | later | five |  |",
    ] {
        assert!(page.lines().any(|l| l == line), "{line} in\n{page}");
    }
}

#[test]
fn to_read_an_option_is_not_to_do_what_it_says() {
    let mut contract = contract(SPEC, "", "A-001", "");
    let decoder = "// spec: A-001 A-002\n".to_owned();
    let path = format!("{DECODERS}/tests.rs");
    let sources = ["tests/a.py", &path].map(|path| Source { path: path.to_owned(), text: decoder.clone() });
    contract.cited = citations(&sources[1..]);
    assert!(contract.page().contains("| A-001 | read | one |"));
    contract.cited = citations(&sources);
    assert!(contract.page().contains("| A-001 | done | one |"));
}

#[test]
fn names_that_are_no_rows_are_faults() {
    let contract =
        contract(&format!("{SPEC}- [ ] **A-001** again\n"), "A-009", "A-001", "different A-008 x\nlater C-* y\n");
    assert_eq!(
        contract.faults(),
        [
            "A-001 is in the contract twice (again in 01.md)",
            "A-009 is cited in crates/a/src/lib.rs but is no row",
            "A-008 has a note but is no row",
            "C-* has a note but no row is named so",
        ]
    );
}
