use super::{Preamble, ProxyError, V2_SIGNATURE, decode};

fn proxied(source: &str, destination: &str, used: usize) -> Preamble {
    let address = |text: &str| text.parse().expect("a test's address");
    Preamble::Proxied { source: address(source), destination: address(destination), used }
}

/// A version 2 preamble: version and command, family and transport, address block.
fn v2(version_command: u8, family_transport: u8, block: &[u8]) -> Vec<u8> {
    let len = u16::try_from(block.len()).expect("short").to_be_bytes();
    [&V2_SIGNATURE[..], &[version_command, family_transport], &len, block].concat()
}

/// Decodes `input` with more behind it, and checks that no proper part of it is enough.
fn check(input: &[u8], expected: Result<Preamble, ProxyError>) {
    assert_eq!(decode(&[input, b"CONNECT {}\r\n"].concat()), expected, "{}", input.escape_ascii());
    if let Ok(Preamble::Proxied { used, .. } | Preamble::Local { used }) = expected {
        assert_eq!(used, input.len());
        for len in 0..used {
            assert_eq!(decode(&input[..len]), Ok(Preamble::Incomplete), "{len} bytes of {}", input.escape_ascii());
        }
    }
}

#[test]
fn version_1() {
    // spec: CORE-136
    check(b"PROXY TCP4 192.0.2.1 192.0.2.2 5000 4222\r\n", Ok(proxied("192.0.2.1:5000", "192.0.2.2:4222", 42)));
    check(b"PROXY TCP6 2001:db8::1 ::1 5000 4222\r\n", Ok(proxied("[2001:db8::1]:5000", "[::1]:4222", 38)));
    check(b"PROXY TCP6 ::ffff:192.0.2.1 ::1 0 65535\r\n", Ok(proxied("192.0.2.1:0", "[::1]:65535", 41)));
    check(b"PROXY  TCP4  1.2.3.4\t1.2.3.5  1 2 \r\n", Ok(proxied("1.2.3.4:1", "1.2.3.5:2", 36)));
    check(b"PROXY UNKNOWN\r\n", Ok(Preamble::Local { used: 15 }));
    check(b"PROXY UNKNOWN some thing else\r\n", Ok(Preamble::Local { used: 31 }));
    for line in [
        "",
        "UDP4 1.2.3.4 1.2.3.4 1 2",
        "TCP4 1.2.3.4 1.2.3.4 1",
        "TCP4 1.2.3.4 1.2.3.4 1 2 3",
        "UNKNOWNS",
        "tcp4 1.2.3.4 1.2.3.4 1 2",
    ] {
        check(format!("PROXY {line}\r\n").as_bytes(), Err(ProxyError::BadLine));
    }
    for (line, protocol) in [
        ("TCP4 ::1 ::1 1 2", "TCP4"),
        ("TCP6 1.2.3.4 ::1 1 2", "TCP6"),
        ("TCP6 ::1 1.2.3.4 1 2", "TCP6"),
        ("TCP4 1.2.3 1.2.3.4 1 2", "TCP4"),
        ("TCP4 01.2.3.4 1.2.3.4 1 2", "TCP4"),
    ] {
        check(format!("PROXY {line}\r\n").as_bytes(), Err(ProxyError::BadAddress { protocol }));
    }
    for port in ["65536", "-1", "+1", "x", "0x1"] {
        check(format!("PROXY TCP4 1.2.3.4 1.2.3.4 {port} 1\r\n").as_bytes(), Err(ProxyError::BadPort));
        check(format!("PROXY TCP4 1.2.3.4 1.2.3.4 1 {port}\r\n").as_bytes(), Err(ProxyError::BadPort));
    }
}

#[test]
fn a_version_1_line_has_107_bytes_at_most() {
    // spec: CORE-136
    let longest = format!("PROXY UNKNOWN{}\r\n", " ".repeat(107 - 15));
    check(longest.as_bytes(), Ok(Preamble::Local { used: 107 }));
    let longer = format!("PROXY UNKNOWN{}\r\n", " ".repeat(107 - 14));
    check(longer.as_bytes(), Err(ProxyError::LineTooLong));
    assert_eq!(decode(&longer.as_bytes()[..106]), Ok(Preamble::Incomplete));
    assert_eq!(decode(&longer.as_bytes()[..107]), Err(ProxyError::LineTooLong));
}

#[test]
fn version_2() {
    // spec: CORE-136
    let v4 = [192, 0, 2, 1, 192, 0, 2, 2, 0x13, 0x88, 0x10, 0x7e];
    check(&v2(0x21, 0x11, &v4), Ok(proxied("192.0.2.1:5000", "192.0.2.2:4222", 28)));
    check(&v2(0x21, 0x11, &[&v4[..], b"extensions"].concat()), Ok(proxied("192.0.2.1:5000", "192.0.2.2:4222", 38)));
    let mut v6 = [0; 36];
    (v6[15], v6[31], v6[33], v6[35]) = (1, 2, 3, 4);
    check(&v2(0x21, 0x21, &v6), Ok(proxied("[::1]:3", "[::2]:4", 52)));
    (v6[10], v6[11], v6[12]) = (0xff, 0xff, 127);
    check(&v2(0x21, 0x21, &v6), Ok(proxied("127.0.0.1:3", "[::2]:4", 52)));
    check(&v2(0x20, 0x11, &v4), Ok(Preamble::Local { used: 28 }));
    check(&v2(0x20, 0x32, b""), Ok(Preamble::Local { used: 16 }));
    check(&v2(0x21, 0x01, b"abc"), Ok(Preamble::Local { used: 19 }));
    for (preamble, error) in [
        (v2(0x11, 0x11, &v4), ProxyError::BadVersion(1)),
        (v2(0x22, 0x11, &v4), ProxyError::BadCommand(2)),
        (v2(0x21, 0x12, &v4), ProxyError::UnsupportedTransport(2)),
        (v2(0x21, 0x00, b""), ProxyError::UnsupportedTransport(0)),
        (v2(0x21, 0x31, &[0; 216]), ProxyError::UnsupportedFamily(3)),
        (v2(0x21, 0x11, &v4[..11]), ProxyError::ShortAddress { len: 11 }),
        (v2(0x21, 0x21, &v6[..35]), ProxyError::ShortAddress { len: 35 }),
        (b"\r\n\r\n\0\r\nQUIT\r".to_vec(), ProxyError::BadSignature),
    ] {
        check(&preamble, Err(error));
    }
}

#[test]
fn other_connections_are_left_alone() {
    // spec: CORE-136
    for input in ["CONNECT {}\r\n", "PING\r\n", "PROXYTCP4 ", "proxy TCP4", "\r\n\r\n\0\n", "\x16\x03\x01\x02\x00\x01"]
    {
        assert_eq!(decode(input.as_bytes()), Ok(Preamble::Absent), "{input:?}");
    }
    for input in ["", "P", "PROXY", "PING\n", "\r\n\r\n\0"] {
        assert_eq!(decode(input.as_bytes()), Ok(Preamble::Incomplete), "{input:?}");
    }
}

proptest::proptest! {
    #[test]
    fn an_answer_stands_whatever_follows(
        start in proptest::sample::select(vec![&b"PROXY "[..], b"PROXY TCP4 1.2.3.4 ", b"\r\n\r\n\0\r\nQUIT\n", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", b""]),
        rest in proptest::collection::vec(proptest::num::u8::ANY, 0..130), more in proptest::collection::vec(proptest::num::u8::ANY, 0..9),
    ) {
        let input = [start, &rest].concat();
        let answer = decode(&input);
        if answer != Ok(Preamble::Incomplete) {
            proptest::prop_assert_eq!(decode(&[input, more].concat()), answer);
        }
    }
}
