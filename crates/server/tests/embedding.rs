//! A server inside another program: connections without sockets, beside those with.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use martlet_config::MemorySource;
use martlet_server::{Options, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn options(more: &str) -> Options {
    let text = format!("listen: \"127.0.0.1:-1\"\n{more}");
    martlet_config::parse_str(&text, "test", &MemorySource::default()).expect("valid").options
}

#[test]
fn clients_inside_and_outside_share_all_subjects() {
    let server = Server::start(&options("")).expect("starts");
    let mut outside = TcpStream::connect(server.client_address().expect("it listens")).expect("connects");
    outside.write_all(b"CONNECT {\"verbose\":false}\r\nSUB a 7\r\nPING\r\n").expect("writes");
    let mut lines = BufReader::new(outside.try_clone().expect("clones")).lines().map_while(Result::ok);
    assert!(lines.by_ref().any(|line| line == "PONG"));
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let mut inside = server.connect();
        inside.write_all(b"CONNECT {\"verbose\":false}\r\nPUB a 2\r\nhi\r\n").await.expect("writes");
        assert!(lines.by_ref().any(|line| line == "MSG a 7 2"));
        assert_eq!(lines.next().as_deref(), Some("hi"));
    });
}

#[test]
fn options_come_from_a_file_and_a_stopped_server_leaves_nothing_open() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("server.conf");
    std::fs::write(&file, "listen: \"127.0.0.1:-1\"\nserver_name: inside\n").expect("written");
    let options = martlet_server::load(&file).expect("a good file");
    let server = Server::start(&options).expect("starts");
    let address = server.client_address().expect("it listens");
    let mut outside = TcpStream::connect(address).expect("connects");
    let mut lines = BufReader::new(outside.try_clone().expect("clones")).lines().map_while(Result::ok);
    assert!(lines.next().is_some_and(|info| info.contains("\"server_name\":\"inside\"")));
    server.stop();
    drop(lines);
    assert!(matches!(outside.read(&mut [0; 1]), Ok(0) | Err(_)), "closed");
    assert!(TcpStream::connect(address).is_err(), "nobody listens");
}

#[test]
fn what_cannot_be_used_is_refused_with_the_reason() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("server.conf");
    std::fs::write(&file, "foo: 1\n").expect("written");
    let error = martlet_server::load(&file).expect_err("an unknown field").to_string();
    assert!(error.contains("server.conf:1:0: unknown field \"foo\""), "{error}");
    let error = martlet_server::load(directory.path().join("none.conf")).expect_err("no such file").to_string();
    assert!(error.contains("none.conf: no such file or directory"), "{error}");
    for (text, expected) in [
        ("max_payload: 10\nmax_pending: 5\n", "max_payload (10) cannot be higher than max_pending (5)"),
        ("system_account: X\n", "\"X\" is not in \"accounts\""),
    ] {
        let error = Server::start(&options(text)).expect_err(text).to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn tls_is_not_asked_of_clients_in_the_process() {
    // spec: CORE-030
    let certificate = rcgen::generate_simple_self_signed(["localhost".into()]).expect("a certificate");
    let files = tempfile::tempdir().expect("a directory");
    let (cert, key) = (files.path().join("cert.pem"), files.path().join("key.pem"));
    std::fs::write(&cert, certificate.cert.pem()).expect("written");
    std::fs::write(&key, certificate.signing_key.serialize_pem()).expect("written");
    let mut options = options("");
    options.tls = Some(martlet_config::options::Tls {
        certificates: vec![martlet_config::options::CertificatePair { cert_file: cert, key_file: key }],
        ..Default::default()
    });
    let server = Server::start(&options).expect("starts");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let info = runtime.block_on(async {
        let mut bytes = vec![0; 4096];
        let n = server.connect().read(&mut bytes).await.expect("reads");
        String::from_utf8_lossy(&bytes[..n]).into_owned()
    });
    assert!(info.contains("\"tls_available\":true") && !info.contains("tls_required"), "{info}");
    let mut outside =
        BufReader::new(TcpStream::connect(server.client_address().expect("it listens")).expect("connects"));
    let mut info = String::new();
    outside.read_line(&mut info).expect("reads");
    assert!(info.contains("\"tls_required\":true"), "{info}");
}
