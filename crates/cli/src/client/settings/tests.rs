//! Which of option, environment, context and default wins.

use clap::Parser;

use super::*;
use crate::client::args::Cli;

fn args(line: &str) -> ConnectionArgs {
    let words = ["martlet", "rtt"].into_iter().chain(line.split_whitespace());
    Cli::try_parse_from(words).unwrap().connection
}

fn nothing(_: &str) -> Option<String> {
    None
}

fn settings(line: &str) -> Settings {
    resolve(&args(line), &nothing).unwrap().settings
}

#[test]
fn without_anything_it_is_the_local_server() {
    let settings = settings("");
    assert_eq!(settings.servers, ["nats://127.0.0.1:4222"]);
    assert_eq!(settings.credentials, Credentials::None);
    assert_eq!(settings.timeout, Duration::from_secs(5));
    assert!(!settings.tls.required());
}

#[test]
fn urls_give_servers_and_credentials() {
    let cases = [
        ("a:1,nats://b:2", vec!["nats://a:1", "nats://b:2"], Credentials::None),
        ("nats://u:p%40ss@a:1", vec!["nats://a:1"], password_of("u", "p@ss")),
        ("tls://tok@a:1,b", vec!["tls://a:1", "nats://b"], Credentials::Token("tok".to_owned())),
        ("nats://u:p@a:1,nats://v:q@b:2", vec!["nats://a:1", "nats://b:2"], password_of("u", "p")),
        ("nats://u:100%@a", vec!["nats://a"], password_of("u", "100%")),
    ];
    for (url, servers, credentials) in cases {
        let settings = settings(&format!("-s {url}"));
        assert_eq!(settings.servers, servers, "{url}");
        assert_eq!(settings.credentials, credentials, "{url}");
    }
    assert!(resolve(&args("-s ,"), &nothing).is_err());
}

#[test]
fn jetstream_is_asked_where_options_or_the_context_say() {
    for (line, expected) in [
        ("", "$JS.API"),
        ("--js-domain hub", "$JS.hub.API"),
        ("--js-api-prefix far.js.", "far.js"),
        ("--js-api-prefix far.js --js-domain hub", "far.js"),
    ] {
        assert_eq!(settings(line).js_prefix, expected, "{line}");
    }
    let context = |json| serde_json::from_value::<Context>(json).unwrap();
    let domain = context(serde_json::json!({"jetstream_domain": "leaf"}));
    assert_eq!(js_prefix(&args(""), &domain), "$JS.leaf.API");
    assert_eq!(js_prefix(&args("--js-domain hub"), &domain), "$JS.hub.API");
    let prefix = context(serde_json::json!({"jetstream_domain": "leaf", "jetstream_api_prefix": "far.js"}));
    assert_eq!(js_prefix(&args(""), &prefix), "far.js");
}

#[test]
fn options_name_the_credentials() {
    let cases = [
        ("--user u --password p", password_of("u", "p")),
        ("--user tok", Credentials::Token("tok".to_owned())),
        ("--creds a.creds", Credentials::CredsFile("a.creds".into())),
        ("--nkey a.nk", Credentials::NkeyFile("a.nk".into())),
        ("-s nats://x:y@h --user u --password p", password_of("u", "p")),
    ];
    for (line, credentials) in cases {
        assert_eq!(settings(line).credentials, credentials, "{line}");
    }
}

#[test]
fn halves_of_pairs_are_refused() {
    for (line, other) in [("--password p", "--user"), ("--tlscert c", "--tlskey"), ("--tlskey k", "--tlscert")] {
        let error = resolve(&args(line), &nothing).unwrap_err().to_string();
        assert!(error.contains(other), "{line}: {error}");
    }
}

#[test]
fn a_context_fills_what_options_leave_open() {
    let home = std::env::temp_dir().join(format!("martlet-settings-{}", std::process::id()));
    let contexts = home.join("nats/context");
    std::fs::create_dir_all(&contexts).unwrap();
    std::fs::write(home.join("nats/context.txt"), "one").unwrap();
    let one = r#"{"url":"nats://one","user":"u","password":"p","inbox_prefix":"in","ca":"/ca","nsc":"nsc://x"}"#;
    std::fs::write(contexts.join("one.json"), one).unwrap();
    std::fs::write(contexts.join("two.json"), r#"{"url":"nats://two","token":"t","creds":"/c","tls_first":true}"#)
        .unwrap();
    let env = |name: &str| (name == "XDG_CONFIG_HOME").then(|| home.display().to_string());
    let resolved = |line: &str| resolve(&args(line), &env).unwrap();

    let selected = resolved("");
    assert_eq!(selected.settings.servers, ["nats://one"]);
    assert_eq!(selected.settings.credentials, password_of("u", "p"));
    assert_eq!(selected.settings.inbox_prefix.as_deref(), Some("in"));
    assert!(selected.settings.tls.required());
    assert_eq!(selected.warnings, [r#"context "one": "nsc" is not supported; ignored"#]);

    let named = resolved("--context two");
    assert_eq!(named.settings.credentials, Credentials::CredsFile("/c".into()), "creds win over the token");
    assert!(named.settings.tls.first);

    let overridden = resolved("-s nats://three --creds mine --inbox-prefix mine");
    assert_eq!(overridden.settings.servers, ["nats://three"]);
    assert_eq!(overridden.settings.credentials, Credentials::CredsFile("mine".into()));
    assert_eq!(overridden.settings.inbox_prefix.as_deref(), Some("mine"));

    assert_eq!(resolved("--no-context").settings.servers, ["nats://127.0.0.1:4222"]);
    assert!(resolve(&args("--context gone"), &env).is_err());
    std::fs::remove_dir_all(&home).ok();
}

#[test]
fn secrets_are_not_described() {
    for credentials in [password_of("u", "s3cret"), Credentials::Token("s3cret".to_owned())] {
        assert!(!credentials.describe().contains("s3cret"));
    }
}
