//! The document is read back by a strict reader of the format.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::*;
use crate::fake::{Fake, ID, account, conn, route};

/// Series by name with labels as written, and the type of each family.
struct Read {
    series: BTreeMap<String, String>,
    types: BTreeMap<String, String>,
}

fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Labels between braces: names, each once, and values in quotes with nothing in them that needs an escape.
fn check_labels(mut text: &str) {
    let mut names = BTreeSet::new();
    while !text.is_empty() {
        let (name, rest) = text.split_once("=\"").expect("a label has a value in quotes");
        assert!(is_name(name) && names.insert(name.to_owned()), "{name}");
        let mut escaped = false;
        let end = rest
            .find(|character| {
                assert!(!escaped || matches!(character, '\\' | '"' | 'n'), "{rest}");
                let ends = character == '"' && !escaped;
                escaped = character == '\\' && !escaped;
                ends
            })
            .expect("a quote ends the value");
        let rest = &rest[end + 1..];
        text = rest.strip_prefix(',').unwrap_or(rest);
        assert!(text.is_empty() != rest.starts_with(','), "{rest}");
    }
}

/// Every family: its help, its type, then all of its samples; no family and no series twice.
fn read(text: &str) -> Read {
    assert!(text.ends_with('\n'));
    let mut read = Read { series: BTreeMap::new(), types: BTreeMap::new() };
    let mut family = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').expect("help has a text");
            assert!(is_name(name) && help.ends_with('.'), "{line}");
            let kind = lines.next().and_then(|line| line.strip_prefix(&format!("# TYPE {name} "))).expect("a type");
            assert!(matches!(kind, "counter" | "gauge"), "{kind}");
            assert!(read.types.insert(name.into(), kind.into()).is_none(), "{name} twice");
            family = name.into();
            continue;
        }
        let (series, value) = line.rsplit_once(' ').expect("a sample has a value");
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        assert_eq!(name, family, "{line}");
        check_labels(labels.strip_suffix('}').expect("a brace ends the labels"));
        value.parse::<f64>().expect("the value is a number");
        assert!(read.series.insert(series.into(), value.into()).is_none(), "{series} twice");
    }
    read
}

fn document(server: Fake) -> String {
    metrics(&Monitor::new(Arc::new(server)), &Prefix::default())
}

#[test]
fn dashboards_find_the_names_they_know() {
    let read = read(&document(Fake::default()));
    let server = format!("{{server_id=\"{ID}\"}}");
    for (name, value) in [
        ("nats_up", "1"),
        ("nats_healthz_status", "0"),
        ("nats_varz_connections", "2"),
        ("nats_varz_total_connections", "4"),
        ("nats_varz_in_msgs", "3"),
        ("nats_varz_slow_consumers", "3"),
        ("nats_varz_subscriptions", "72"),
        ("nats_varz_max_payload", "1048576"),
        ("nats_varz_tls_timeout", "2.5"),
        ("nats_connz_num_connections", "2"),
        ("nats_connz_in_msgs", "150"),
        ("nats_connz_pending_bytes", "3"),
        ("nats_subsz_num_subscriptions", "12"),
        ("nats_routez_num_routes", "0"),
    ] {
        assert_eq!(read.series.get(&format!("{name}{server}")).map(String::as_str), Some(value), "{name}");
    }
    let account = format!(
        "nats_accstatz_current_connections{{server_id=\"{ID}\",account=\"A\",account_id=\"A\",account_name=\"A\"}}"
    );
    assert_eq!(read.series[&account], "1");
    assert_eq!(read.types["nats_varz_in_msgs"], "counter");
    assert_eq!(read.types["nats_varz_connections"], "gauge");
    assert_eq!(read.types["nats_connz_in_msgs"], "gauge", "it falls when a connection closes");
}

#[test]
fn members_of_the_cluster_have_series_of_their_own() {
    // spec: CLU-103
    let routes = vec![route(1, "n2"), route(4, "n2"), route(2, "n3")];
    let read = read(&document(Fake { routes, ..Fake::default() }));
    let of = |field: &str, name: &str| {
        let labels = format!("server_id=\"{ID}\",remote_id=\"N{name}\",remote_name=\"{name}\"");
        read.series[&format!("nats_routez_conn_{field}{{{labels}}}")].clone()
    };
    assert_eq!(read.series[&format!("nats_routez_num_routes{{server_id=\"{ID}\"}}")], "3");
    assert_eq!(read.series[&format!("nats_varz_remotes{{server_id=\"{ID}\"}}")], "2");
    assert_eq!([of("rtt", "n2"), of("rtt", "n3")], ["0.004", "0.002"], "the slowest");
    for (field, sum) in
        [("pending_bytes", "5"), ("in_msgs", "50"), ("out_msgs", "100"), ("in_bytes", "500"), ("out_bytes", "1000")]
    {
        assert_eq!(of(field, "n2"), sum, "{field}");
    }
    let many = Fake { routes: (0..600).map(|n| route(n, &n.to_string())).collect(), ..Fake::default() };
    assert_eq!(document(many).matches("\nnats_routez_conn_rtt{").count(), 256);
}

#[test]
fn links_that_were_made_again_are_counted() {
    let read = read(&document(Fake::default()));
    let of = |kind, name| {
        read.series[&format!("martlet_link_reconnects_total{{kind=\"{kind}\",remote_name=\"{name}\"}}")].clone()
    };
    assert_eq!([of("route", "n2"), of("leafnode", "l1")], ["4", "0"]);
    assert_eq!(read.types["martlet_link_reconnects_total"], "counter");
}

#[test]
fn martlet_tells_more() {
    // spec: CORE-086 CORE-089 CORE-091
    let read = read(&document(Fake::default()));
    for (series, value) in [
        ("martlet_slow_consumers_total{kind=\"client\"}", "2"),
        ("martlet_slow_consumers_total{kind=\"route\"}", "1"),
        ("martlet_stale_connections_total{kind=\"client\"}", "5"),
        ("martlet_stalls_total", "6"),
        ("martlet_loop_connections{loop=\"1\"}", "2"),
        ("martlet_loop_read_batches_total{loop=\"0\"}", "9"),
        ("martlet_queue_pending{queue=\"System \\\"recvQ\\\"\"}", "3"),
        ("martlet_accounts", "4"),
    ] {
        assert_eq!(read.series.get(series).map(String::as_str), Some(value), "{series}");
    }
    if cfg!(target_os = "linux") {
        assert!(read.series["process_resident_memory_bytes"].parse::<f64>().unwrap() > 1e5);
        assert!(read.series.contains_key("process_cpu_seconds_total"));
    }
}

#[test]
fn every_number_of_varz_is_told() {
    let varz = Monitor::new(Arc::new(Fake::default())).varz();
    let json = serde_json::to_value(&varz).unwrap();
    let told: BTreeSet<&str> = varz::FIELDS.iter().map(|(field, ..)| *field).collect();
    for (field, value) in json.as_object().unwrap() {
        assert_eq!(told.contains(field.as_str()), value.is_number(), "{field}");
    }
}

#[test]
fn connections_do_not_add_series_and_accounts_only_some() {
    let few = read(&document(Fake::default())).series.len();
    let many = Fake { open: (0..500).map(|cid| conn(cid, "u", "A", &[])).collect(), ..Fake::default() };
    assert!(read(&document(many)).series.len() <= few);

    let names: Vec<&'static str> = (0..300).map(|number| &*format!("N{number}").leak()).collect();
    let open = (0_u64..).zip(&names).map(|(cid, name)| conn(cid, "u", name, &[])).collect();
    let read = read(&document(Fake { open, accounts: names, ..Fake::default() }));
    let shown = read.series.keys().filter(|series| series.starts_with("nats_accstatz_sent_bytes")).count();
    assert_eq!(shown, MOST_ACCOUNTS);
    assert_eq!(read.series["martlet_accounts_omitted"], "44");
}

#[test]
fn another_prefix_can_be_asked_for() {
    let monitor = Monitor::new(Arc::new(Fake::default()));
    let text = metrics(&monitor, &Prefix::parse("gnatsd").unwrap());
    assert!(text.contains("\ngnatsd_varz_mem{") && !text.contains("nats_varz_mem{server_id=\"\""));
    read(&text);
    for wrong in ["1a", "a-b", "a b", "a{", "é", &"a".repeat(33)] {
        assert!(Prefix::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn streams_and_consumers_have_the_names_of_the_exporter() {
    // spec: CLU-108
    let with_streams = || Fake { streams: Some(vec![account("A", 1, 1)]), ..Fake::default() };
    let server = format!(
        "server_id=\"{ID}\",server_name=\"inv <1>\",cluster=\"\",domain=\"\",meta_leader=\"\",is_meta_leader=\"true\""
    );
    let account = format!("{server},account=\"A\",account_name=\"A\",account_id=\"A\"");
    let stream = format!("{account},stream_name=\"S0\",stream_leader=\"inv <1>\",is_stream_leader=\"true\"");
    let consumer = format!(
        "{stream},consumer_name=\"c0\",consumer_leader=\"inv <1>\",is_consumer_leader=\"true\",\
         consumer_desc=\"it \\\"pulls\\\"\",consumer_created=\"2026-11-22T09:18:01Z\""
    );
    let found = read(&document(with_streams()));
    for (name, labels, value) in [
        ("server_jetstream_disabled", &server, "0"),
        ("server_max_storage", &server, "1000000"),
        ("server_total_streams", &server, "1"),
        ("server_total_consumers", &server, "1"),
        ("account_max_memory", &account, "-1"),
        ("account_storage_used", &account, "800"),
        ("stream_total_messages", &stream, "20"),
        ("stream_last_seq", &stream, "20"),
        ("stream_limit_bytes", &stream, "5000"),
        ("consumer_num_pending", &consumer, "11"),
        ("consumer_num_ack_pending", &consumer, "2"),
        ("consumer_num_redelivered", &consumer, "1"),
        ("consumer_ack_floor_stream_seq", &consumer, "6"),
        ("consumer_last_delivery_seconds", &consumer, "0"),
    ] {
        let series = format!("nats_{name}{{{labels}}}");
        assert_eq!(found.series.get(&series).map(String::as_str), Some(value), "{series}");
    }
    assert_eq!(found.series["martlet_jetstream_faults"], "0");
    let own = "account=\"A\",stream_name=\"S0\",consumer_name=\"c0\"";
    assert_eq!(found.series[&format!("martlet_consumer_dead_letters_waiting{{{own}}}")], "4");
    assert!(!found.series.keys().any(|name| name.starts_with("martlet_consumer_passed_over")), "nothing to tell");
    assert_eq!(found.types["nats_varz_jetstream_stats_api_total"], "counter");
    let monitor = Monitor::new(Arc::new(with_streams()));
    let text = metrics(&monitor, &Prefix::parse("gnatsd").unwrap());
    assert!(
        text.contains("\njetstream_consumer_num_pending{") && text.contains("\ngnatsd_varz_jetstream_stats_storage{")
    );
    let off = read(&document(Fake::default()));
    assert_eq!(off.series[&format!("nats_server_jetstream_disabled{{{server}}}")], "1");
    assert!(!off.series.keys().any(|name| name.starts_with("nats_stream_")));
}

#[test]
fn only_so_many_streams_and_consumers_have_series() {
    let streams = Some(vec![account("A", 300, 4), account("B", 300, 1)]);
    let found = read(&document(Fake { streams, ..Fake::default() }));
    let count = |name: &str| found.series.keys().filter(|series| series.starts_with(name)).count();
    assert_eq!(count("nats_stream_total_bytes{"), jetstream::MOST_STREAMS);
    assert_eq!(count("nats_consumer_num_pending{"), jetstream::MOST_CONSUMERS);
    assert_eq!(found.series["martlet_jetstream_omitted{kind=\"stream\"}"], "88");
    assert_eq!(found.series["martlet_jetstream_omitted{kind=\"consumer\"}"], "476");
}
