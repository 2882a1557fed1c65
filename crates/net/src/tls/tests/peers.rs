//! What is read out of certificates.

use rcgen::{SanType, string::Ia5String};
use sha2::{Digest, Sha256};

use super::*;

fn ia5(text: &str) -> Ia5String {
    text.try_into().expect("ASCII")
}

#[test]
fn names_and_digests_are_read() {
    // spec: SEC-064 SEC-072
    let mut params = CertificateParams::new(vec![]).expect("no names");
    params.subject_alt_names = vec![
        SanType::DnsName(ia5("a.example")),
        SanType::Rfc822Name(ia5("a@example")),
        SanType::URI(ia5("spiffe://example/a")),
        SanType::IpAddress("127.0.0.1".parse().expect("an address")),
        SanType::Rfc822Name(ia5("b@example")),
    ];
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CountryName, "DE");
    subject.push(DnType::OrganizationName, "Acme, Inc.");
    subject.push(DnType::CustomDnType(vec![0, 9, 2342, 19_200_300, 100, 1, 25]), "example");
    subject.push(DnType::CommonName, "a");
    params.distinguished_name = subject;
    let leaf = authority("ca").issue_with(&params);
    let peer = leaf.peer();
    assert_eq!(peer.names.emails, ["a@example", "b@example"]);
    assert_eq!(peer.names.dns_names, ["a.example"]);
    assert_eq!(peer.names.uris, ["spiffe://example/a"]);
    assert_eq!(peer.names.subject, "CN=a,O=Acme\\, Inc.,C=DE");
    assert_eq!(peer.subject, "CN=a,O=Acme\\, Inc.,C=DE,0.9.2342.19200300.100.1.25=example");
    let oids: Vec<&str> = peer.names.rdns.iter().flatten().map(|attribute| attribute.oid.as_str()).collect();
    assert_eq!(oids, ["2.5.4.6", "2.5.4.10", "0.9.2342.19200300.100.1.25", "2.5.4.3"]);
    let digest = |bytes: &[u8]| data_encoding::HEXLOWER.encode(&Sha256::digest(bytes));
    assert_eq!(peer.cert_hex(), digest(leaf.certificate.der()));
    assert_eq!(peer.spki_hex(), digest(&rcgen::PublicKeyData::subject_public_key_info(&leaf.key)));
}

#[test]
fn what_is_no_certificate_is_refused() {
    let told = PeerCertificate::read(&CertificateDer::from(vec![0x30, 0])).expect_err("an empty sequence").to_string();
    assert!(told.starts_with("the certificate cannot be read: "), "{told}");
}

#[test]
fn a_certificate_without_names_has_none() {
    let mut params = CertificateParams::new(vec![]).expect("no names");
    params.distinguished_name = DistinguishedName::new();
    let peer = authority("ca").issue_with(&params).peer();
    assert_eq!(peer.names, martlet_auth::PeerNames::default());
    assert_eq!(peer.subject, "");
}
