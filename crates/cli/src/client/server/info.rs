//! `martlet server info`: what one server says of itself, as a page.

use clap::Args;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value as Json;

use super::Which;
use super::ask::{Ask, view};
use crate::client::error::CliError;
use crate::client::number::{self, float, grouped};
use crate::client::out;
use crate::client::page::{self, Section};

/// `server info`.
#[derive(Debug, Args)]
pub(crate) struct InfoArgs {
    /// Name or id of the server [default: the one this connects to]
    #[arg(value_name = "SERVER")]
    name: Option<String>,
    /// Write JSON, as the server told it
    #[arg(short, long)]
    json: bool,
}

/// What the page shows.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Varz {
    server_name: String,
    server_id: String,
    version: String,
    git_commit: String,
    host: String,
    port: u16,
    http_port: u16,
    auth_required: bool,
    tls_required: bool,
    tls_verify: bool,
    system_account: String,
    tags: Vec<String>,
    cluster: Listener,
    gateway: Listener,
    leaf: Listener,
    start: Option<Timestamp>,
    config_load_time: Option<Timestamp>,
    uptime: String,
    cores: u64,
    cpu: f64,
    mem: u64,
    connections: u64,
    total_connections: u64,
    subscriptions: u64,
    routes: u64,
    remotes: u64,
    leafnodes: u64,
    slow_consumers: u64,
    in_msgs: u64,
    in_bytes: u64,
    out_msgs: u64,
    out_bytes: u64,
    max_connections: u64,
    max_payload: u64,
    max_pending: u64,
    max_control_line: u64,
}

/// Where other servers connect.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Listener {
    name: String,
    #[serde(alias = "addr")]
    host: String,
    #[serde(alias = "cluster_port")]
    port: u16,
}

impl Listener {
    fn text(&self) -> String {
        let address = if self.port == 0 { String::new() } else { format!("{}:{}", self.host, self.port) };
        [self.name.clone(), address].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
    }
}

/// Shows the server of `args`.
pub(super) async fn run(args: &InfoArgs, ask: &Ask) -> Result<(), CliError> {
    let id = match &args.name {
        Some(name) => chosen(name, ask).await?,
        None => ask.connected_to(),
    };
    let answer = match ask.one(&id, "VARZ", &Json::Null).await {
        // The server we are connected to is there: what lacks is the right to ask it.
        Err(CliError::NoResponders { subject }) if args.name.is_none() => return Err(ask.not_allowed(&subject)),
        answer => answer?,
    };
    if args.json {
        return out::write(out::json(&answer.raw).as_bytes());
    }
    let varz: Varz = view("VARZ", Some(answer.data()))?;
    out::write(page(&varz).as_bytes())
}

/// The id of the server called `name`.
async fn chosen(name: &str, ask: &Ask) -> Result<String, CliError> {
    let which = Which { host: Some(name.to_owned()), ..Which::default() };
    let found = ask.discover(&which).await?;
    match found.servers.as_slice() {
        [one] => Ok(one.answer.server.id.clone()),
        several => {
            let ids = several.iter().map(|found| found.answer.server.id.clone()).collect::<Vec<_>>().join(", ");
            Err(CliError::Usage(format!("several servers are called {name:?}: give the id of one of {ids}")))
        }
    }
}

fn page(varz: &Varz) -> String {
    let yes = |is: bool, name: &'static str| is.then_some(name);
    let security = [
        yes(varz.auth_required, "credentials required"),
        yes(varz.tls_required, "TLS required"),
        yes(varz.tls_verify, "client certificates required"),
    ];
    let security: Vec<&str> = security.into_iter().flatten().collect();
    let traffic = |msgs, bytes| format!("{} messages, {}", grouped(msgs), number::bytes(float(bytes)));
    let time = |time: Option<Timestamp>| time.map(|time| format!("{time:.0}")).unwrap_or_default();
    let port = |port: u16| if port == 0 { String::new() } else { port.to_string() };
    let sections: [Section; 4] = [
        (
            "Server",
            vec![
                ("Name", varz.server_name.clone()),
                ("Id", varz.server_id.clone()),
                ("Version", varz.version.clone()),
                ("Commit", varz.git_commit.clone()),
                ("Tags", varz.tags.join(", ")),
                ("Started", time(varz.start)),
                ("Uptime", varz.uptime.clone()),
                ("Config read", time(varz.config_load_time)),
            ],
        ),
        (
            "Addresses",
            vec![
                ("Clients", format!("{}:{}", varz.host, varz.port)),
                ("Security", security.join(", ")),
                ("Monitoring", port(varz.http_port)),
                ("Cluster", varz.cluster.text()),
                ("Gateway", varz.gateway.text()),
                ("Leaf nodes", varz.leaf.text()),
                ("System account", varz.system_account.clone()),
            ],
        ),
        (
            "Limits",
            vec![
                ("Connections", grouped(varz.max_connections)),
                ("Message", number::bytes(float(varz.max_payload))),
                ("Pending", number::bytes(float(varz.max_pending))),
                ("Control line", number::bytes(float(varz.max_control_line))),
            ],
        ),
        (
            "Now",
            vec![
                ("Connections", format!("{} of {} so far", grouped(varz.connections), grouped(varz.total_connections))),
                ("Subscriptions", grouped(varz.subscriptions)),
                ("Routes", format!("{} to {} servers", varz.routes, varz.remotes)),
                ("Leaf nodes", grouped(varz.leafnodes)),
                ("Slow consumers", grouped(varz.slow_consumers)),
                ("Received", traffic(varz.in_msgs, varz.in_bytes)),
                ("Sent", traffic(varz.out_msgs, varz.out_bytes)),
                ("Memory", number::bytes(float(varz.mem))),
                ("Processor", format!("{:.1} % of one of {}", varz.cpu, varz.cores)),
            ],
        ),
    ];
    page::render(15, &sections)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_does_not_have_is_left_out() {
        let page = page(&Varz { server_name: "n1".into(), host: "0.0.0.0".into(), port: 4222, ..Varz::default() });
        assert!(page.contains("  Name            n1\n") && page.contains("  Clients         0.0.0.0:4222\n"), "{page}");
        for absent in ["Tags", "Gateway", "Security", "System account"] {
            assert!(!page.contains(absent), "{page}");
        }
    }

    #[test]
    fn clusters_are_told_with_name_and_address() {
        let cluster: Listener = serde_json::from_str(r#"{"name":"c","addr":"::","cluster_port":6222}"#).unwrap();
        assert_eq!(cluster.text(), "c, :::6222");
        assert_eq!(Listener::default().text(), "");
    }
}
