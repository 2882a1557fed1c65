//! The process with a server that does nothing, in this process and in one of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use martlet_config::reload::Change;
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR2};

use super::*;

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_mins(1);

#[derive(Default)]
struct State {
    stopped: bool,
    lame_duck: bool,
    asked_to_stop: u32,
    reloads: Vec<Vec<Change>>,
}

/// Stops when it is told to, unless it is `stubborn`.
#[derive(Default)]
struct Fake {
    state: Mutex<State>,
    changed: Condvar,
    stubborn: bool,
    refuses: Option<String>,
}

impl Fake {
    fn look<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        let result = look(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
        result
    }
}

impl Running for Fake {
    fn name(&self) -> String {
        "fake".into()
    }

    fn id(&self) -> String {
        "NFAKE".into()
    }

    fn listening(&self) -> Listening {
        Listening {
            clients: Some("127.0.0.1:40001".into()),
            nats: vec!["nats://127.0.0.1:40001".into()],
            monitoring: vec!["http://127.0.0.1:40002".into()],
            ..Listening::default()
        }
    }

    fn reload(&self, _: &Options, changes: &[Change]) -> Result<(), String> {
        self.look(|state| state.reloads.push(changes.to_vec()));
        self.refuses.clone().map_or(Ok(()), Err)
    }

    fn lame_duck(&self) {
        self.look(|state| state.lame_duck = true);
    }

    fn is_lame_duck(&self) -> bool {
        self.look(|state| state.lame_duck)
    }

    fn shutdown(&self) {
        self.look(|state| {
            state.asked_to_stop += 1;
            state.stopped = !self.stubborn;
        });
    }

    fn wait(&self) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.changed.wait_while(state, |state| !state.stopped).unwrap_or_else(PoisonError::into_inner));
    }
}

fn parsed(args: &[&str]) -> Parsed {
    flags::parse(args).expect("well-formed flags")
}

fn reloader(args: &[&str]) -> Reloader {
    reloader_with(args, None)
}

fn reloader_with(args: &[&str], notify: Option<String>) -> Reloader {
    let parsed = parsed(args);
    let mut options = load::read(&parsed, &load::Machine).expect("a valid file").options;
    settle_port(&mut options, &Fake::default().listening());
    Reloader::new(parsed, options, PortsFile::new("nats-server"), Notifier::to(notify))
}

/// Lets the signals happen, one after the other.
fn after(server: Fake, signals: &[i32]) -> (Ended, Arc<Fake>) {
    let events = Events::without_signals();
    let happen = events.signal_for_test();
    for signal in signals {
        happen(*signal);
    }
    let server = Arc::new(server);
    (events.serve(&server, &mut reloader(&[])), server)
}

#[test]
fn signals_stop_a_server() {
    // spec: CORE-140 CLI-003
    for signal in [SIGINT, SIGTERM] {
        let (ended, server) = after(Fake::default(), &[signal]);
        assert_eq!((ended, server.look(|state| state.asked_to_stop)), (Ended::Stopped, 1));
    }
}

#[test]
fn a_lame_duck_is_stopped_by_an_interrupt_only() {
    // spec: CORE-140 CLI-003
    let (ended, server) = after(Fake::default(), &[SIGUSR2, SIGTERM, SIGTERM, SIGINT]);
    assert!(server.is_lame_duck());
    assert_eq!((ended, server.look(|state| state.asked_to_stop)), (Ended::Stopped, 1));
}

#[test]
fn a_server_that_does_not_stop_is_left_at_the_second_word() {
    let stubborn = Fake { stubborn: true, ..Fake::default() };
    let (ended, server) = after(stubborn, &[SIGINT, SIGTERM]);
    assert_eq!((ended, server.look(|state| state.asked_to_stop)), (Ended::Impatient, 1));
}

#[test]
fn a_server_that_stops_by_itself_ends_the_process() {
    let server = Fake::default();
    server.look(|state| state.stopped = true);
    let (ended, server) = after(server, &[]);
    assert_eq!((ended, server.look(|state| state.asked_to_stop)), (Ended::Stopped, 0));
}

#[test]
fn the_server_may_ask_for_what_signals_do() {
    // spec: CORE-140
    let events = Events::without_signals();
    let controls = events.controls();
    let (answer, answers) = std::sync::mpsc::channel();
    let late = answer.clone();
    controls.reload(move |result| answer.send(result).unwrap());
    controls.lame_duck();
    events.signal_for_test()(SIGINT);
    let server = Arc::new(Fake::default());
    events.serve(&server, &mut reloader(&[]));
    assert!(server.is_lame_duck());
    let expected = "can only reload config when a file is provided using -c or --config";
    assert_eq!(answers.recv(), Ok(Err(expected.into())));
    controls.reload(move |result| late.send(result).unwrap());
    assert_eq!(answers.recv(), Ok(Err("the server is stopping".into())));
}

struct ConfigFile {
    directory: tempfile::TempDir,
}

impl ConfigFile {
    fn new(content: &str) -> Self {
        let file = Self { directory: tempfile::tempdir().unwrap() };
        file.write(content);
        file
    }

    fn write(&self, content: &str) {
        fs::write(self.path("s.conf"), content).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }
}

#[test]
fn a_changed_file_is_taken_on() {
    // spec: CFG-018 CFG-019 CFG-021
    let file = ConfigFile::new("port: -1\n");
    let mut reloader = reloader(&["-c", &file.text("s.conf"), "-D=false"]);
    file.write("port: -1\nmax_payload: 2000\ndebug: true\n");
    let server = Fake::default();
    assert_eq!(reloader.reload(&server), Ok(()));
    let changes = server.look(|state| state.reloads.remove(0));
    assert_eq!(changes, [Change::Users, Change::Accounts, Change::MaxPayload(2000)]);
    assert_eq!(reloader.current().limits.max_payload, 2000);
    assert_eq!(reloader.current().port, 40_001, "the port chosen at start");
    assert!(!reloader.current().log.debug, "the flag wins");
}

#[test]
fn a_reload_that_fails_leaves_everything_as_it_was() {
    // spec: CFG-020 CFG-434 CFG-431
    for (content, error, reaches_server) in [
        (
            "port: -1\nmax_payload: 100MB\n",
            "max_payload (104857600) cannot be higher than max_pending (67108864)",
            false,
        ),
        ("port: 39779\n", "config reload not supported for Port: old=40001, new=39779", false),
        ("port: -1\nping_max: 5\n", "the certificate vanished", true),
    ] {
        let file = ConfigFile::new("port: -1\n");
        let mut reloader = reloader(&["-c", &file.text("s.conf")]);
        let before = reloader.current().clone();
        file.write(content);
        let server = Fake { refuses: Some("the certificate vanished".into()), ..Fake::default() };
        assert_eq!(reloader.reload(&server), Err(error.into()));
        assert_eq!(*reloader.current(), before);
        assert_eq!(server.look(|state| state.reloads.len()), usize::from(reaches_server));
    }
    let file = ConfigFile::new("port: -1\n");
    let mut reloader = reloader(&["-c", &file.text("s.conf")]);
    file.write("port: [\n");
    assert!(reloader.reload(&Fake::default()).is_err());
    fs::remove_file(file.path("s.conf")).unwrap();
    assert!(reloader.reload(&Fake::default()).is_err_and(|error| error.contains("s.conf")));
}

#[test]
fn files_move_with_their_options() {
    // spec: CFG-039 CFG-040 CORE-144 CORE-159 CORE-161 CORE-162 CLI-004 CLI-005
    let file = ConfigFile::new("");
    let (old, new) = (file.path("old"), file.path("new"));
    fs::create_dir(&old).unwrap();
    fs::create_dir(&new).unwrap();
    file.write(&format!("ports_file_dir: {old:?}\nport: -1\n"));
    let mut reloader = reloader(&["-c", &file.text("s.conf")]);
    let ports = PortsFile::new("nats-server");
    ports.write(Some(&old), &Fake::default().listening());
    let name = format!("nats-server_{}.ports", std::process::id());
    let expected = r#"{"nats":["nats://127.0.0.1:40001"],"monitoring":["http://127.0.0.1:40002"]}"#;
    assert_eq!(fs::read_to_string(old.join(&name)).unwrap(), expected);
    file.write(&format!("ports_file_dir: {new:?}\npid_file: {:?}\nport: -1\n", file.path("s.pid")));
    assert_eq!(reloader.reload(&Fake::default()), Ok(()));
    assert_eq!(fs::read_dir(&old).unwrap().count(), 0);
    assert_eq!(fs::read_to_string(new.join(&name)).unwrap(), expected);
    assert_eq!(fs::read_to_string(file.path("s.pid")).unwrap(), std::process::id().to_string());
    assert_eq!(fs::metadata(file.path("s.pid")).unwrap().permissions().mode() & 0o777 & !0o600, 0);
    reloader.clean_up();
    assert_eq!(fs::read_dir(&new).unwrap().count(), 0);
    assert!(file.path("s.pid").exists(), "it stays");
    let error = files::write_pid(&file.path("no/s.pid")).expect_err("no such directory");
    assert!(error.starts_with(&format!("open {}: ", file.text("no/s.pid"))), "{error}");
}

#[test]
fn systemd_is_told_of_a_reload() {
    let file = ConfigFile::new("port: -1\n");
    let socket = UnixDatagram::bind(file.path("notify")).unwrap();
    let mut reloader = reloader_with(&["-c", &file.text("s.conf")], Some(file.text("notify")));
    assert_eq!(reloader.reload(&Fake::default()), Ok(()));
    reloader.stopping();
    let receive = || {
        let mut packet = [0; 256];
        let size = socket.recv(&mut packet).unwrap();
        String::from_utf8(packet[..size].to_vec()).unwrap()
    };
    let reloading = receive();
    let micros = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").expect("the time is told");
    assert!(micros.parse::<u64>().is_ok_and(|micros| micros > 0));
    assert_eq!([receive(), receive()], ["READY=1", "STOPPING=1"]);
}

/// Arguments of the process that [`child`] becomes, one a line.
const CHILD: &str = "MARTLET_TEST_CHILD";

/// No test by itself: in a process that was started by [`spawn`], it is the program.
#[test]
fn child() {
    let Ok(args) = std::env::var(CHILD) else { return };
    let code = main(args.lines().map(Into::into).collect(), |options, _| match options.server_name.as_deref() {
        Some("unlucky") => Err(StartError::Fatal("Error listening on port: 4222".into())),
        Some("impossible") => Err(StartError::Options("cannot be".into())),
        _ => Ok(Fake::default()),
    });
    std::process::exit(i32::from(code != ExitCode::SUCCESS));
}

fn spawn(args: &[&str]) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "process::tests::child", "--nocapture"])
        .env(CHILD, args.join("\n"))
        .env_remove("NOTIFY_SOCKET")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Runs to its end; status, what the program printed to standard output, and to standard error.
fn outcome(args: &[&str]) -> (bool, String, String) {
    let output = spawn(args).wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let stdout = text(output.stdout);
    let printed = stdout.split_once("running 1 test\n").map_or("", |(_, printed)| printed);
    (output.status.success(), printed.to_owned(), text(output.stderr))
}

#[test]
fn what_is_asked_of_the_program_is_printed() {
    // spec: CLI-001 CORE-145 CORE-153 CORE-154 CORE-155 CORE-156 CORE-157
    let (ok, out, err) = outcome(&["/usr/bin/nats-server", "-v"]);
    assert_eq!((ok, err.as_str()), (true, ""));
    assert!(out.ends_with("nats-server: v2.15.1\n"), "{out}");
    let (ok, out, _) = outcome(&["martlet", "--version"]);
    assert!(ok && out.contains(&format!("martlet: v{VERSION} ")) && out.contains("2.15.1"), "{out}");
    let (ok, out, err) = outcome(&["nats-server", "--nope"]);
    assert_eq!((ok, err.as_str()), (true, "flag provided but not defined: -nope\n"));
    assert!(out.contains("Usage: nats-server [options]"));
    for (args, message) in [
        (&["nats-server", "foo"][..], "nats-server: unrecognized command: \"foo\"\n"),
        (&["martlet", "foo"], "martlet: unrecognized command: \"foo\"\n"),
        (
            &["nats-server", "-t"],
            "nats-server: must specify [-c, --config] option to check configuration file syntax\n",
        ),
        (
            &["nats-server", "--routes", "nats://a:1"],
            "nats-server: solicited routes require cluster capabilities, e.g. --cluster\n",
        ),
        (&["nats-server", "-sl", "quit=abc"], "nats-server: invalid pid: abc\n"),
        (&["nats-server", "-n", "impossible"], "nats-server: cannot be\n"),
    ] {
        let (ok, _, err) = outcome(args);
        assert!(!ok, "{args:?}");
        assert!(err.ends_with(message), "{err}");
    }
}

#[test]
fn a_file_is_tested() {
    // spec: CFG-004 CFG-005 CFG-008 CORE-145 CLI-008
    let file = ConfigFile::new("port: 4222\n");
    let path = file.text("s.conf");
    let test = || outcome(&["nats-server", "-t", "-c", &path]);
    let (ok, _, err) = test();
    assert!(ok);
    let digest = err.strip_prefix(&format!("nats-server: configuration file {path} is valid (sha256:")).expect(&err);
    assert_eq!(digest.len(), 64 + 2);
    file.write("max_payload: 100MB\n");
    assert!(test().0, "options against each other are not looked at");
    let (ok, _, err) = outcome(&["nats-server", "-c", &path]);
    assert!(!ok && err.starts_with("nats-server: max_payload (104857600)"), "{err}");
    file.write("ping_interval: 5\n");
    let (ok, _, err) = test();
    assert!(!ok && err.starts_with("nats-server: ") && err.contains("ping_interval"), "{err}");
    file.write("nonsense: 5\n");
    let (ok, _, err) = test();
    assert!(!ok && err.contains("unknown field \"nonsense\""), "{err}");
}

fn wait_for(what: &str, child: &mut Child, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        if start.elapsed() > PATIENCE {
            // Whoever waits in vain does not leave a process behind.
            let _ = child.kill();
            panic!("no {what}");
        }
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_life_of_a_server() {
    // spec: CORE-140 CORE-141 CORE-144 CORE-159 CORE-161 CORE-167 CFG-020 CFG-021 CLI-003 CLI-004 CLI-005 CLI-006
    let file = ConfigFile::new("port: -1\n");
    let (conf, log, pid_file) = (file.text("s.conf"), file.path("s.log"), file.path("s.pid"));
    let directory = file.text("");
    let args = [
        "nats-server",
        "-c",
        &conf,
        "-l",
        log.to_str().unwrap(),
        "-P",
        pid_file.to_str().unwrap(),
        "-DV",
        "--ports_file_dir",
        &directory,
    ];
    let mut child = spawn(&args);
    let pid = child.id();
    let logged = |text: &str| fs::read_to_string(&log).is_ok_and(|log| log.contains(text));
    wait_for("ready", &mut child, || logged("[INF] Server is ready\n"));
    assert_eq!(fs::read_to_string(&pid_file).unwrap(), pid.to_string());
    let ports = file.path(&format!("nats-server_{pid}.ports"));
    assert!(fs::read_to_string(&ports).unwrap().contains("nats://127.0.0.1:40001"));
    for line in [
        "[INF] Starting nats-server\n",
        "[INF]   Version:  2.15.1 ",
        "[INF]   Name:     fake\n",
        "[INF]   ID:       NFAKE\n",
        "[INF] Listening for client connections on 127.0.0.1:40001\n",
        "[DBG] Open files: ",
    ] {
        assert!(logged(line), "{line}");
    }
    assert!(logged(&format!("[INF] Using configuration file: {conf} (sha256:")));

    let send = |signal| kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal).unwrap();
    file.write("port: -1\nmax_payload: 2000\n");
    send(Signal::HUP);
    wait_for("reload", &mut child, || logged("[INF] Reloaded server configuration (sha256:"));
    assert!(logged("[INF] Trapped \"hangup\" signal\n") && logged("[INF] Reloaded: max_payload = 2000\n"));
    file.write("port: 4999\n");
    send(Signal::HUP);
    let refused =
        "[ERR] Failed to reload server configuration: config reload not supported for Port: old=40001, new=4999\n";
    wait_for("refusal", &mut child, || logged(refused));

    fs::rename(&log, file.path("moved.log")).unwrap();
    send(Signal::USR1);
    wait_for("new log", &mut child, || logged("[INF] File log re-opened\n"));
    // One by one: signals that wait together come in no certain order.
    send(Signal::USR2);
    wait_for("lame duck", &mut child, || logged("\"user defined signal 2\""));
    send(Signal::TERM);
    wait_for("signal", &mut child, || logged("\"terminated\""));
    assert!(child.try_wait().unwrap().is_none(), "a lame duck goes when its clients are gone");
    send::send("nats-server", "quit", pid_file.to_str().unwrap()).expect("it runs");
    assert!(child.wait().unwrap().success());
    assert!(!ports.exists() && pid_file.exists());
}

#[test]
fn a_server_that_cannot_start_says_so_in_its_log() {
    // spec: CLI-008
    let (ok, _, err) = outcome(&["nats-server", "-n", "unlucky"]);
    assert!(!ok && err.ends_with("[FTL] Error listening on port: 4222\n"), "{err}");
    // spec: CFG-002
    let file = ConfigFile::new("ping_interval: 5\n");
    let (_, _, err) = outcome(&["nats-server", "-n", "unlucky", "-c", &file.text("s.conf")]);
    let (first, rest) = err.split_once('\n').expect("several lines");
    assert!(first.contains("ping_interval") && !first.contains("[WRN]"), "{err}");
    assert!(rest.contains("[INF] Starting nats-server\n"), "it goes on");
    let (ok, _, err) = outcome(&["nats-server", "-P", "/nowhere/s.pid"]);
    assert!(!ok && err.contains("[FTL] Could not write pidfile: open /nowhere/s.pid: "), "{err}");
    let (ok, _, err) = outcome(&["nats-server", "-l", "/nowhere/s.log"]);
    assert!(!ok && err.starts_with("nats-server: error opening file: open /nowhere/s.log: "), "{err}");
}
