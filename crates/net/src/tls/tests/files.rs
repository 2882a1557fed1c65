//! Files that are there, that are not, and that hold something else.

use std::time::SystemTime;

use rcgen::date_time_ymd;

use super::*;

#[test]
fn errors_name_the_file_and_what_is_wrong() {
    // spec: SEC-068 CFG-129
    let (files, ca) = (Files::new(), authority("ca"));
    let (leaf, other) = (ca.issue("localhost"), ca.issue("other"));
    let (pair, other) = (files.pair("leaf", &leaf), files.pair("other", &other));
    let missing = files.0.path().join("missing.pem");
    let text = files.write("text.pem", "no PEM at all");
    let damaged = files.write("damaged.pem", "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n");
    let empty_der = files.write("empty.pem", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n");
    let with = |cert_file: &PathBuf, key_file: &PathBuf| {
        tls(vec![CertificatePair { cert_file: cert_file.clone(), key_file: key_file.clone() }])
    };
    let verifying = |ca_file: &PathBuf| Tls { verify: true, ca_file: Some(ca_file.clone()), ..tls(vec![pair.clone()]) };
    for (tls, start, file) in [
        (tls(vec![]), "the tls block names no certificate", ""),
        (with(&missing, &pair.key_file), "certificate file ", "missing.pem: No such file"),
        (with(&pair.cert_file, &missing), "key file ", "missing.pem: No such file"),
        (with(&text, &pair.key_file), "certificate file ", "text.pem: no certificate in it"),
        (with(&pair.cert_file, &text), "key file ", "text.pem: no private key in it"),
        (with(&pair.cert_file, &pair.cert_file), "key file ", "leaf.pem: no private key in it"),
        (with(&damaged, &pair.key_file), "certificate file ", "damaged.pem: damaged PEM: "),
        (with(&empty_der, &pair.key_file), "certificate file ", "empty.pem: certificate 1 cannot be used: "),
        (with(&pair.cert_file, &other.key_file), "the key in ", "other.key does not belong to the certificate in "),
        (verifying(&missing), "ca_file ", "missing.pem: No such file"),
        (verifying(&text), "ca_file ", "text.pem: no certificate in it"),
    ] {
        let told = refusal(&tls);
        assert!(told.starts_with(start) && told.contains(file), "{told}");
    }
}

#[test]
fn keys_come_in_three_wrappings() {
    // spec: SEC-068 CFG-129
    // One P-256 key as PKCS#8 and as SEC1, and an RSA key as PKCS#8 and as PKCS#1, with their certificates.
    for (certificate, keys) in [
        (
            include_str!("fixtures/p256.pem"),
            [include_str!("fixtures/p256.pkcs8.key"), include_str!("fixtures/p256.sec1.key")],
        ),
        (
            include_str!("fixtures/rsa.pem"),
            [include_str!("fixtures/rsa.pkcs8.key"), include_str!("fixtures/rsa.pkcs1.key")],
        ),
    ] {
        for key in keys {
            let files = Files::new();
            let pair = CertificatePair { cert_file: files.write("c", certificate), key_file: files.write("k", key) };
            let heading = key.lines().next().expect("a heading");
            Server::load(&tls(vec![pair])).unwrap_or_else(|error| panic!("{heading}: {error}"));
        }
    }
}

#[test]
fn the_first_certificates_end_is_known() {
    // spec: SEC-073
    let (files, ca) = (Files::new(), authority("ca"));
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    params.not_after = date_time_ymd(2031, 2, 3);
    let first = files.pair("first", &ca.issue_with(&params));
    let second = files.pair("second", &ca.issue("localhost"));
    let server = Server::load(&tls(vec![first, second])).expect("two pairs");
    assert_eq!(server.not_after, SystemTime::from(date_time_ymd(2031, 2, 3)));
}

#[test]
fn what_was_loaded_stays_whatever_becomes_of_its_files() {
    // spec: SEC-068 CFG-080
    let (files, ca) = (Files::new(), authority("ca"));
    let (old, new) = (ca.issue("localhost"), ca.issue("localhost"));
    let options = tls(vec![files.pair("leaf", &old)]);
    let server = Server::load(&options).expect("a pair");
    let mut up = Client::trusting(&ca).connect(&server).expect("a handshake");
    assert_eq!(&up.shown_to_client(), old.certificate.der());

    fs::remove_file(&options.certificates[0].cert_file).expect("it was there");
    let told = Server::load(&options).expect_err("the file vanished").to_string();
    assert!(told.contains("leaf.pem"), "{told}");
    let still = Client::trusting(&ca).connect(&server).expect("the old one is in force");
    assert_eq!(&still.shown_to_client(), old.certificate.der());

    files.pair("leaf", &new);
    let server = Server::load(&options).expect("it is there again");
    let next = Client::trusting(&ca).connect(&server).expect("a handshake");
    assert_eq!(&next.shown_to_client(), new.certificate.der());
    assert!(up.talks(), "a connection outlives a reload");
}
