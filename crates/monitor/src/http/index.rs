//! `/`: a page with a link to every endpoint.

use std::fmt::Write as _;

use super::reply::escape;
use crate::snapshot::Identity;

/// What is linked, and what it shows.
const ENDPOINTS: [(&str, &str); 14] = [
    ("varz", "Server"),
    ("connz", "Connections"),
    ("accountz", "Accounts"),
    ("accstatz", "Account traffic"),
    ("subsz", "Subscriptions"),
    ("jsz", "JetStream"),
    ("routez", "Routes"),
    ("gatewayz", "Gateways"),
    ("leafz", "Leaf nodes"),
    ("raftz", "Consensus groups"),
    ("healthz", "Health"),
    ("metrics", "Metrics for Prometheus"),
    ("stacksz", "Threads"),
    ("debug/vars", "Process"),
];

/// The page. Links are relative, so that they hold behind a proxy; with a base path, the page itself stands one
/// level above its endpoints.
// spec: CLU-100
pub(super) fn index(identity: &Identity, base_path: &str) -> String {
    let from_here = match base_path.rsplit_once('/') {
        None => ".".into(),
        Some((_, last)) => format!("./{}", escape(last)),
    };
    let (name, version) = (escape(&identity.name), escape(&identity.version));
    let mut links = String::new();
    for (path, title) in ENDPOINTS {
        let _ = writeln!(links, "<li><a href=\"{from_here}/{path}\">{title}</a> <code>/{path}</code></li>");
    }
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Martlet: {name}</title>\n\
         <style>body{{font-family:system-ui,sans-serif;margin:2rem}}li{{margin:.4rem 0}}\
         code{{color:#777;margin-left:.5rem}}</style>\n</head>\n<body>\n<h1>Martlet</h1>\n\
         <p>{name}, version {version}</p>\n<ul>\n{links}</ul>\n</body>\n</html>\n"
    )
}
