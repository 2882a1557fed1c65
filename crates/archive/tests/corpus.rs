//! The inputs that fuzzing has found worth keeping.

#[path = "../../../fuzz/checks/archive.rs"]
mod archive;
#[path = "../../../fuzz/checks/replay.rs"]
mod replay;

#[test]
fn archives() {
    replay::replay("archive", archive::check);
}
