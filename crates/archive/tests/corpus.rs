//! The inputs that fuzzing has found worth keeping.

#[path = "../../../fuzz/checks/archive.rs"]
mod archive;
#[path = "../../../fuzz/checks/files.rs"]
mod files;
#[path = "../../../fuzz/checks/reference.rs"]
mod reference;
#[path = "../../../fuzz/checks/replay.rs"]
mod replay;

#[test]
fn archives() {
    replay::replay("archive", archive::check);
}

#[test]
fn files() {
    replay::replay("files", files::check);
}
