//! The fuzz targets' inputs, kept from earlier runs, replayed on the stable toolchain. See `fuzz/README.md`.

#[path = "../../../fuzz/checks/replay.rs"]
mod replay;
#[path = "../../../fuzz/checks/transforms.rs"]
mod transforms;

use replay::replay;

#[test]
fn transforms_corpus() {
    replay("transforms", transforms::check);
}
