//! Header blocks of any bytes: looking never panics, and what was set in a well-formed block is found there.

use martlet_proto::headers;

/// Name, value and block, with a zero byte between.
pub(crate) fn check(data: &[u8]) {
    let mut parts = data.splitn(3, |&byte| byte == 0);
    let (Some(name), Some(value), Some(block)) = (parts.next(), parts.next(), parts.next()) else { return };
    headers::get(block, name);
    headers::status(block);
    headers::iter(block).count();
    headers::strip(block, value.len());
    let mut removed = block.to_vec();
    headers::remove(&mut removed, name);
    assert!(removed.len() <= block.len());
    let mut set = block.to_vec();
    headers::set(&mut set, name, value);
    if is_block(block) && is_token(name) && is_value(value) {
        assert_eq!(headers::get(&set, name), Some(value), "{}", set.escape_ascii());
    }
}

fn is_block(block: &[u8]) -> bool {
    let lone = |pair: &[u8]| (pair[0] == b'\r') != (pair[1] == b'\n');
    block.starts_with(headers::VERSION_LINE) && block.ends_with(b"\r\n\r\n") && !block.windows(2).any(lone)
}

fn is_token(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|&byte| byte > b' ' && byte != b':')
}

fn is_value(value: &[u8]) -> bool {
    value.first() != Some(&b' ') && value.iter().all(|&byte| byte >= b' ')
}
