//! The fuzz targets' inputs, kept from earlier runs, replayed on the stable toolchain. See `fuzz/README.md`.

#[path = "../../../fuzz/checks/connect_json.rs"]
mod connect_json;
#[path = "../../../fuzz/checks/headers.rs"]
mod headers;
#[path = "../../../fuzz/checks/link.rs"]
mod link;
#[path = "../../../fuzz/checks/link_json.rs"]
mod link_json;
#[path = "../../../fuzz/checks/parser.rs"]
mod parser;
#[path = "../../../fuzz/checks/proxy_protocol.rs"]
mod proxy_protocol;
#[path = "../../../fuzz/checks/replay.rs"]
mod replay;
#[path = "../../../fuzz/checks/s2.rs"]
mod s2;

use replay::replay;

#[test]
fn parser_corpus() {
    replay("parser", parser::check);
}

#[test]
fn headers_corpus() {
    replay("headers", headers::check);
}

#[test]
fn connect_json_corpus() {
    replay("connect_json", connect_json::check);
}

#[test]
fn proxy_protocol_corpus() {
    replay("proxy_protocol", proxy_protocol::check);
}

#[test]
fn link_corpus() {
    replay("link", link::check);
}

#[test]
fn link_json_corpus() {
    replay("link_json", link_json::check);
}

#[test]
fn s2_corpus() {
    replay("s2", s2::check);
}
