//! Who can talk to whom.

use rustls::version::{TLS12, TLS13};
use rustls::{HandshakeKind, NamedGroup};

use super::*;

#[test]
fn both_versions_are_spoken_and_named() {
    // spec: SEC-067 SEC-072 CFG-135
    let (files, ca) = (Files::new(), authority("ca"));
    let server = Server::load(&tls(vec![files.pair("leaf", &ca.issue("localhost"))])).expect("a pair");
    for (versions, version, suite) in
        [(&[&TLS13], "1.3", "TLS_AES_128_GCM_SHA256"), (&[&TLS12], "1.2", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256")]
    {
        let mut pair = Client::trusting(&ca).connect_speaking(&server, versions).expect(version);
        assert!(pair.talks());
        assert_eq!(pair.spoken(), (version.to_owned(), suite.to_owned()));
    }
}

#[test]
fn the_lowest_version_is_kept_to() {
    // spec: SEC-067 CFG-135
    use martlet_config::options::TlsVersion::V1_3;
    let (files, ca) = (Files::new(), authority("ca"));
    let options = Tls { min_version: V1_3, ..tls(vec![files.pair("leaf", &ca.issue("localhost"))]) };
    let server = Server::load(&options).expect("a pair");
    assert!(Client::trusting(&ca).connect_speaking(&server, &[&TLS13]).is_ok());
    assert!(Client::trusting(&ca).connect_speaking(&server, &[&TLS12]).is_err());
}

#[test]
fn suites_and_curves_are_those_configured() {
    // spec: SEC-067 CFG-134
    let (files, ca) = (Files::new(), authority("ca"));
    let options = Tls {
        cipher_suites: vec!["TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256".into()],
        curve_preferences: vec!["CurveP384".into()],
        ..tls(vec![files.pair("leaf", &ca.issue("localhost"))])
    };
    let server = Server::load(&options).expect("supported names");
    let pair = Client::trusting(&ca).connect_speaking(&server, &[&TLS12]).expect("a suite in common");
    let group = pair.server.negotiated_key_exchange_group().expect("a group").name();
    assert_eq!(group, NamedGroup::secp384r1);
    assert_eq!(pair.spoken().1, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256");

    let mut client = Client::trusting(&ca);
    client.speaks.kx_groups.retain(|group| group.name() == NamedGroup::X25519);
    assert!(client.connect(&server).is_err(), "no curve in common");
    let unknown = Tls { cipher_suites: vec!["TLS_NONSENSE".into()], ..options };
    assert!(refusal(&unknown).starts_with("unrecognized cipher TLS_NONSENSE; available: "));
}

#[test]
fn clients_show_certificates_of_the_right_authority_or_stay_out() {
    // spec: SEC-064 CFG-131
    let (files, ca, stranger) = (Files::new(), authority("ca"), authority("stranger"));
    let (known, unknown) = (ca.issue("client"), stranger.issue("client"));
    let base =
        Tls { ca_file: Some(files.write("ca.pem", &ca.pem())), ..tls(vec![files.pair("s", &ca.issue("localhost"))]) };
    for verifying in [Tls { verify: true, ..base.clone() }, Tls { map: true, ..base.clone() }] {
        let server = Server::load(&verifying).expect("an authority");
        assert!(server.verifies);
        for versions in [&[&TLS12], &[&TLS13]] {
            let showing = |shows| Client { shows, ..Client::trusting(&ca) }.connect_speaking(&server, versions);
            let pair = showing(Some(&known)).expect("a known certificate");
            assert_eq!(pair.shown_to_server(), Some(known.peer()));
            assert!(showing(Some(&unknown)).is_err(), "of a stranger");
            assert!(showing(None).is_err(), "none");
        }
    }
    let open = Server::load(&base).expect("a pair");
    let pair = Client { shows: Some(&unknown), ..Client::trusting(&ca) }.connect(&open).expect("nobody asks");
    assert!(!open.verifies && pair.shown_to_server().is_none());
    let distrustful = Client::trusting(&stranger).connect(&open);
    assert!(distrustful.is_err(), "the server's own authority has to be the client's");
}

#[test]
fn pinned_certificates_are_the_only_ones_that_may_stay() {
    // spec: SEC-065 CFG-137
    let (files, ca) = (Files::new(), authority("ca"));
    let (pinned, other) = (ca.issue("pinned").peer(), ca.issue("other").peer());
    let base = tls(vec![files.pair("leaf", &ca.issue("localhost"))]);
    let pinning = Server::load(&Tls { pinned_certs: vec![pinned.spki_hex()], ..base.clone() }).expect("a pair");
    let told = [pinning.admits(Some(&pinned)), pinning.admits(Some(&other)), pinning.admits(None)];
    assert_eq!(told, [true, false, false]);
    let open = Server::load(&base).expect("a pair");
    assert!(open.admits(Some(&other)) && open.admits(None));
}

#[test]
fn the_certificate_shown_is_for_the_name_asked_for() {
    // spec: SEC-068 CFG-130
    let (files, ca) = (Files::new(), authority("ca"));
    let leaves = ["first.example", "second.example", "*.third.example"].map(|name| ca.issue(name));
    let pairs = leaves.iter().enumerate().map(|(at, leaf)| files.pair(&at.to_string(), leaf)).collect();
    let server = Server::load(&tls(pairs)).expect("three pairs");
    for (name, shown) in [("first.example", 0), ("second.example", 1), ("a.third.example", 2)] {
        let pair = Client { asks_for: name, ..Client::trusting(&ca) }.connect(&server).expect(name);
        assert_eq!(&pair.shown_to_client(), leaves[shown].certificate.der(), "{name}");
    }
    let refused = Client { asks_for: "unknown.example", ..Client::trusting(&ca) }.connect(&server);
    assert!(refused.is_err(), "the first is shown, which is for another name");
}

#[test]
fn sessions_are_resumed_until_the_configuration_changes() {
    let (files, ca) = (Files::new(), authority("ca"));
    let options = tls(vec![files.pair("leaf", &ca.issue("localhost"))]);
    let server = Server::load(&options).expect("a pair");
    let client = Arc::new(Client::trusting(&ca).config(&[&TLS13]));
    let shake = |server: &Server| {
        let name = ServerName::try_from("localhost").expect("a name");
        let mut pair = Pair::shake(server, client.clone(), name).expect("a handshake");
        assert!(pair.talks());
        pair.server.handshake_kind()
    };
    assert_eq!(shake(&server), Some(HandshakeKind::Full));
    assert_eq!(shake(&server), Some(HandshakeKind::Resumed));
    let reloaded = Server::load(&options).expect("a pair");
    assert_eq!(shake(&reloaded), Some(HandshakeKind::Full));
}
