//! What this server cannot be part of yet: its options are known, its connections are not built.
//!
//! Invariant: a file that asks for links to other servers never starts a lone server.

use martlet_config::Options;

use crate::server::StartError;

/// Refuses options that ask for links to other servers.
pub(crate) fn refuse(options: &Options) -> Result<(), StartError> {
    let block = if options.gateway.is_some() {
        "gateway"
    } else {
        return Ok(());
    };
    Err(StartError::Links(block))
}

#[cfg(test)]
mod tests {
    use martlet_config::{MemorySource, parse_str};

    use super::refuse;

    #[test]
    fn links_to_other_servers_are_refused_by_their_block() {
        // spec: CFG-084
        for (text, block) in [
            ("cluster { name: c }", None),
            ("cluster { name: c, routes: ['nats://h:1'] }", None),
            ("cluster { port: -1 }", None),
            ("gateway { name: g, port: -1 }", Some("gateway")),
            ("leafnodes { port: 7422, remotes: [ { url: 'nats://h' } ] }", None),
        ] {
            let loaded = parse_str(text, "t.conf", &MemorySource::new()).expect(text);
            let refused = refuse(&loaded.options).err().map(|error| error.to_string());
            let expected = block.map(|block| {
                format!("{block:?} is not supported by this version of Martlet yet; remove it to start without it")
            });
            assert_eq!(refused, expected, "{text}");
        }
    }
}
