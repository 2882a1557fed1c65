//! From a request to its answer, without a connection.

use std::fmt::Display;
use std::sync::atomic::Ordering;

use super::HttpOptions;
use super::debug::{debug_vars, stacks};
use super::index::index;
use super::path::{below, clean};
use super::reply::{Layout, Reply};
use crate::Monitor;
use crate::metrics::{self, metrics};
use crate::query::{Plus, Query, decode};
use crate::views::{
    AccountStatzOptions, AccountzOptions, ConnzOptions, GatewayzOptions, HealthzOptions, IpqueueszOptions, JszOptions,
    LeafzOptions, NO_RAFT_NODES, RoutezOptions, SubszOptions,
};

/// What matters of a request. The method does not, but for how a redirection looks.
// spec: CLU-163 CLU-164 CLU-165
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) get: bool,
    pub(super) path: &'a str,
    pub(super) query: Option<&'a str>,
    pub(super) authorization: Option<&'a [u8]>,
}

const PRETTY: Layout = Layout::Indented("  ");

pub(super) fn answer(monitor: &Monitor, options: &HttpOptions, asked: &Asked<'_>) -> Reply {
    let Some(path) = decode(asked.path, Plus::Plus) else { return Reply::bad_path() };
    let clean_path = clean(asked.path);
    if clean_path != asked.path {
        let query = asked.query.map(|query| format!("?{query}")).unwrap_or_default();
        return Reply::moved(&(clean_path + &query), asked.get);
    }
    let Some(endpoint) = below(&options.base_path, &path) else { return Reply::not_found() };
    // A probe asks for nothing but the status; with arguments it would learn what exists.
    let open = endpoint == "/healthz" && asked.query.is_none_or(str::is_empty);
    if !open && !authorized(options.basic_auth.as_ref(), asked.authorization) {
        monitor.requests().unauthorized.fetch_add(1, Ordering::Relaxed);
        return Reply::unauthorized();
    }
    let query = Query::parse(asked.query.unwrap_or_default());
    if endpoint == "/" {
        monitor.requests().count("/");
        return Reply::typed("text/html; charset=utf-8", index(&monitor.server().identity(), &options.base_path));
    }
    view(monitor, endpoint, &query).unwrap_or_else(|BadRequest(text)| Reply::refused(400, text))
}

/// Whether the answer can grow with the number of connections, subscriptions or accounts.
pub(super) fn can_be_large(path: &str) -> bool {
    let path = decode(path, Plus::Plus).unwrap_or_default();
    ["/connz", "/subsz", "/subscriptionsz", "/accountz", "/accstatz"].iter().any(|endpoint| path.ends_with(endpoint))
}

/// Why a request makes no sense.
struct BadRequest(String);

type Outcome = Result<Reply, BadRequest>;

fn bad_request(error: impl Display) -> BadRequest {
    BadRequest(error.to_string())
}

fn pretty(value: &impl serde::Serialize) -> Reply {
    Reply::json(200, PRETTY, value)
}

/// Most endpoints count a request whatever its arguments; two of them, only one that makes sense.
fn view(monitor: &Monitor, endpoint: &str, query: &Query<'_>) -> Outcome {
    let count = |endpoint| monitor.requests().count(endpoint);
    Ok(match endpoint {
        "/varz" => {
            count("/varz");
            pretty(&monitor.varz())
        }
        "/connz" => {
            let options = ConnzOptions::from_query(query).map_err(bad_request)?;
            count("/connz");
            pretty(&monitor.connz(&options).map_err(bad_request)?)
        }
        "/routez" => {
            let options = RoutezOptions::from_query(query).map_err(bad_request)?;
            count("/routez");
            pretty(&monitor.routez(&options))
        }
        "/gatewayz" => {
            count("/gatewayz");
            pretty(&monitor.gatewayz(&GatewayzOptions::from_query(query).map_err(bad_request)?))
        }
        "/leafz" => {
            count("/leafz");
            pretty(&monitor.leafz(&LeafzOptions::from_query(query).map_err(bad_request)?))
        }
        "/subsz" | "/subscriptionsz" => {
            count("/subsz");
            let options = SubszOptions::from_query(query).map_err(bad_request)?;
            pretty(&monitor.subsz(&options).map_err(bad_request)?)
        }
        "/accountz" => {
            count("/accountz");
            pretty(&monitor.accountz(&AccountzOptions::from_query(query)).map_err(bad_request)?)
        }
        "/accstatz" => {
            count("/accstatz");
            pretty(&monitor.account_statz(&AccountStatzOptions::from_query(query).map_err(bad_request)?))
        }
        "/jsz" => {
            count("/jsz");
            let options = JszOptions::from_query(query).map_err(bad_request)?;
            pretty(&monitor.jsz(&options).map_err(bad_request)?)
        }
        "/healthz" => {
            count("/healthz");
            healthz(monitor, &HealthzOptions::from_query(query).map_err(bad_request)?)
        }
        other => operations(monitor, other, query)?,
    })
}

/// The endpoints that are not counted, but for Martlet's own.
fn operations(monitor: &Monitor, endpoint: &str, query: &Query<'_>) -> Outcome {
    Ok(match endpoint {
        "/ipqueuesz" => {
            let options = IpqueueszOptions::from_query(query).map_err(bad_request)?;
            Reply::json(200, Layout::Indented("   "), &monitor.ipqueuesz(&options))
        }
        "/raftz" => Reply::refused(404, NO_RAFT_NODES),
        "/stacksz" => Reply::as_json(200, stacks().into()),
        "/debug/vars" => Reply::typed("application/json; charset=utf-8", debug_vars(&monitor.process().usage())),
        "/metrics" => {
            monitor.requests().count("/metrics");
            let prefix = metrics::Prefix::parse(query.text("prefix")).map_err(bad_request)?;
            Reply::typed(metrics::CONTENT_TYPE, metrics(monitor, &prefix))
        }
        _ => Reply::not_found(),
    })
}

fn healthz(monitor: &Monitor, options: &HealthzOptions) -> Reply {
    let mut status = monitor.healthz(options);
    if !status.error.is_empty() {
        log::warn!("Healthcheck failed: {:?}", status.error);
    } else if !status.errors.is_empty() {
        log::warn!("Healthcheck failed: {} errors", status.errors.len());
    }
    let code = status.status_code.take().unwrap_or(200);
    Reply::json(code, Layout::Compact, &status)
}

/// Whether `header` carries what is configured. Takes the same time whatever part of it is wrong.
fn authorized(wanted: Option<&(String, String)>, header: Option<&[u8]>) -> bool {
    let Some((user, password)) = wanted else { return true };
    let given = header.and_then(|header| {
        let (scheme, value) = header.split_at_checked(6)?;
        scheme.eq_ignore_ascii_case(b"basic ").then_some(())?;
        data_encoding::BASE64.decode(value.trim_ascii()).ok()
    });
    let wanted = format!("{user}:{password}");
    same(&given.unwrap_or_default(), wanted.as_bytes())
}

fn same(given: &[u8], wanted: &[u8]) -> bool {
    let differences = wanted
        .iter()
        .enumerate()
        .fold(0, |differences, (at, byte)| differences | (byte ^ given.get(at).copied().unwrap_or(!byte)));
    differences == 0 && given.len() == wanted.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_asked_for_and_compared_whole() {
        let wanted = Some(("me".to_owned(), "p:w".to_owned()));
        let header = |text: &str| format!("Basic {}", data_encoding::BASE64.encode(text.as_bytes()));
        let check = |header: &str| authorized(wanted.as_ref(), Some(header.as_bytes()));
        assert!(check(&header("me:p:w")));
        assert!(check(&header("me:p:w").replace("Basic", "basic")));
        for wrong in ["me:p", "me:p:w!", "me:p:x", ":p:w", "", "me"] {
            assert!(!check(&header(wrong)), "{wrong}");
        }
        for broken in ["Basic", "Basic ", "Basic !", "Bearer bWU6cDp3", "", "é"] {
            assert!(!check(broken), "{broken}");
        }
        assert!(!authorized(wanted.as_ref(), None));
        assert!(authorized(None, None));
    }
}
