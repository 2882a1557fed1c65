//! Runs a check on every input of a target's corpus: what crates do with `cargo test` on the stable toolchain.

use std::path::Path;

/// Panics with the name of the first input of `target` that fails `check`.
pub(crate) fn replay(target: &str, check: fn(&[u8])) {
    // Every crate that replays is at crates/NAME.
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let files = corpus.read_dir().unwrap_or_else(|error| panic!("{}: {error}", corpus.display()));
    let mut replayed = 0;
    for file in files {
        let path = file.expect("a directory entry").path();
        #[expect(clippy::disallowed_methods, reason = "the test reads its inputs; the crate under test reads nothing")]
        let data = std::fs::read(&path).expect("a readable input");
        assert!(std::panic::catch_unwind(|| check(&data)).is_ok(), "{} fails the check of {target}", path.display());
        replayed += 1;
    }
    assert!(replayed > 0, "{} is empty", corpus.display());
}
