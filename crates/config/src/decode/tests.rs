//! Options by their rows: a snippet, and what becomes of it.

mod accounts;
mod cluster;
mod findings;
mod gateway;
mod jetstream;
mod later;
mod leafnodes;
mod security;
mod tls;
mod top;

use std::path::Path;

use crate::{ConfigErrors, Loaded, MemorySource, Options, load};

const USER_NKEY: &str = "UCNGL4W5QX66CFX6A6DCBVDH5VOHMI7B2UZZU7TXAUQQSI2JPHULCKBR";
const ACCOUNT_NKEY: &str = "ABJHLOVMPA4CI6R5KLNGOB4GSLNIY7IOUPAJC4YFNDLQVIOBYQGUWVLA";

fn read(text: &str) -> Result<Loaded, ConfigErrors> {
    let mut source = MemorySource::new().file("t.conf", text);
    for file in ["cert.pem", "key.pem", "other.pem", "other.key", "ca.pem"] {
        source = source.file(file, "PEM");
    }
    load(Path::new("t.conf"), &source)
}

/// The options of a file that nothing is wrong with.
fn options(text: &str) -> Options {
    match read(text) {
        Ok(loaded) => {
            assert!(!loaded.has_warnings(), "{text}: {:?}", loaded.warnings);
            loaded.options
        }
        Err(errors) => panic!("{text}: {errors}"),
    }
}

/// What is wrong with a file, a line each.
fn errors(text: &str) -> String {
    match read(text) {
        Ok(loaded) => panic!("{text} was accepted: {:?}", loaded.options),
        Err(errors) => errors.to_string(),
    }
}

/// What is said about a file that is accepted, a line each.
fn warnings(text: &str) -> String {
    match read(text) {
        Ok(loaded) => loaded.warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        Err(errors) => panic!("{text}: {errors}"),
    }
}

/// Checks that `text` sets exactly what `set` sets on the defaults.
fn check(text: &str, set: impl FnOnce(&mut Options)) {
    let read = options(text);
    let mut expected = Options {
        config_file: read.config_file.clone(),
        config_digest: read.config_digest.clone(),
        ..Options::default()
    };
    set(&mut expected);
    assert_eq!(read, expected, "{text}");
}
