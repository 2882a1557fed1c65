//! Who this server is: keys made anew at each start, and the versions it tells.

use martlet_auth::nkey::{CurveKey, KeyPair, Prefix};
use martlet_broker::settings::Identity;
use martlet_config::Options;

/// The reference version that clients may count on (CLI-001).
pub(crate) const COMPATIBLE_VERSION: &str = "2.15.1";

/// The identity of a server with these options.
pub(crate) fn of(options: &Options) -> Identity {
    let id = KeyPair::from_random(Prefix::Server, random()).public();
    Identity {
        xkey: CurveKey::from_random(random()).public(),
        name: options.server_name.clone().unwrap_or_else(|| id.clone()),
        id,
        version: COMPATIBLE_VERSION,
        git_commit: option_env!("MARTLET_COMMIT").unwrap_or(""),
        built_with: concat!("martlet ", env!("CARGO_PKG_VERSION")),
    }
}

fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the system has random bytes");
    bytes
}
