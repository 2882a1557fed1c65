//! The lines a server begins with, and what should worry its operator.

use log::{info, warn};
use martlet_auth::is_bcrypt;
use martlet_config::Options;
use martlet_config::options::Credentials;
use martlet_monitor::logging;

use super::{Called, Listening, Running, VERSION};
use crate::identity::COMPATIBLE_VERSION;

/// Payloads above this are worth a warning.
const MAX_PAYLOAD_ADVISED: u32 = 8 << 20;

/// Who starts, from what.
// spec: CORE-167
pub(super) fn starting(called: &Called, options: &Options) {
    info!("Starting {}", called.program);
    if called.program == "nats-server" {
        info!("  Version:  {COMPATIBLE_VERSION} (Martlet {VERSION})");
    } else {
        info!("  Version:  {VERSION} (NATS-compatible, nats-server {COMPATIBLE_VERSION})");
    }
    info!("  Git:      [{}]", option_env!("MARTLET_COMMIT").unwrap_or("not set"));
    if let Some(cluster) = &options.cluster_name {
        info!("  Cluster:  {cluster}");
    }
    if let Some(flags) = feature_flags(options) {
        info!("  Feature flags:");
        info!("    Configured:    none");
        info!("    Unsupported:   {flags}");
    }
    if let Some(file) = &options.config_file {
        info!("Using configuration file: {} ({})", file.display(), options.config_digest);
    }
    for concern in concerns(options) {
        warn!("{concern}");
    }
}

/// Where it listens, and that it does.
// spec: CLI-006 CORE-167
pub(super) fn ready(options: &Options, without_config: bool, server: &dyn Running, listening: &Listening) {
    info!("  Name:     {}", server.name());
    info!("  ID:       {}", server.id());
    if let Some(address) = &listening.clients {
        info!("Listening for client connections on {address}");
    }
    info!("Server is ready");
    if without_config && logging::to_terminal(&options.log) {
        info!("{}", hint(options.port));
    }
}

/// For somebody who looks at it for the first time.
fn hint(port: i32) -> String {
    let server = if port == 4222 { String::new() } else { format!(" -s localhost:{port}") };
    format!("Try it from another terminal: martlet{server} sub '>'   and then: martlet{server} pub hello world")
}

/// Every flag that is configured: they all belong to features that this version does not have.
// spec: CORE-168
fn feature_flags(options: &Options) -> Option<String> {
    let names: Vec<&str> = options.feature_flags.keys().map(String::as_str).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// What is allowed and unwise.
fn concerns(options: &Options) -> Vec<String> {
    let mut concerns = Vec::new();
    let users = options.authorization.users.iter().chain(options.accounts.iter().flat_map(|account| &account.users));
    let maps_certificates = options.tls.as_ref().is_some_and(|tls| tls.map);
    let is_plain = |password: &str| !(is_bcrypt(password) || password.is_empty() && maps_certificates);
    let in_users = users.into_iter().any(|user| match &user.credentials {
        Credentials::Password { password, .. } => is_plain(password),
        Credentials::Nkey(_) => false,
    });
    if in_users || options.authorization.password.as_deref().is_some_and(is_plain) {
        concerns.push("Plaintext passwords detected, use nkeys or bcrypt".into());
    }
    // spec: CFG-052
    if options.limits.max_payload > MAX_PAYLOAD_ADVISED {
        let text = "Maximum payloads over 8.00 MB are generally discouraged and could lead to poor performance";
        concerns.push(text.into());
    }
    concerns
}

#[cfg(test)]
mod tests {
    use martlet_config::{MemorySource, parse_str};

    use super::*;

    #[test]
    fn plain_passwords_and_large_payloads_are_worth_a_warning() {
        // spec: CORE-167 CFG-052 SEC-002
        let hash = "$2a$11$abc";
        for (text, plain) in [
            (String::new(), false),
            ("authorization { user: a, password: secret }".into(), true),
            (format!("authorization {{ user: a, password: {hash:?} }}"), false),
            ("authorization { token: secret }".into(), false),
            ("accounts { A { users: [ { user: a, password: secret } ] } }".into(), true),
            (format!("accounts {{ A {{ users: [ {{ user: a, password: {hash:?} }} ] }} }}"), false),
            (r#"authorization { users: [ { user: "CN=a" } ] }, tls { verify_and_map: true }"#.into(), false),
        ] {
            let options = parse_str(&text, "test.conf", &MemorySource::new()).unwrap().options;
            assert_eq!(!concerns(&options).is_empty(), plain, "{text}");
        }
        let mut options = Options::default();
        options.authorization.password = Some("secret".into());
        options.limits.max_payload = MAX_PAYLOAD_ADVISED + 1;
        let concerns = concerns(&options);
        assert_eq!(concerns.len(), 2);
        assert!(concerns.iter().all(|concern| !concern.contains("secret")));
    }

    #[test]
    fn unknown_feature_flags_are_named() {
        // spec: CORE-168 CFG-071
        let mut options = Options::default();
        assert_eq!(feature_flags(&options), None);
        options.feature_flags = [("b".into(), true), ("a".into(), false)].into();
        assert_eq!(feature_flags(&options).as_deref(), Some("a, b"));
    }

    #[test]
    fn the_hint_names_the_port_where_it_is_not_the_usual() {
        assert!(!hint(4222).contains("4222"));
        assert!(hint(4333).contains("-s localhost:4333 sub"));
    }
}
