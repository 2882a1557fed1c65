//! Contexts as the official command leaves them on disk.

use super::*;

/// A config folder of its own for each test.
struct Home {
    path: PathBuf,
}

impl Home {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("martlet-context-{}-{test}", std::process::id()));
        std::fs::create_dir_all(path.join(".config/nats/context")).unwrap();
        Self { path }
    }

    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.path.join(".config/nats").join(file), text).unwrap();
    }

    fn env(&self) -> impl Fn(&str) -> Option<String> + use<'_> {
        |name| match name {
            "HOME" => Some(self.path.display().to_string()),
            "KEYS" => Some("/keys".to_owned()),
            _ => None,
        }
    }

    fn load(&self, name: &str) -> Result<Context, ContextError> {
        ContextDir::find(&self.env()).unwrap().load(name, &self.env())
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.path).ok();
    }
}

#[test]
fn a_context_is_read_with_empty_texts_as_absent() {
    let home = Home::new("read");
    home.write(
        "context/prod.json",
        r#"{"description":"Production","url":"nats://a:4222,nats://b:4222","token":"","user":"derek","password":"s3cret",
            "creds":"","nkey":"","cert":"","key":"","ca":"~/ca.pem","nsc":"","jetstream_domain":"hub",
            "jetstream_api_prefix":"","jetstream_event_prefix":"","inbox_prefix":"_INBOX.derek","user_jwt":"",
            "color_scheme":"","tls_first":true,"windows_ca_certs_match":null}"#,
    );
    let context = home.load("prod").unwrap();
    assert_eq!(context.url.as_deref(), Some("nats://a:4222,nats://b:4222"));
    assert_eq!((context.user.as_deref(), context.password.as_deref()), (Some("derek"), Some("s3cret")));
    assert_eq!((context.token, context.creds.clone(), context.nkey.clone()), (None, None, None));
    assert_eq!(context.ca.as_deref(), Some(home.path.join("ca.pem").to_str().unwrap()));
    assert_eq!(context.inbox_prefix.as_deref(), Some("_INBOX.derek"));
    assert_eq!(context.tls_first, Some(true));
}

#[test]
fn settings_that_cannot_be_honoured_are_named() {
    let home = Home::new("unsupported");
    home.write(
        "context/old.json",
        r#"{"url":"x","nsc":"nsc://op/acc/user","socks_proxy":"socks5://x","jetstream_domain":"d","windows_cert_store":"",
            "tomorrow":1}"#,
    );
    assert_eq!(home.load("old").unwrap().unsupported(), ["nsc", "socks_proxy", "tomorrow"]);
}

#[test]
fn the_selected_context_is_named_by_a_file() {
    let home = Home::new("selected");
    let dir = ContextDir::find(&home.env()).unwrap();
    assert_eq!(dir.selected(), None);
    home.write("context.txt", "prod\n");
    assert_eq!(dir.selected().as_deref(), Some("prod"));
    home.write("context.txt", "\n");
    assert_eq!(dir.selected(), None);
}

#[test]
fn a_config_home_of_ones_own_is_used() {
    let env = |name: &str| (name == "XDG_CONFIG_HOME").then(|| "/etc/xdg".to_owned());
    assert_eq!(ContextDir::find(&env).unwrap().root, Path::new("/etc/xdg/nats"));
    assert!(ContextDir::find(&|_: &str| None).is_none());
}

#[test]
fn errors_say_the_name_the_file_and_the_way_out() {
    let home = Home::new("errors");
    home.write("context/here.json", "{\"url\": 7}");
    home.write("context/there.json", "{\n  \"url\": \"x\",,\n}");
    let cases = [
        ("gone", vec!["\"gone\" not found", "gone.json", "known contexts: here, there", "--no-context"]),
        ("here", vec!["\"here\"", "here.json", "invalid type", "--no-context"]),
        ("there", vec!["line 2 column 14"]),
        ("../here", vec!["\"../here\" cannot name a context"]),
        ("", vec!["\"\" cannot name a context"]),
    ];
    for (name, parts) in cases {
        let error = home.load(name).expect_err(name).to_string();
        for part in parts {
            assert!(error.contains(part), "{name}: {error:?} lacks {part:?}");
        }
    }
}

#[test]
fn paths_are_expanded() {
    let env = |name: &str| match name {
        "HOME" => Some("/users/derek".to_owned()),
        "KEYS" => Some("/keys".to_owned()),
        _ => None,
    };
    let cases = [
        ("~/a.creds", "/users/derek/a.creds"),
        ("~", "/users/derek"),
        ("~derek/a", "~derek/a"),
        ("$KEYS/a.creds", "/keys/a.creds"),
        ("${KEYS}x/a", "/keysx/a"),
        ("/plain/a", "/plain/a"),
        ("/odd$/a", "/odd$/a"),
        ("/$MISSING/a", "//a"),
    ];
    for (path, expected) in cases {
        assert_eq!(expand(path, &env), expected, "{path}");
    }
}
