//! The JSON of CONNECT and INFO: no bytes make the reader panic, what is written back is read the same, and a trace of a
//! document that was understood shows no secret of it.

use martlet_proto::{Connect, Info, redact};

/// The bytes between `CONNECT ` and the line end.
pub(crate) fn check(data: &[u8]) {
    let shown = redact::connect(data);
    if let Ok(info) = Info::from_json(data) {
        let mut written = Vec::new();
        info.write_json(&mut written);
        assert_eq!(Info::from_json(&written), Ok(info));
    }
    let Ok(connect) = Connect::from_json(data) else { return };
    let mut written = Vec::new();
    connect.write_json(&mut written);
    assert!(Connect::from_json(&written) == Ok(connect.clone()), "{}", written.escape_ascii());
    for secret in [&connect.pass, &connect.auth_token, &connect.sig, &connect.nkey, &connect.proxy_sig] {
        let places =
            |text: &[u8]| text.windows(secret.len().max(1)).filter(|window| *window == secret.as_bytes()).count();
        // A secret that also stands elsewhere, or is hardly longer than a word of the protocol, proves nothing.
        if secret.len() > 12 && places(data) == 1 {
            assert_eq!(places(&shown), 0, "{}", shown.escape_ascii());
        }
    }
}
