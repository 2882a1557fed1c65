//! Where to connect and as whom: options and environment over a context over the defaults.
//!
//! Invariant: credentials come from one place. If any is given by option or environment, the context's are not used.

use std::path::PathBuf;
use std::time::Duration;

use super::args::ConnectionArgs;
use super::context::{Context, ContextDir, ContextError, Environment};
use super::error::CliError;

const DEFAULT_URL: &str = "nats://127.0.0.1:4222";

/// Everything needed to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Server URLs, at least one, without user information.
    pub(crate) servers: Vec<String>,
    pub(crate) credentials: Credentials,
    pub(crate) tls: TlsFiles,
    pub(crate) timeout: Duration,
    pub(crate) name: String,
    pub(crate) inbox_prefix: Option<String>,
    /// What the subjects of JetStream's requests begin with, without the last dot.
    pub(crate) js_prefix: String,
}

/// As whom to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Credentials {
    None,
    Password { user: String, password: String },
    Token(String),
    CredsFile(PathBuf),
    NkeyFile(PathBuf),
    Jwt { jwt: String, seed: String },
}

impl Credentials {
    /// For error messages: what was tried, never the secret.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::None => "a connection without credentials".to_owned(),
            Self::Password { user, .. } => format!("user {user:?} and its password"),
            Self::Token(_) => "the token".to_owned(),
            Self::CredsFile(path) => format!("the credentials in {}", path.display()),
            Self::NkeyFile(path) => format!("the nkey in {}", path.display()),
            Self::Jwt { .. } => "the context's user JWT".to_owned(),
        }
    }
}

/// Certificates and how to start TLS.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct TlsFiles {
    pub(crate) cert: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) first: bool,
}

impl TlsFiles {
    /// Asking for a certificate of either side means that nothing may be sent in the clear.
    pub(crate) fn required(&self) -> bool {
        self.first || self.cert.is_some() || self.ca.is_some()
    }
}

/// Settings, and what a person should know about how they came about.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) settings: Settings,
    pub(crate) warnings: Vec<String>,
}

/// Puts `args` (which hold the environment's values already) over the context they select.
pub(crate) fn resolve(args: &ConnectionArgs, env: Environment<'_>) -> Result<Resolved, CliError> {
    let args = &without_empty(args.clone());
    let mut warnings = Vec::new();
    let context = match select(args, env)? {
        Some((name, context)) => {
            let unsupported = context.unsupported().into_iter();
            warnings
                .extend(unsupported.map(|option| format!("context {name:?}: {option:?} is not supported; ignored")));
            context
        }
        None => Context::default(),
    };
    let urls = args.server.clone().or(context.url.clone()).unwrap_or_else(|| DEFAULT_URL.to_owned());
    let (servers, from_url) = split_urls(&urls)?;
    let path =
        |option: &Option<PathBuf>, context: &Option<String>| option.clone().or(context.clone().map(PathBuf::from));
    let tls = TlsFiles {
        cert: path(&args.tlscert, &context.cert),
        key: path(&args.tlskey, &context.key),
        ca: path(&args.tlsca, &context.ca),
        first: args.tlsfirst || context.tls_first.unwrap_or(false),
    };
    match (&tls.cert, &tls.key) {
        (Some(_), None) => return Err(CliError::Pair { first: "--tlscert", second: "--tlskey" }),
        (None, Some(_)) => return Err(CliError::Pair { first: "--tlskey", second: "--tlscert" }),
        _ => {}
    }
    let credentials = from_args(args)?.or(from_url).or_else(|| from_context(&context)).unwrap_or(Credentials::None);
    let js_prefix = js_prefix(args, &context);
    let settings = Settings {
        servers,
        credentials,
        tls,
        timeout: args.timeout,
        name: args.connection_name.clone().unwrap_or_else(|| format!("martlet {}", env!("CARGO_PKG_VERSION"))),
        inbox_prefix: args.inbox_prefix.clone().or(context.inbox_prefix),
        js_prefix,
    };
    Ok(Resolved { settings, warnings })
}

/// Options before the context; of either, a prefix before a domain.
fn js_prefix(args: &ConnectionArgs, context: &Context) -> String {
    let of_domain = |domain: &String| format!("$JS.{domain}.API");
    let given = args.js_api_prefix.clone().or(args.js_domain.as_ref().map(of_domain));
    let of_context = || context.jetstream_api_prefix.clone().or(context.jetstream_domain.as_ref().map(of_domain));
    let prefix = given.or_else(of_context).unwrap_or_else(|| "$JS.API".to_owned());
    prefix.trim_end_matches('.').to_owned()
}

/// An empty environment variable is one that is not set.
fn without_empty(mut args: ConnectionArgs) -> ConnectionArgs {
    let texts = [&mut args.server, &mut args.user, &mut args.password, &mut args.context, &mut args.inbox_prefix];
    for text in texts.into_iter().chain([&mut args.js_domain, &mut args.js_api_prefix]) {
        text.take_if(|text| text.is_empty());
    }
    for path in [&mut args.creds, &mut args.nkey, &mut args.tlscert, &mut args.tlskey, &mut args.tlsca] {
        path.take_if(|path| path.as_os_str().is_empty());
    }
    args
}

fn select(args: &ConnectionArgs, env: Environment<'_>) -> Result<Option<(String, Context)>, ContextError> {
    if args.no_context {
        return Ok(None);
    }
    let dir = ContextDir::find(env);
    let asked = args.context.clone();
    match (dir, asked) {
        (None, None) => Ok(None),
        (None, Some(name)) => Err(ContextError::NoHome { name }),
        (Some(dir), asked) => {
            let Some(name) = asked.or_else(|| dir.selected()) else { return Ok(None) };
            let context = dir.load(&name, env)?;
            Ok(Some((name, context)))
        }
    }
}

fn from_args(args: &ConnectionArgs) -> Result<Option<Credentials>, CliError> {
    Ok(match (&args.user, &args.password, &args.creds, &args.nkey) {
        (Some(user), Some(password), ..) => Some(password_of(user, password)),
        (None, Some(_), ..) => return Err(CliError::Pair { first: "--password", second: "--user" }),
        (Some(token), None, ..) => Some(Credentials::Token(token.clone())),
        (None, None, Some(path), _) => Some(Credentials::CredsFile(path.clone())),
        (None, None, None, Some(path)) => Some(Credentials::NkeyFile(path.clone())),
        (None, None, None, None) => None,
    })
}

/// In the official command's order: user, credentials file, nkey, token; then a JWT with its seed.
fn from_context(context: &Context) -> Option<Credentials> {
    if let Some(user) = &context.user {
        return Some(password_of(user, context.password.as_deref().unwrap_or_default()));
    }
    let creds = context.creds.as_ref().map(|path| Credentials::CredsFile(path.into()));
    let nkey = || context.nkey.as_ref().map(|path| Credentials::NkeyFile(path.into()));
    let token = || context.token.clone().map(Credentials::Token);
    let jwt = || {
        let (jwt, seed) = context.user_jwt.clone().zip(context.user_seed.clone())?;
        Some(Credentials::Jwt { jwt, seed })
    };
    creds.or_else(nkey).or_else(token).or_else(jwt)
}

fn password_of(user: &str, password: &str) -> Credentials {
    Credentials::Password { user: user.to_owned(), password: password.to_owned() }
}

/// Splits a list of URLs and takes the first user information out of it.
fn split_urls(urls: &str) -> Result<(Vec<String>, Option<Credentials>), CliError> {
    let mut credentials = None;
    let mut servers = Vec::new();
    for url in urls.split(',').map(str::trim).filter(|url| !url.is_empty()) {
        let (scheme, rest) = url.split_once("://").unwrap_or(("nats", url));
        let authority = rest.split_once('/').map_or(rest, |(authority, _)| authority);
        let Some((user_info, address)) = authority.rsplit_once('@') else {
            servers.push(format!("{scheme}://{rest}"));
            continue;
        };
        credentials = credentials.or(Some(match user_info.split_once(':') {
            Some((user, password)) => password_of(&decoded(user), &decoded(password)),
            None => Credentials::Token(decoded(user_info)),
        }));
        servers.push(format!("{scheme}://{address}"));
    }
    if servers.is_empty() {
        return Err(CliError::Url { url: urls.to_owned(), reason: "it names no server".to_owned() });
    }
    Ok((servers, credentials))
}

/// Undoes percent encoding; what is not valid encoding stays as it is.
fn decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let hex = tail.get(..2).filter(|_| first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(byte.unwrap_or(first));
        rest = if byte.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests;
