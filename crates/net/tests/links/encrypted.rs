//! TLS, behind the first word or before it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use martlet_broker::driver::Level;
use martlet_broker::peer::Kind;
use martlet_config::options::{CertificatePair, HandshakeFirst, Tls};
use martlet_net::tls::{Client, Server, mutual, server_name};
use martlet_net::{Origin, Terms};
use martlet_proto::ClosedReason;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;

use crate::support::{Dialling, End, Node, Script, Shape, body_line, terms, whom};

/// An authority, and the files of those it vouches for.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    files: TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(vec![]).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate");
        Self { issuer, files: tempfile::tempdir().expect("a directory") }
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.files.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path
    }

    /// A block with a certificate for `name`, trusting those of this authority.
    fn block(&self, name: &str) -> Tls {
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let pair = CertificatePair {
            cert_file: self.write(&format!("{name}.pem"), &certificate.pem()),
            key_file: self.write(&format!("{name}.key"), &key.serialize_pem()),
        };
        Tls { certificates: vec![pair], ca_file: Some(self.write("ca.pem", &self.issuer.pem())), ..Tls::default() }
    }
}

fn served(kind: Kind, block: &Tls) -> Terms {
    terms(kind, Origin::Accepted(Some(Arc::new(Server::load(block).expect("a block")))))
}

fn dialling(kind: Kind, block: &Tls, name: &str) -> Terms {
    let client = Arc::new(Client::load(block).expect("a block"));
    terms(kind, Origin::Dialled(Some((client, server_name(name, None).expect("a name")))))
}

/// A link between two servers whose blocks are these; dialled by the name `localhost`.
fn link(script: Script, kind: Kind, server: &Tls, client: &Tls) -> (Node, Dialling, [End; 2]) {
    let node = Node::new(script);
    let (address, accepted) = node.listen(served(kind, server));
    let (link, dialled) = node.dial(whom(address), dialling(kind, client, "localhost"));
    (node, link, [accepted, dialled])
}

#[test]
fn both_ends_show_who_they_are() {
    // spec: CFG-142
    let ca = Authority::new();
    let (server, client) = (ca.block("localhost"), ca.block("client"));
    let (_node, _link, [mut accepted, mut dialled]) = link(Script::default(), Kind::Route, &mutual(&server), &client);
    let (near, far) = (dialled.secured(), accepted.secured());
    for found in [&near, &far] {
        assert_eq!((&*found.tls.version, found.tls.first), ("1.3", false));
        assert_eq!(found.tls.cipher, "TLS_AES_128_GCM_SHA256");
    }
    let names = |found: &martlet_broker::driver::Secured| found.names.clone().expect("a certificate").dns_names;
    assert_eq!((names(&near), names(&far)), (vec!["localhost".to_owned()], vec!["client".to_owned()]));
    dialled.say("SAY hi\r\n");
    assert_eq!(dialled.line(), "SAID hi");
}

#[test]
fn large_bodies_come_decrypted_and_decompressed() {
    let ca = Authority::new();
    let block = ca.block("localhost");
    let large: Vec<u8> = (0..2_000_000_u32).map(|n| if n % 3 == 0 { fastrand::u8(..) } else { b'x' }).collect();
    for level in [None, Some(Level::Fast)] {
        let script = Script { level, ..Script::default() };
        let (_node, _link, [mut accepted, mut dialled]) = link(script, Kind::Route, &mutual(&block), &block);
        dialled.secured();
        accepted.secured();
        assert_eq!(accepted.peer().description().tls.as_ref().map(|tls| tls.peer_certs.len()), Some(1));
        if level.is_some() {
            assert_eq!(dialled.line(), "COMPRESSED");
        }
        dialled.say([body_line(&large), body_line(b"small"), body_line(&large), b"SAY on\r\n".to_vec()].concat());
        let (body, shape) = accepted.body();
        assert!(body == large && shape == Shape::OnItsOwn);
        assert_eq!(dialled.body().0.len(), large.len());
        assert_eq!(dialled.body().0, b"small");
        assert!(dialled.body().0 == large);
        assert_eq!(dialled.line(), "SAID on");
    }
}

#[test]
fn leaf_nodes_may_begin_with_it() {
    // spec: CFG-138
    let ca = Authority::new();
    let first = Tls { handshake_first: HandshakeFirst::On, ..ca.block("localhost") };
    let (_node, _link, [mut accepted, mut dialled]) = link(Script::default(), Kind::Leaf, &first, &first);
    assert!(dialled.secured().tls.first && accepted.secured().tls.first);
    assert_eq!(dialled.line(), "HELLO");
}

#[test]
fn leaf_nodes_may_begin_with_it_for_a_while() {
    // spec: CFG-138
    let ca = Authority::new();
    let block = ca.block("localhost");
    let first = Tls { handshake_first: HandshakeFirst::On, ..block.clone() };
    let within = |patience| Tls { handshake_first: HandshakeFirst::Fallback(patience), ..block.clone() };
    for (server, client, is_first) in
        [(within(Duration::from_millis(50)), &block, false), (within(Duration::from_mins(1)), &first, true)]
    {
        let (_node, _link, [mut accepted, mut dialled]) = link(Script::default(), Kind::Leaf, &server, client);
        assert_eq!((dialled.secured().tls.first, accepted.secured().tls.first), (is_first, is_first));
    }
}

#[test]
fn who_cannot_be_trusted_is_refused() {
    // spec: CFG-132 CFG-137 CFG-142
    let (ca, stranger) = (Authority::new(), Authority::new());
    let server = ca.block("localhost");
    let outcome = |server: &Tls, client: &Tls, name: &str| {
        let node = Node::new(Script::default());
        let (address, mut accepted) = node.listen(served(Kind::Gateway, server));
        let (link, _end) = node.dial(whom(address), dialling(Kind::Gateway, client, name));
        let near = link.outcome().expect("it was dialled");
        (near, accepted.ended().1)
    };
    let both = (ClosedReason::TlsHandshakeError, ClosedReason::TlsHandshakeError);
    assert_eq!(outcome(&server, &stranger.block("client"), "localhost"), both, "another authority");
    assert_eq!(outcome(&server, &server, "elsewhere"), both, "another name");
    let pinned = Tls { pinned_certs: vec!["00".repeat(32)], ..server.clone() };
    assert_eq!(outcome(&server, &pinned, "localhost").0, ClosedReason::TlsHandshakeError, "not the pinned one");
    assert_eq!(outcome(&Tls { verify: true, ..pinned }, &server, "localhost").1, ClosedReason::TlsHandshakeError);
    let nobody = Tls { certificates: Vec::new(), ..server.clone() };
    assert_eq!(outcome(&mutual(&server), &nobody, "localhost").1, ClosedReason::TlsHandshakeError, "shows nothing");
}

#[test]
fn whoever_wants_no_proof_gets_none() {
    // spec: CFG-132
    let (ca, stranger) = (Authority::new(), Authority::new());
    let insecure = Tls { insecure: true, ..stranger.block("client") };
    let (_node, _link, [_, mut dialled]) = link(Script::default(), Kind::Leaf, &ca.block("elsewhere"), &insecure);
    assert_eq!(dialled.secured().names.expect("a certificate").dns_names, ["elsewhere"]);
}

#[test]
fn the_silent_are_not_waited_for() {
    let ca = Authority::new();
    let node = Node::new(Script::default());
    let patient = Tls { timeout: Duration::from_millis(50), ..ca.block("localhost") };
    let (address, mut accepted) = node.listen(served(Kind::Route, &patient));
    let mut silent = TcpStream::connect(address).expect("somebody listens");
    assert_eq!(accepted.ended().1, ClosedReason::TlsHandshakeError);
    let mut told = String::new();
    silent.read_to_string(&mut told).expect("it hangs up");
    assert_eq!(told, "HELLO\r\n");
}

#[test]
fn a_handshake_does_not_keep_a_link_that_is_to_close() {
    let ca = Authority::new();
    let node = Node::new(Script::default());
    let patient = Tls { timeout: Duration::from_hours(1), ..ca.block("localhost") };
    for (kind, first) in [(Kind::Route, HandshakeFirst::Off), (Kind::Leaf, HandshakeFirst::On)] {
        let (address, mut accepted) = node.listen(served(kind, &Tls { handshake_first: first, ..patient.clone() }));
        let _silent = TcpStream::connect(address).expect("somebody listens");
        accepted.close(ClosedReason::ServerShutdown);
        assert_eq!(accepted.ended().1, ClosedReason::ServerShutdown);
    }
}

#[test]
fn the_first_word_may_come_with_the_last_of_the_handshake() {
    let (ca, node) = (Authority::new(), Node::new(Script::default()));
    let block = ca.block("localhost");
    let (address, mut accepted) = node.listen(served(Kind::Route, &block));
    let mut stream = TcpStream::connect(address).expect("somebody listens");
    stream.read_exact(&mut [0; "HELLO\r\n".len()]).expect("a greeting");
    let config = Client::load(&block).expect("a block").config.clone();
    let mut tls = rustls::ClientConnection::new(config, server_name("localhost", None).expect("a name")).expect("TLS");
    while tls.is_handshaking() {
        while tls.wants_write() {
            tls.write_tls(&mut stream).expect("it takes that");
        }
        tls.read_tls(&mut stream).expect("it is open");
        tls.process_new_packets().expect("it is trusted");
    }
    tls.writer().write_all(b"SAY hi\r\n").expect("there is room");
    let mut together = Vec::new();
    while tls.wants_write() {
        tls.write_tls(&mut together).expect("memory");
    }
    stream.write_all(&together).expect("it takes that");
    assert_eq!(accepted.line(), "SAY hi");
}

/// Listens once, says `words` and hangs up when the peer does.
fn speaker(words: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("somebody dials");
        stream.write_all(words).expect("it takes that");
        // Until it hangs up, in whatever way.
        let _ = stream.read_to_end(&mut Vec::new());
    });
    address
}

#[test]
fn nothing_said_in_the_clear_is_taken_for_encrypted() {
    let (ca, node) = (Authority::new(), Node::new(Script::default()));
    let address = speaker(b"HELLO\r\nSAY evil\r\n");
    let (link, mut dialled) = node.dial(whom(address), dialling(Kind::Route, &ca.block("client"), "localhost"));
    assert_eq!(dialled.ended(), (vec!["HELLO".into()], ClosedReason::TlsHandshakeError));
    assert_eq!(link.outcome().expect("it was up"), ClosedReason::TlsHandshakeError);
}

#[test]
fn what_is_no_tls_is_refused() {
    let (ca, node) = (Authority::new(), Node::new(Script::default()));
    let (address, mut accepted) = node.listen(served(Kind::Route, &ca.block("localhost")));
    let mut plain = TcpStream::connect(address).expect("somebody listens");
    plain.write_all(b"SAY hi\r\n").expect("it takes that");
    assert_eq!(accepted.ended(), (vec![], ClosedReason::TlsHandshakeError));
}
