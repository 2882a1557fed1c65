//! The listener over real sockets, with a server of plain values behind it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use data_encoding::BASE64;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::*;
use crate::fake::{Fake, ID, conn};
use crate::snapshot::Health;

/// A listener that ends with the value.
struct Listening {
    address: std::net::SocketAddr,
    monitor: Arc<Monitor>,
    stop: Option<oneshot::Sender<()>>,
    task: tokio::task::JoinHandle<()>,
}

async fn listen(server: Fake, options: HttpOptions) -> Listening {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let monitor = Arc::new(Monitor::new(Arc::new(server)));
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async {
        let _ = stopped.await;
    };
    let task = tokio::spawn(serve(listener, Arc::clone(&monitor), options, shutdown));
    Listening { address, monitor, stop: Some(stop), task }
}

struct Response {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

impl Response {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> Response {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    Response { status, headers, body: body.to_owned() }
}

impl Listening {
    async fn request(&self, method: &str, target: &str, headers: &str) -> Response {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
        exchange(stream, &request).await
    }

    async fn get(&self, target: &str) -> Response {
        self.request("GET", target, "").await
    }
}

const PLAIN: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

#[tokio::test]
async fn every_endpoint_answers() {
    // spec: CLU-098 CLU-099 CLU-100 CLU-101 CLU-103 CLU-104 CLU-105 CLU-107 CLU-108 CLU-112
    // spec: CLU-136 CLU-137 CLU-150 CLU-154 CLU-155 CLI-010 CLI-012
    let listening = listen(Fake::default(), HttpOptions::default()).await;
    for (target, field, value) in [
        ("/varz", "server_id", serde_json::json!(ID)),
        ("/varz?callback=x", "version", serde_json::json!("2.15.1")),
        ("/connz", "num_connections", serde_json::json!(2)),
        ("/subsz", "num_subscriptions", serde_json::json!(12)),
        ("/subscriptionsz", "total", serde_json::json!(0)),
        ("/accountz", "accounts", serde_json::json!(["SYS", "$G", "A", "B"])),
        ("/accstatz", "server_id", serde_json::json!(ID)),
        ("/routez", "routes", serde_json::json!([])),
        ("/routez?subs=detail", "server_name", serde_json::json!("inv <1>")),
        ("/gatewayz", "outbound_gateways", serde_json::json!({})),
        ("/leafz", "leafs", serde_json::json!([])),
        ("/jsz", "disabled", serde_json::json!(true)),
        ("/jsz?acc=NOPE", "config", serde_json::json!({"max_memory": 0, "max_storage": 0})),
    ] {
        let response = listening.get(target).await;
        assert_eq!((response.status, response.header("content-type")), (200, JSON), "{target}");
        assert_eq!(response.header("access-control-allow-origin"), "*", "{target}");
        assert!(response.body.starts_with("{\n  \""), "{target}: {}", response.body);
        assert_eq!(response.json()[field], value, "{target}");
    }
    let threads = listening.get("/stacksz").await;
    assert_eq!((threads.status, threads.header("content-type")), (200, JSON));
    assert!(threads.body.contains(" threads\n"), "{}", threads.body);
}

#[tokio::test]
async fn endpoints_that_are_not_pretty_json() {
    // spec: CLU-099 CLU-100 CLU-109 CLU-110 CLU-111 CLU-138 CLU-139 CLU-152 CLU-156
    let listening = listen(Fake::default(), HttpOptions::default()).await;
    for target in ["/healthz", "/healthz?js-enabled-only=1", "/healthz?js-server-only=true", "/healthz?details=1"] {
        let response = listening.get(target).await;
        assert_eq!((response.status, response.body.as_str()), (200, "{\"status\":\"ok\"}"), "{target}");
        assert_eq!(response.header("access-control-allow-origin"), "*");
    }
    let queues = listening.get("/ipqueuesz").await;
    assert_eq!(queues.body, "{\n   \"System \\\"recvQ\\\"\": {\n      \"pending\": 3\n   }\n}");
    assert_eq!(listening.get("/ipqueuesz?queues=none").await.body, "{}");
    assert_eq!(
        listening.get("/ipqueuesz?all=1&queues=Send").await.json(),
        serde_json::json!({"SendQ": {"pending": 0}})
    );
    let raft = listening.get("/raftz?acc=NOPE").await;
    assert_eq!((raft.status, raft.body.as_str()), (404, "No Raft nodes registered"));
    assert_eq!(raft.header("content-type"), PLAIN);
    let vars = listening.get("/debug/vars").await;
    assert_eq!(vars.header("content-type"), "application/json; charset=utf-8");
    assert!(vars.json()["cmdline"].is_array() && vars.json()["memstats"]["Sys"].is_number());
    let metrics = listening.get("/metrics").await;
    assert_eq!(metrics.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assert!(metrics.body.contains("\nnats_varz_connections{server_id="));
    assert_eq!(listening.get("/metrics?prefix=1").await.status, 400);
    let index = listening.get("/").await;
    assert_eq!(index.header("content-type"), "text/html; charset=utf-8");
    assert!(index.body.contains("inv &lt;1&gt;"), "{}", index.body);
}

#[tokio::test]
async fn every_link_of_the_index_leads_somewhere() {
    // spec: CLU-100
    for base in ["", "/nats", "/a/b"] {
        let options = HttpOptions { base_path: base.into(), ..HttpOptions::default() };
        let listening = listen(Fake::default(), options).await;
        let index = listening.get(if base.is_empty() { "/" } else { base }).await;
        let links: Vec<&str> =
            index.body.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        assert!(links.len() >= 14);
        let folder = base.rsplit_once('/').map_or("", |(folder, _)| folder);
        for link in links {
            let response = listening.get(&format!("{folder}/{}", link.strip_prefix("./").unwrap())).await;
            assert_ne!(response.body, "404 page not found\n", "{base} {link}");
        }
    }
}

#[tokio::test]
async fn refusals_over_http() {
    // spec: CLU-113 CLU-120 CLU-121 CLU-130 CLU-131 CLU-132 CLU-134 CLU-135 CLU-145 CLU-146 CLU-147 CLU-148
    // spec: CLU-149 CLU-151
    let listening = listen(Fake::default(), HttpOptions::default()).await;
    let bool_error =
        |name: &str| format!("Error decoding boolean for '{name}': strconv.ParseBool: parsing \"x\": invalid syntax");
    for (target, text) in [
        ("/connz?sort=zz", "invalid sorting option: zz".into()),
        ("/connz?limit=x", "Error decoding int for 'limit': strconv.Atoi: parsing \"x\": invalid syntax".into()),
        ("/subsz?limit=x", "Error decoding int for 'limit': strconv.Atoi: parsing \"x\": invalid syntax".into()),
        ("/subsz?test=a..b", "invalid test subject, must be valid publish subject: a..b".into()),
        ("/jsz?accounts=x", bool_error("accounts")),
        ("/jsz?limit=x", "Error decoding int for 'limit': strconv.Atoi: parsing \"x\": invalid syntax".into()),
        ("/jsz?leader-only=1", "filtered response: not leader".into()),
        ("/healthz?details=x", bool_error("details")),
        ("/accountz?acc=NOPE", "Account NOPE does not exist".into()),
        ("/routez?subs=x", bool_error("subs")),
        ("/leafz?subs=x", bool_error("subs")),
        ("/gatewayz?accs=x", bool_error("accs")),
        ("/accstatz?unused=x", bool_error("unused")),
        ("/ipqueuesz?all=x", bool_error("all")),
    ] {
        let response = listening.get(target).await;
        assert_eq!((response.status, response.body), (400, text), "{target}");
        assert_eq!(response.headers["content-type"], PLAIN);
        assert!(!response.headers.contains_key("access-control-allow-origin"));
    }
}

#[tokio::test]
async fn paths_that_are_none() {
    // spec: CLU-100 CLU-153 CLU-157 CLU-158 CLU-159 CLU-160
    let listening = listen(Fake::default(), HttpOptions::default()).await;
    for target in ["/x", "/varz/", "/VARZ", "/debug/pprof/", "/expvarz", "/varz/x"] {
        let response = listening.get(target).await;
        assert_eq!((response.status, response.body.as_str()), (404, "404 page not found\n"), "{target}");
        assert_eq!(response.header("x-content-type-options"), "nosniff");
    }
    for (target, location) in [("//varz", "/varz"), ("/./connz?a=b", "/connz?a=b"), ("//evil.test/..", "/")] {
        let response = listening.get(target).await;
        assert_eq!((response.status, response.header("location")), (307, location), "{target}");
    }
    let moved = listening.get("//varz").await;
    assert_eq!(moved.body, "<a href=\"/varz\">Temporary Redirect</a>.\n\n");
    assert_eq!(listening.get("/%76arz").await.status, 200);
    assert_eq!(listening.get("/%zz").await.status, 400);
}

#[tokio::test]
async fn the_method_does_not_matter() {
    // spec: CLU-163 CLU-164 CLU-165
    let listening = listen(Fake::default(), HttpOptions::default()).await;
    for method in ["POST", "DELETE", "OPTIONS"] {
        let response = listening.request(method, "/varz", "").await;
        assert_eq!((response.status, &response.json()["server_id"]), (200, &serde_json::json!(ID)), "{method}");
    }
    let head = listening.request("HEAD", "/varz", "").await;
    assert_eq!((head.status, head.header("content-type"), head.body.as_str()), (200, JSON, ""));
    let posted = listening.request("POST", "/connz", "Content-Length: 0\r\n").await;
    assert_eq!(posted.status, 200);
}

#[tokio::test]
async fn varz_has_the_fields_of_the_reference_in_its_order() {
    // spec: CLU-101 CLI-010
    let listening = listen(Fake::default(), HttpOptions::default()).await;
    let body = listening.get("/varz").await.body;
    let fields: Vec<&str> = body
        .lines()
        .filter_map(|line| line.strip_prefix("  \"")?.split_once("\": ").map(|(field, _)| field))
        .filter(|field| *field != "gomemlimit")
        .collect();
    let expected = "server_id server_name version proto git_commit go host port auth_required max_connections \
        ping_interval ping_max http_host http_port http_base_path https_port auth_timeout max_control_line max_payload \
        max_pending cluster gateway leaf mqtt websocket jetstream tls_timeout write_deadline start now uptime mem cores \
        gomaxprocs cpu connections total_connections routes remotes leafnodes in_msgs in_bytes in_client_msgs \
        in_client_bytes out_msgs out_bytes out_client_msgs out_client_bytes slow_consumers stale_connections \
        stalled_clients subscriptions http_req_stats config_load_time config_digest tags metadata feature_flags \
        system_account slow_consumer_stats stale_connection_stats disk_io_wait_stats proxies";
    assert_eq!(fields.join(" "), expected.split_whitespace().collect::<Vec<_>>().join(" "));
    for line in
        ["\"auth_timeout\": 2,", "\"ping_interval\": 120000000000,", "\"tls_timeout\": 2.5,", "\"cluster\": {},"]
    {
        assert!(body.contains(line), "{line} in {body}");
    }
}

#[tokio::test]
async fn the_end_of_a_certificate_is_told() {
    // spec: SEC-073
    let tls = crate::snapshot::TlsSettings { required: true, verify: true, cert_not_after: Some(crate::fake::epoch()) };
    let listening = listen(Fake { tls: Some(tls), ..Fake::default() }, HttpOptions::default()).await;
    let varz = listening.get("/varz").await.json();
    assert_eq!(varz["tls_cert_not_after"], "2026-11-22T09:18:00Z");
    assert_eq!((&varz["tls_required"], &varz["tls_verify"]), (&true.into(), &true.into()));
    let metrics = listening.get("/metrics").await.body;
    assert!(metrics.contains("\nmartlet_tls_cert_not_after_seconds 1795339080\n"), "{metrics}");
}

#[tokio::test]
async fn one_account_is_shown_whole() {
    // spec: CLU-107
    let listening = listen(Fake::default(), HttpOptions::default()).await;
    let detail = &listening.get("/accountz?acc=A").await.json()["account_detail"];
    assert_eq!(detail["complete"], true);
    assert_eq!(detail["mappings"], serde_json::json!({"foo": [{"subject": "baz", "weight": 20}]}));
    let export = serde_json::json!([{"subject": "svc.>", "type": "service", "response_type": "Singleton",
        "service_latency": {"sampling": 50, "results": "lat.A"}, "approved_accounts": ["B"]}]);
    assert_eq!(detail["exports"], export);
    let import = serde_json::json!([{"subject": "st.>", "account": "A", "local_subject": "p.st.>", "type": "stream",
        "invalid": false, "share": false, "tracking": false}]);
    assert_eq!(detail["imports"], import);
    assert_eq!(detail["responses"]["_R_.X"]["type"], 2);
    let used = listening.get("/accstatz").await.json();
    assert_eq!(used["account_statz"].as_array().unwrap().len(), 2);
    let all = listening.get("/accstatz?unused=1").await.json();
    assert_eq!(all["account_statz"].as_array().unwrap().len(), 4);
    assert_eq!(all["account_statz"][2]["received"]["msgs"], 1);
    assert_eq!(all["account_statz"][2]["received"]["routes"], serde_json::json!({"msgs": 0, "bytes": 0}));
}

#[tokio::test]
async fn subscriptions_are_listed_and_tested() {
    // spec: CLU-106 CLU-133
    let listening = listen(Fake::default(), HttpOptions::default()).await;
    let subjects = |json: serde_json::Value| -> Vec<String> {
        let list = json["subscriptions_list"].as_array().cloned().unwrap_or_default();
        list.iter().map(|sub| sub["subject"].as_str().unwrap().to_owned()).collect()
    };
    for (query, total, expected) in [
        ("subs=1", 3, vec!["svc.x", "zz.*", "st.>"]),
        ("subs=1&offset=1&limit=1", 3, vec!["zz.*"]),
        ("subs=1&acc=B", 1, vec!["st.>"]),
        ("subs=1&test=zz.top", 1, vec!["zz.*"]),
        ("subs=1&test=foo.bar", 0, vec![]),
        ("", 0, vec![]),
    ] {
        let json = listening.get(&format!("/subsz?{query}")).await.json();
        assert_eq!(json["total"], total, "{query}");
        assert_eq!(subjects(json), expected, "{query}");
    }
}

#[tokio::test]
async fn requests_are_counted_by_endpoint() {
    // spec: CLU-100
    let listening = listen(Fake::default(), HttpOptions::default()).await;
    for target in ["/connz", "/connz?limit=x", "/subscriptionsz", "/subsz?limit=x", "/", "/x", "/stacksz"] {
        listening.get(target).await;
    }
    let counts = listening.get("/varz").await.json()["http_req_stats"].clone();
    assert_eq!(counts, serde_json::json!({"/": 1, "/connz": 1, "/subsz": 2, "/varz": 1}));
}

#[tokio::test]
async fn bad_health_is_told() {
    // spec: CLU-109 CLU-140
    let health = Health::NotReady(vec!["server".into()]);
    let listening = listen(Fake { health, ..Fake::default() }, HttpOptions::default()).await;
    let text = "failed to be ready for connections after 1ms: server";
    let asked = r#"\"account\" must not be empty when checking stream health"#;
    for (target, code, body) in [
        ("/healthz", 500, format!(r#"{{"status":"error","error":"{text}"}}"#)),
        (
            "/healthz?details=1",
            500,
            format!(r#"{{"status":"error","errors":[{{"type":"CONNECTION","error":"{text}"}}]}}"#),
        ),
        ("/healthz?stream=Q", 400, format!(r#"{{"status":"error","error":"{asked}"}}"#)),
        (
            "/healthz?stream=Q&details=1",
            400,
            format!(r#"{{"status":"error","errors":[{{"type":"BAD_REQUEST","error":"{asked}"}}]}}"#),
        ),
        (
            "/healthz?consumer=x",
            400,
            r#"{"status":"error","error":"\"stream\" must not be empty when checking consumer health"}"#.into(),
        ),
    ] {
        let response = listening.get(target).await;
        assert_eq!((response.status, response.body), (code, body), "{target}");
    }
}

#[tokio::test]
async fn credentials_guard_everything_but_a_probe() {
    let options = HttpOptions { basic_auth: Some(("me".into(), "pw".into())), ..HttpOptions::default() };
    let listening = listen(Fake::default(), options).await;
    let header = |pair: &str| format!("Authorization: Basic {}\r\n", BASE64.encode(pair.as_bytes()));
    for target in ["/", "/varz", "/metrics", "/x", "/healthz?account=A"] {
        let response = listening.get(target).await;
        assert_eq!(response.status, 401, "{target}");
        assert!(response.header("www-authenticate").starts_with("Basic realm="));
    }
    assert_eq!(listening.get("/healthz").await.status, 200);
    assert_eq!(listening.request("GET", "/varz", &header("me:no")).await.status, 401);
    assert_eq!(listening.request("GET", "/varz", &header("me:pw")).await.status, 200);
    assert_eq!(listening.monitor.requests().unauthorized.load(Ordering::Relaxed), 6);
}

#[tokio::test]
async fn a_slow_head_is_not_waited_for() {
    let limits = Limits { head_time: Duration::from_millis(100), ..Limits::default() };
    let listening = listen(Fake::default(), HttpOptions { limits, ..HttpOptions::default() }).await;
    let mut stream = TcpStream::connect(listening.address).await.unwrap();
    stream.write_all(b"GET /varz HTTP/1.1\r\nHost:").await.unwrap();
    let mut answer = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
    assert!(closed.is_ok(), "the connection stays open");
    assert!(!String::from_utf8_lossy(&answer).contains("200 OK"));
}

#[tokio::test]
async fn a_large_head_is_refused() {
    let listening = listen(Fake::default(), HttpOptions::default()).await;
    let response = listening.request("GET", "/varz", &format!("X: {}\r\n", "x".repeat(20_000))).await;
    assert_eq!(response.status, 431);
}

#[tokio::test]
async fn more_connections_than_there_are_places_wait() {
    let limits = Limits { connections: 1, ..Limits::default() };
    let listening = listen(Fake::default(), HttpOptions { limits, ..HttpOptions::default() }).await;
    let held = TcpStream::connect(listening.address).await.unwrap();
    // Until the first is dropped, the second is not served.
    let waiting = listening.get("/healthz");
    tokio::pin!(waiting);
    assert!(tokio::time::timeout(Duration::from_millis(300), waiting.as_mut()).await.is_err());
    drop(held);
    assert_eq!(waiting.await.status, 200);
}

#[tokio::test]
async fn a_reader_that_stops_reading_is_given_up() {
    let limits = Limits { exchange_time: Duration::from_millis(100), large_answers: 1, ..Limits::default() };
    let open = (0..40_000).map(|cid| conn(cid, "user", "A", &[])).collect();
    let listening = listen(Fake { open, ..Fake::default() }, HttpOptions { limits, ..HttpOptions::default() }).await;
    let mut stuck = TcpStream::connect(listening.address).await.unwrap();
    stuck.write_all(b"GET /connz?limit=40000 HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    // Its place among the large answers comes free again, and probes never waited for it.
    assert_eq!(listening.get("/healthz").await.status, 200);
    let small = tokio::time::timeout(Duration::from_secs(20), listening.get("/connz?limit=1")).await;
    assert_eq!(small.expect("the place comes free").status, 200);
    assert_eq!(listening.monitor.requests().timed_out.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_large_answer_arrives_whole() {
    let open = (0..5_000).map(|cid| conn(cid, "user", "A", &[])).collect();
    let listening = listen(Fake { open, ..Fake::default() }, HttpOptions::default()).await;
    let response = listening.get("/connz?limit=5000").await;
    assert!(response.body.len() > 1024 * 1024);
    assert_eq!(response.header("content-length"), response.body.len().to_string());
    assert_eq!(response.json()["connections"].as_array().unwrap().len(), 5_000);
}

#[tokio::test]
async fn the_listener_stops_when_told() {
    let mut listening = listen(Fake::default(), HttpOptions::default()).await;
    let idle = TcpStream::connect(listening.address).await.unwrap();
    assert_eq!(listening.get("/healthz").await.status, 200);
    drop(listening.stop.take());
    tokio::time::timeout(Duration::from_secs(10), &mut listening.task).await.expect("it stops").unwrap();
    assert!(TcpStream::connect(listening.address).await.is_err());
    drop(idle);
}

#[tokio::test]
async fn https_asks_for_its_certificate_each_time() {
    // spec: CLU-114
    let made = |name: &str| {
        let key = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.signing_key.serialize_der()));
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![key.cert.der().clone()], der);
        (key.cert.der().clone(), Arc::new(config.unwrap()))
    };
    let (first, second) = (made("one.test"), made("two.test"));
    let current = Arc::new(std::sync::Mutex::new(Arc::clone(&first.1)));
    let provided = Arc::clone(&current);
    let tls: TlsProvider = Arc::new(move || Arc::clone(&provided.lock().unwrap()));
    let listening = listen(Fake::default(), HttpOptions { tls: Some(tls), ..HttpOptions::default() }).await;
    for (name, (certificate, config)) in [("one.test", first), ("two.test", second)] {
        *current.lock().unwrap() = config;
        let mut roots = rustls::RootCertStore::empty();
        roots.add(certificate).unwrap();
        let client = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let stream = TcpStream::connect(listening.address).await.unwrap();
        let name = ServerName::try_from(name).unwrap();
        let stream = tokio_rustls::TlsConnector::from(Arc::new(client)).connect(name, stream).await.unwrap();
        let response = exchange(stream, "GET /varz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
        assert_eq!((response.status, &response.json()["server_id"]), (200, &serde_json::json!(ID)));
    }
}
