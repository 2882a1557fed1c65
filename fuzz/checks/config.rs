//! Configuration of any text: it is read or refused with a place, and what was read can be checked as a whole.

use martlet_config::{MemorySource, parse_str, validate};

/// The text of a file, with one file to include and one variable to use.
pub(crate) fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let source = MemorySource::new().file("included.conf", "port: 4223").variable("VARIABLE", "7");
    match parse_str(text, "fuzz.conf", &source) {
        Ok(loaded) => {
            let _ = validate(&loaded.options);
        }
        Err(errors) => assert!(!errors.to_string().is_empty()),
    }
}
