use std::path::Path;

use super::digest;
use crate::lang::parse_file;
use crate::source::MemorySource;

/// Digests that `nats-server -t` 2.15.1 printed for the same files.
const PRINTED: &[(&str, &str)] = &[
    ("port: 4333\n", "5942f6739f1572892ba80b954eee212713f172258629e16936dfeeae8e2eb80d"),
    ("# another layout\n{ \"port\" = 4333 }\n", "5942f6739f1572892ba80b954eee212713f172258629e16936dfeeae8e2eb80d"),
    (
        "max_payload: 64kb\nmax_pending: 128MiB\nlog_size_limit: 5g\n",
        "17e2a0498cd279bdc275c134995329c685b68655560137c927f709114946e121",
    ),
    ("debug: yes\ntrace: OFF\nlogtime: true\n", "0589b0a4c3c290650e27b50c4dfec3386f9831e5134c8ee331cc8d939174a9bd"),
    (
        "authorization { timeout: 0.5 }\ntls { timeout: 30.0 }\n",
        "a44dd94cd6e59955876ffbdc48889ffea5d3ee612bc3125203d474f4b60f13bd",
    ),
    ("t = 0.0000001\ntls { timeout: $t }\n", "2f6681a407bdea8a43b85169d8d79332a12298519c89bf27050ce5041c769df5"),
    (
        "authorization { users: [ {user: a, password: \"<p>&'\\x7f\\x01\\\\\\\"\\t\\n\u{e9}\u{2028}\" } ] }\n",
        "57421f25d626075057be2f0c4716065e98fd6194d78a418ad38e66b4414f8335",
    ),
    ("include 'sub/a.conf'\nhost: a\n", "ca346f0fdb7f850ecc9568a84cbe144ba532296c7c85805bf4a168d25912e21f"),
    (
        "name: abc\nmax_subs: $NUM\nserver_name: $name\nserver_metadata { w: $WORDS }\n",
        "843f968f2cdd2af16eb5361edf475f8e0370dfd7dfd5cf8b598713c461abc614",
    ),
    (
        "authorization { users: [ {user: a, password: $2a$11$abcdefghijklmnopqrstuv } ] }\n",
        "702281bcc42af95b61bbbebf57367be8d00c1f5117c277394514073472d107ae",
    ),
    (
        "server_tags: [b, a]\naccounts { B {}, A { users: [ {user: \"x\", password: 'y'} ] } }\n",
        "1b9fd6b084af73cfa95e39a125ee1aeb65ead743e61db0d272d90dc0e39cdabe",
    ),
    ("server_name = (\nabc\n)\n", "476bc98977c2b0b11ed1bac4620058c95ba3ba0f62927457f426b971c6b8d10b"),
    // A key that is set again hides the variable's type from the options, not from the digest.
    (
        "when = 2024-01-02T03:04:05Z\nserver_name = $when\nserver_name = abc\n",
        "fcf73442c7100c090b45667e803201ad2575da75a94cd8e66e28cfb135ce4e98",
    ),
    (
        "m = { a: [1 , 2.5 , {b: -3 }, no, \"x\"], c: {}, d: [] }\nserver_name = $m\nserver_name = abc\n",
        "de683d0ead79b1068f885cab376320857ac7ca54735e427dde2087d1ecfe5815",
    ),
    (
        "f = [ 100000000000000000000000.0 , 0.00000123 , -2.50 , 1.0 , 123456789012345678901.5 , 0.000001 , 0.1 , -0.0 ]\n\
         server_name = $f\nserver_name = abc\n",
        "364ad7bebb4792e3e4010b72e5442f141b9ef64fe10cd410084a62dcf950f936",
    ),
];

#[test]
fn digests_are_those_of_the_reference() {
    // spec: CFG-009
    for (text, printed) in PRINTED {
        let source = MemorySource::new()
            .file("t.conf", *text)
            .file("sub/a.conf", "include './b.conf'\nmax_subs: 7\n")
            .file("sub/b.conf", "server_name: 'inc'\n")
            .variable("NUM", "5")
            .variable("WORDS", "\"a b\"");
        let map = parse_file(Path::new("t.conf"), &source).expect(text);
        assert_eq!(digest(&map), format!("sha256:{printed}"), "{text}");
    }
}
