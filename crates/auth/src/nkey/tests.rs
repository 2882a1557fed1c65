use super::*;

// Of the bytes 1 to 32, computed with OpenSSL and an independent encoder of the text form.
const SEED: &str = "SUAACAQDAQCQMBYIBEFAWDANBYHRAEISCMKBKFQXDAMRUGY4DUPB6IC5CQ";
const PUBLIC: &str = "UB43KVROR7TFJ6KAPCYRF2FJROTZAH4FHLTJLPWX4DRZCC5NASLGJBFE";
const CURVE_PUBLIC: &str = "XAD2G7F4CQQJHSFXKXOBWEHINS2CMN2K2FVKQU7NBPP4BMVYNUOHZWPX";

#[test]
fn seeds_and_keys_are_those_of_other_implementations() {
    // spec: SEC-014
    let pair = KeyPair::from_seed(SEED).expect("a valid seed");
    assert_eq!(pair.seed(), SEED);
    assert_eq!(pair.public(), PUBLIC);
}

#[test]
fn the_first_letter_says_what_a_key_is_for() {
    // spec: SEC-014
    for (prefix, letter, seed) in [
        (Prefix::Account, "A", "SA"),
        (Prefix::Cluster, "C", "SC"),
        (Prefix::Server, "N", "SN"),
        (Prefix::Operator, "O", "SO"),
        (Prefix::User, "U", "SU"),
        (Prefix::Curve, "X", "SX"),
    ] {
        let pair = KeyPair::from_random(prefix, [7; 32]);
        assert!(pair.public().starts_with(letter), "{}", pair.public());
        assert!(pair.seed().starts_with(seed), "{}", pair.seed());
        assert_eq!(KeyPair::from_seed(&pair.seed()).map(|read| read.public()), Ok(pair.public()));
        assert_eq!(PublicKey::parse_as(&pair.public(), prefix).map(|key| key.text().to_string()), Ok(pair.public()));
    }
}

#[test]
fn damaged_keys_are_refused_by_what_is_wrong() {
    let kind = NkeyError::Kind { expected: Prefix::Account, found: Prefix::User };
    assert_eq!(PublicKey::parse_as(PUBLIC, Prefix::Account), Err(kind));
    let mistyped = PUBLIC.replacen('4', "5", 1);
    for (text, error) in [
        ("", NkeyError::Encoding),
        ("U", NkeyError::Encoding),
        ("u1", NkeyError::Encoding),
        (&PUBLIC[..55], NkeyError::Encoding),
        (mistyped.as_str(), NkeyError::Checksum),
        (SEED, NkeyError::Prefix),
    ] {
        assert_eq!(PublicKey::parse(text), Err(error), "{text:?}");
    }
    assert_eq!(KeyPair::from_seed(PUBLIC).err(), Some(NkeyError::Prefix));
}

#[test]
fn the_curve_key_is_that_of_other_implementations() {
    // spec: SEC-014
    let random = std::array::from_fn(|i| u8::try_from(i + 1).expect("small"));
    assert_eq!(CurveKey::from_random(random).public(), CURVE_PUBLIC);
}

#[test]
fn signatures_come_in_two_alphabets() {
    // spec: SEC-012
    let signature: [u8; 64] = std::array::from_fn(|i| 255 - u8::try_from(i).expect("small"));
    let url = BASE64URL_NOPAD.encode(&signature);
    let standard = BASE64.encode(&signature);
    assert_ne!(url, standard);
    assert_eq!(decode_signature(&url), Ok(signature));
    assert_eq!(decode_signature(&standard), Ok(signature));
    assert_eq!(decode_proxy_signature(&url), Ok(signature));
    assert_eq!(decode_proxy_signature(&standard), Err(SignatureError::Malformed));
    for text in ["", "*", &url[..80]] {
        assert_eq!(decode_signature(text), Err(SignatureError::Malformed), "{text:?}");
    }
}

#[test]
fn a_signature_fits_one_message_and_one_key() {
    // spec: SEC-012
    let pair = KeyPair::from_seed(SEED).expect("a valid seed");
    let key = PublicKey::parse(PUBLIC).expect("a valid key");
    let signature = pair.sign(b"nonce");
    assert_eq!(key.verify(b"nonce", &signature), Ok(()));
    assert_eq!(key.verify(b"other", &signature), Err(SignatureError::Wrong));
    let stranger = KeyPair::from_random(Prefix::User, [3; 32]);
    assert_eq!(key.verify(b"nonce", &stranger.sign(b"nonce")), Err(SignatureError::Wrong));
}

#[test]
fn a_nonce_is_fifteen_characters_of_url_base64() {
    // spec: SEC-011 CORE-024
    assert_eq!(&nonce([0; 11]), b"AAAAAAAAAAAAAAA");
    assert_eq!(&nonce([0xff; 11]), b"______________8");
}
