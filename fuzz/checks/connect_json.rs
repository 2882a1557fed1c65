//! The JSON of CONNECT and INFO: no bytes make the reader panic, what is written back is read the same, and a trace of a
//! document that was understood shows no secret of it.

use std::ops::Range;

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
    for secret_of in SECRETS {
        let secret = secret_of(&connect);
        // A secret that also stands elsewhere, or is hardly longer than a word of the protocol, proves nothing.
        if secret.len() > 12
            && let [at] = places(data, secret)[..]
            && is_read_from(data, at..at + secret.len(), secret_of)
        {
            assert!(places(&shown, secret).is_empty(), "{}", shown.escape_ascii());
        }
    }
}

const SECRETS: [fn(&Connect) -> &str; 5] = [|c| &c.pass, |c| &c.auth_token, |c| &c.sig, |c| &c.nkey, |c| &c.proxy_sig];

/// Where `text` stands in `data`.
fn places(data: &[u8], text: &str) -> Vec<usize> {
    let windows = data.windows(text.len().max(1)).enumerate();
    windows.filter(|(_, window)| *window == text.as_bytes()).map(|(at, _)| at).collect()
}

/// Whether a field has its value from `place`: text may be written in several ways, and only look like the field's there.
fn is_read_from(data: &[u8], place: Range<usize>, field: fn(&Connect) -> &str) -> bool {
    let mut other = data.to_vec();
    other[place].fill(b'-');
    Connect::from_json(&other)
        .is_ok_and(|other| Connect::from_json(data).is_ok_and(|this| field(&this) != field(&other)))
}
