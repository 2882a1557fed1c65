//! `/connz` against a server of plain values.

use std::time::Duration;

use super::*;
use crate::fake::{Fake, ID, closed, conn, epoch};
use crate::snapshot::{PeerCert, TlsSnapshot};

fn later() -> SystemTime {
    epoch() + Duration::from_mins(2)
}

fn ask(server: &Fake, query: &str) -> Connz {
    let options = ConnzOptions::from_query(&Query::parse(query)).unwrap();
    connz(server, later(), &options).unwrap()
}

fn ids(answer: &Connz) -> Vec<u64> {
    answer.connections.iter().flatten().map(|conn| conn.cid).collect()
}

#[test]
fn refusals_have_the_texts_users_know() {
    // spec: CLU-102 CLU-120 CLU-127
    let server = Fake::default();
    for (query, text) in [
        ("sort=zz", "invalid sorting option: zz"),
        ("sort=CID", "invalid sorting option: CID"),
        ("sort=stop", "sort by stop only valid on closed connections"),
        ("sort=reason&state=all", "sort by reason only valid on closed connections"),
    ] {
        let options = ConnzOptions::from_query(&Query::parse(query)).unwrap();
        assert_eq!(connz(&server, later(), &options).unwrap_err().to_string(), text, "{query}");
    }
    // spec: CLU-122 CLU-123 CLU-121 CLU-125 CLU-129
    for (query, text) in [
        ("state=zz", "Error decoding state for zz"),
        ("state=0", "Error decoding state for 0"),
        ("cid=-1", "Error decoding uint64 for 'cid': strconv.ParseUint: parsing \"-1\": invalid syntax"),
        ("limit=x", "Error decoding int for 'limit': strconv.Atoi: parsing \"x\": invalid syntax"),
        ("subs=zz", "Error decoding boolean for 'subs': strconv.ParseBool: parsing \"zz\": invalid syntax"),
        ("auth=zz", "Error decoding boolean for 'auth': strconv.ParseBool: parsing \"zz\": invalid syntax"),
    ] {
        let error = ConnzOptions::from_query(&Query::parse(query)).unwrap_err();
        assert_eq!(error.to_string(), text, "{query}");
    }
}

#[test]
fn a_subject_asks_for_an_account() {
    let options = ConnzOptions { filter_subject: "foo".into(), ..ConnzOptions::default() };
    let error = connz(&Fake::default(), later(), &options).unwrap_err();
    assert_eq!(error.to_string(), "filter by subject only valid with account filtering");
    let all = ConnzOptions { filter_subject: ">".into(), ..ConnzOptions::default() };
    assert!(connz(&Fake::default(), later(), &all).is_ok());
}

#[test]
fn options_are_read_from_a_json_body_too() {
    let body = r#"{"sort":"subs","auth":true,"subscriptions_detail":true,"limit":5,"state":1,"acc":"A","other":1}"#;
    let read = |json: &'static str| ConnzOptions::from_body(&mut Body::parse(json.as_bytes(), "X").unwrap());
    let options = read(body);
    let expected = ConnzOptions {
        sort: "subs".into(),
        auth: true,
        subscriptions_detail: true,
        limit: 5,
        state: ConnState::Closed,
        account: "A".into(),
        ..ConnzOptions::default()
    };
    assert_eq!(options, expected);
    let server = Fake { open: vec![conn(1, "u", "A", &[])], ..Fake::default() };
    let neither = connz(&server, later(), &read(r#"{"state":3}"#)).unwrap();
    assert_eq!((neither.total, neither.connections.unwrap().len(), neither.server_id.is_empty()), (0, 0, false));
}

#[test]
fn every_order_is_the_reference_s() {
    // spec: CLU-102
    let mut server = Fake { open: (1..=4).map(|cid| conn(cid, "u", "A", &[])).collect(), ..Fake::default() };
    // By id: numbers that are in no order of the ids.
    let values = [30_u64, 10, 40, 20];
    for ((stats, _), value) in server.open.iter_mut().zip(values) {
        stats.subscriptions = u32::try_from(value).unwrap();
        (stats.pending_bytes, stats.in_msgs, stats.out_msgs) = (value, value, value);
        (stats.in_bytes, stats.out_bytes) = (value, value);
        stats.rtt = Duration::from_micros(value);
        stats.last_activity = epoch() + Duration::from_secs(value);
        stats.start = epoch() - Duration::from_secs(value);
    }
    let (falling, rising) = ([3, 1, 4, 2], [2, 4, 1, 3]);
    for sort in ["subs", "pending", "msgs_to", "msgs_from", "bytes_to", "bytes_from", "last", "rtt"] {
        assert_eq!(ids(&ask(&server, &format!("sort={sort}"))), falling, "{sort}");
    }
    assert_eq!(ids(&ask(&server, "sort=idle")), rising);
    assert_eq!(ids(&ask(&server, "sort=uptime")), rising);
    for sort in ["", "cid", "start"] {
        assert_eq!(ids(&ask(&server, &format!("sort={sort}"))), [1, 2, 3, 4], "{sort}");
    }
    server.closed = vec![closed(5, "", "A", "b"), closed(6, "", "A", "a"), closed(7, "", "A", "b")];
    assert_eq!(ids(&ask(&server, "state=closed&sort=stop")), [7, 6, 5]);
    assert_eq!(ids(&ask(&server, "state=closed&sort=reason")), [6, 5, 7]);
}

#[test]
fn pages_and_totals() {
    // spec: CLU-124 CLU-126 CLU-128
    let server = Fake { open: (1..=3_000).map(|cid| conn(cid, "u", "A", &[])).collect(), ..Fake::default() };
    for (query, shown, total, offset, limit) in [
        ("", 1_024, 3_000, 0, 1_024),
        ("limit=0", 1_024, 3_000, 0, 1_024),
        ("limit=-5&offset=-1", 1_024, 3_000, 0, 1_024),
        ("limit=10", 10, 3_000, 0, 10),
        ("limit=5000", 3_000, 3_000, 0, 5_000),
        ("offset=2995", 5, 3_000, 2_995, 1_024),
        ("offset=9999999999999", 0, 3_000, 9_999_999_999_999, 1_024),
        ("cid=77", 1, 3_000, 0, 1),
        ("cid=99999", 0, 3_000, 0, 1),
        ("state=closed", 2, 2, 0, 1_024),
        ("state=closed&limit=0", 2, 2, 0, 1_024),
        ("state=ALL&limit=4000", 3_002, 3_002, 0, 4_000),
        ("state=any&cid=3", 1, 3_002, 0, 1),
    ] {
        let answer = ask(&server, query);
        let numbers = (answer.num_connections, answer.total, answer.offset, answer.limit);
        assert_eq!(numbers, (shown, total, offset, limit), "{query}");
        assert_eq!(answer.connections.unwrap().len(), shown);
    }
    assert_eq!(ids(&ask(&server, "offset=3&limit=2")), [4, 5]);
}

#[test]
fn filters_narrow_what_is_shown() {
    // spec: CLU-161 CLU-162
    let server = Fake::default();
    assert_eq!(ids(&ask(&server, "user=a")), [7]);
    assert_eq!(ask(&server, "user=a").total, 2);
    assert_eq!(ids(&ask(&server, "acc=B")), [8]);
    assert_eq!(ask(&server, "acc=B").total, 1);
    assert_eq!(ids(&ask(&server, "acc=B&state=all")), [8, 9]);
    assert_eq!(ids(&ask(&server, "acc=B&cid=7")), [0_u64; 0]);
    assert_eq!(ids(&ask(&server, "user=nobody")), [0_u64; 0]);
    assert_eq!(ids(&ask(&server, "mqtt_client=x")), [0_u64; 0]);
}

#[test]
fn an_unknown_account_has_no_list_at_all() {
    let answer = ask(&Fake::default(), "acc=NOPE&state=closed");
    let json = serde_json::to_value(&answer).unwrap();
    assert_eq!(json["server_id"], "");
    assert!(json["connections"].is_null());
    assert_eq!(ask(&Fake::default(), "").server_id, ID);
}

#[test]
fn an_open_connection_is_shown_as_by_the_reference() {
    // spec: CLI-011 CLU-102 CORE-088
    let answer = ask(&Fake::default(), "cid=7&auth=1&subs=detail");
    let json = serde_json::to_string_pretty(&answer.connections.unwrap()).unwrap();
    let expected = r#"[
  {
    "cid": 7,
    "kind": "Client",
    "type": "nats",
    "ip": "127.0.0.1",
    "port": 32007,
    "start": "2026-11-22T09:18:07Z",
    "last_activity": "2026-11-22T09:18:07.005Z",
    "rtt": "313µs",
    "uptime": "1m53s",
    "idle": "1m52s",
    "pending_bytes": 1,
    "in_msgs": 70,
    "out_msgs": 7,
    "in_bytes": 700,
    "out_bytes": 49,
    "subscriptions": 2,
    "lang": "python3",
    "version": "2.16.0",
    "authorized_user": "a",
    "account": "A",
    "subscriptions_list_detail": [
      {
        "subject": "svc.x",
        "qgroup": "q",
        "sid": "1",
        "msgs": 1,
        "cid": 7
      },
      {
        "subject": "zz.*",
        "sid": "2",
        "msgs": 1,
        "max": 5,
        "cid": 7
      }
    ],
    "name_tag": "A"
  }
]"#;
    assert_eq!(json, expected);
}

#[test]
fn who_it_is_and_its_subjects_are_shown_on_request() {
    // spec: CLI-011
    let shown = |query| ask(&Fake::default(), query).connections.unwrap().remove(0);
    let plain = shown("");
    assert_eq!((plain.authorized_user.as_str(), plain.account.as_str(), plain.name_tag.as_str()), ("", "", ""));
    assert!(plain.subscriptions_list.is_empty() && plain.subscriptions_list_detail.is_empty());
    assert_eq!(shown("subs=true").subscriptions_list, ["svc.x", "zz.*"]);
    assert_eq!(shown("subs=Detail").subscriptions_list_detail.len(), 2);
}

#[test]
fn the_global_account_is_left_out() {
    let server = Fake { open: vec![conn(1, "", "$G", &[])], ..Fake::default() };
    let info = ask(&server, "auth=1").connections.unwrap().remove(0);
    assert_eq!((info.account.as_str(), info.name_tag.as_str()), ("", "$G"));
}

#[test]
fn a_closed_connection_says_when_and_why() {
    // spec: CORE-082
    let closed = ask(&Fake::default(), "state=closed&auth=1").connections.unwrap();
    let json = serde_json::to_value(&closed[0]).unwrap();
    assert_eq!(json["stop"], "2026-11-22T09:19:18Z");
    assert_eq!(json["reason"], "Client Closed");
    assert_eq!(json["uptime"], "1m9s", "counted to its end");
    assert_eq!(json["name_tag"], "B");
    assert_eq!(closed[1].authorized_user, "b");
    assert_eq!((closed[1].account.as_str(), closed[1].name_tag.as_str()), ("", ""));
}

#[test]
fn certificates_of_a_peer_are_shown_to_those_who_ask_who_it_is() {
    // spec: SEC-072
    let mut server = Fake::default();
    server.open[0].1.tls = Some(TlsSnapshot {
        version: "1.3".into(),
        cipher_suite: "TLS_AES_128_GCM_SHA256".into(),
        first: true,
        peer_certs: vec![PeerCert { subject: "CN=a".into(), spki_sha256: "01".into(), cert_sha256: "02".into() }],
    });
    let json = |query| serde_json::to_value(&ask(&server, query).connections.unwrap()[0]).unwrap();
    let shown = json("auth=1");
    assert_eq!(shown["tls_version"], "1.3");
    assert_eq!(shown["tls_cipher_suite"], "TLS_AES_128_GCM_SHA256");
    assert_eq!(shown["tls_first"], true);
    let certs = serde_json::json!([{"subject": "CN=a", "spki_sha256": "01", "cert_sha256": "02"}]);
    assert_eq!(shown["tls_peer_certs"], certs);
    assert!(json("").get("tls_peer_certs").is_none());
}

#[test]
fn a_connection_that_closes_meanwhile_is_left_out() {
    let server = Fake { gone: vec![7], ..Fake::default() };
    let answer = ask(&server, "");
    assert_eq!((ids(&answer), answer.num_connections, answer.total), (vec![8], 1, 2));
}
