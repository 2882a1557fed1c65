//! The fuzz targets' inputs, kept from earlier runs, replayed on the stable toolchain. See `fuzz/README.md`.

#[path = "../../../fuzz/checks/checkpoint.rs"]
mod checkpoint;
#[path = "../../../fuzz/checks/frame.rs"]
mod frame;
#[path = "../../../fuzz/checks/journal.rs"]
mod journal;
#[path = "../../../fuzz/checks/replay.rs"]
mod replay;
#[path = "../../../fuzz/checks/segment.rs"]
mod segment;
#[path = "../../../fuzz/checks/summary.rs"]
mod summary;

use replay::replay;

#[test]
fn frame_corpus() {
    replay("frame", frame::check);
}

#[test]
fn segment_corpus() {
    replay("segment", segment::check);
}

#[test]
fn checkpoint_corpus() {
    replay("checkpoint", checkpoint::check);
}

#[test]
fn summary_corpus() {
    replay("summary", summary::check);
}

#[test]
fn journal_corpus() {
    replay("journal", journal::check);
}
