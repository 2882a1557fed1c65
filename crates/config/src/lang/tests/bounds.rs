//! No file exhausts the server that reads it.

use std::fmt::Write as _;
use std::path::Path;

use super::environment;
use crate::lang::{parse_file, parse_text};
use crate::source::MemorySource;

const DEEP: usize = 1_000_000;

fn refusal(text: &str) -> String {
    parse_text(text, "t.conf", &environment()).expect_err("beyond a bound").to_string()
}

#[test]
fn nesting_is_bounded() {
    let arrays = format!("a {}", "[".repeat(DEEP));
    assert_eq!(refusal(&arrays), "the nesting of maps and arrays goes beyond 100 (in t.conf, line 1, column 103)");
    let maps = "a { ".repeat(DEEP);
    assert!(refusal(&maps).starts_with("the nesting of maps and arrays goes beyond 100"));
    let allowed = format!("a {}{}", "[".repeat(100), "]".repeat(100));
    assert!(parse_text(&allowed, "t.conf", &environment()).is_ok());
    // Braces around the whole file hold nothing open.
    assert!(parse_text(&"{".repeat(DEEP), "t.conf", &environment()).is_ok());
}

#[test]
fn variables_cannot_nest_beyond_what_braces_can() {
    let mut text = "x0 [1]\n".to_owned();
    for level in 1..=200 {
        let _ = writeln!(text, "x{level} [$x{}]", level - 1);
    }
    assert!(refusal(&text).starts_with("the nesting of maps and arrays goes beyond 100"));
}

#[test]
fn variables_cannot_blow_up() {
    let mut text = "x0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n".to_owned();
    for level in 1..=20 {
        let below = format!("$x{}", level - 1);
        let _ = writeln!(text, "x{level} [{}]", vec![below; 10].join(", "));
    }
    assert!(refusal(&text).starts_with("the number of values goes beyond 1000000"));
}

#[test]
fn chains_of_includes_and_variables_are_bounded() {
    let mut source = MemorySource::new();
    for level in 0..100 {
        source = source.file(format!("{level}.conf"), format!("include '{}.conf'", level + 1));
        source = source.variable(format!("V{level}"), format!("$V{}", level + 1));
    }
    let error = parse_file(Path::new("0.conf"), &source).expect_err("too many includes").to_string();
    assert!(error.contains("more than 32 files include each other"), "{error}");
    let error = parse_text("a $V0", "t.conf", &source).expect_err("too many variables").to_string();
    assert!(error.contains("more than 32 variables refer to each other"), "{error}");
}
