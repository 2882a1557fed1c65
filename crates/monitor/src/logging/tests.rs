//! Entries on their way to files, pipes and syslogs.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use martlet_config::options::Syslog as SyslogOption;

use super::*;

/// A place in memory that can be told to fail.
#[derive(Clone, Default)]
struct Pipe {
    written: Arc<Mutex<Vec<u8>>>,
    closed: Arc<AtomicBool>,
}

impl Pipe {
    fn text(&self) -> String {
        String::from_utf8(self.written.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.closed.load(Relaxed) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.written.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn to_pipe(options: &LogOptions, colours: bool) -> (Logger, Pipe) {
    let pipe = Pipe::default();
    let sink = Sink::Stream { out: Box::new(pipe.clone()), colours };
    (Logger::with_sink(options, "martlet", sink), pipe)
}

fn to_file(path: &Path, limit: u64, max_num: usize) -> LogOptions {
    LogOptions { file: Some(path.into()), file_size_limit: limit, file_max_num: max_num, ..LogOptions::default() }
}

fn say(logger: &Logger, level: Level, text: &str) {
    say_as(logger, level, "martlet::test", text);
}

fn say_as(logger: &Logger, level: Level, target: &str, text: &str) {
    logger.log(&Record::builder().level(level).target(target).args(format_args!("{text}")).build());
}

fn say_pairs(logger: &Logger, text: &str) {
    let pairs: [(&str, log::kv::Value<'_>); 6] = [
        ("cid", 7.into()),
        ("offset", (-7).into()),
        ("tls", true.into()),
        ("rtt", 0.5.into()),
        ("name", "a b".into()),
        ("level", "x".into()),
    ];
    logger.log(
        &Record::builder()
            .level(Level::Info)
            .target("martlet")
            .args(format_args!("{text}"))
            .key_values(&&pairs[..])
            .build(),
    );
}

/// `2026/11/22 09:00:00.123456`, with 0 for every digit.
fn without_digits(line: &str) -> String {
    line.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect()
}

#[test]
fn text_lines_are_those_of_the_reference() {
    // spec: CORE-163
    let options = LogOptions { debug: true, trace: true, ..LogOptions::default() };
    let (logger, pipe) = to_pipe(&options, false);
    for level in [Level::Info, Level::Warn, Level::Error, Level::Debug, Level::Trace] {
        say(&logger, level, "hello");
    }
    say_as(&logger, Level::Error, FATAL, "hello");
    let pid = std::process::id();
    let text = pipe.text();
    for (line, letters) in text.lines().zip(["INF", "WRN", "ERR", "DBG", "TRC", "FTL"]) {
        let rest = line.strip_prefix(&format!("[{pid}] ")).expect(line);
        assert_eq!(without_digits(rest), format!("0000/00/00 00:00:00.000000 [{letters}] hello"));
    }
    assert_eq!(text.lines().count(), 6);
}

#[test]
fn the_time_can_be_left_out_or_be_utc() {
    // spec: CFG-032 CFG-033 CORE-163
    let (logger, pipe) = to_pipe(&LogOptions { time: false, ..LogOptions::default() }, false);
    say(&logger, Level::Info, "hello");
    assert_eq!(pipe.text(), format!("[{}] [INF] hello\n", std::process::id()));
    let (logger, pipe) = to_pipe(&LogOptions { time_utc: true, ..LogOptions::default() }, false);
    let before = jiff::Timestamp::now().strftime("%Y/%m/%d %H:%M:").to_string();
    say(&logger, Level::Info, "hello");
    let after = jiff::Timestamp::now().strftime("%Y/%m/%d %H:%M:").to_string();
    assert!(pipe.text().contains(&before) || pipe.text().contains(&after), "{}", pipe.text());
}

#[test]
fn a_terminal_gets_colours() {
    // spec: CORE-163
    let (logger, pipe) = to_pipe(&LogOptions { time: false, ..LogOptions::default() }, true);
    say(&logger, Level::Warn, "hello");
    assert_eq!(pipe.text(), format!("[{}] [\x1b[0;93mWRN\x1b[0m] hello\n", std::process::id()));
}

#[test]
fn pairs_follow_the_text_or_are_fields() {
    let (logger, pipe) = to_pipe(&LogOptions { time: false, ..LogOptions::default() }, false);
    say_pairs(&logger, "closed");
    let expected = r#"closed cid=7 offset=-7 tls=true rtt=0.5 name="a b" level=x"#;
    assert!(pipe.text().ends_with(&format!("{expected}\n")), "{}", pipe.text());

    let (logger, pipe) = to_pipe(&LogOptions { json: true, time_utc: true, ..LogOptions::default() }, true);
    say_pairs(&logger, "a \"b\"\n\u{1b}[31m");
    let entry: serde_json::Value = serde_json::from_str(&pipe.text()).expect("one JSON object");
    assert_eq!(entry["message"], "a \"b\"\n\u{1b}[31m");
    assert_eq!(entry["level"], "info");
    assert_eq!(entry["pid"], std::process::id());
    assert_eq!((&entry["cid"], &entry["offset"]), (&7.into(), &(-7).into()));
    assert_eq!((&entry["tls"], &entry["rtt"]), (&true.into(), &0.5.into()));
    assert_eq!((&entry["name"], &entry["field.level"]), (&"a b".into(), &"x".into()));
    assert_eq!(without_digits(entry["time"].as_str().expect("a string")), "0000-00-00T00:00:00.000000Z");
    assert_eq!(pipe.text().lines().count(), 1);
}

#[test]
fn levels_are_switched_one_by_one_and_libraries_are_quiet() {
    // spec: CFG-028 CFG-029
    for (debug, trace, expected) in
        [(false, false, "IWE"), (true, false, "IWED"), (false, true, "IWET"), (true, true, "IWEDT")]
    {
        let options = LogOptions { debug, trace, time: false, ..LogOptions::default() };
        let (logger, pipe) = to_pipe(&options, false);
        for level in [Level::Info, Level::Warn, Level::Error, Level::Debug, Level::Trace] {
            say(&logger, level, "x");
            if level != Level::Error {
                say_as(&logger, level, "rustls::conn", "chatter");
            }
        }
        let letters: String = pipe.text().lines().filter_map(|line| line.split('[').nth(2)?.chars().next()).collect();
        assert_eq!(letters, expected);
        assert!(!pipe.text().contains("chatter"));
    }
    let (logger, pipe) = to_pipe(&LogOptions { off: true, ..LogOptions::default() }, false);
    say(&logger, Level::Error, "x");
    assert_eq!(pipe.text(), "");
}

#[test]
fn limited_entries_are_written_once() {
    // spec: CORE-169
    let (logger, pipe) = to_pipe(&LogOptions::default(), false);
    for _ in 0..3 {
        say_as(&logger, Level::Warn, LIMITED, "again");
        say(&logger, Level::Warn, "always");
    }
    assert_eq!(pipe.text().matches("again").count(), 1);
    assert_eq!(pipe.text().matches("always").count(), 3);
}

#[test]
fn what_could_not_be_written_is_counted_and_told_once() {
    let (logger, pipe) = to_pipe(&LogOptions::default(), false);
    pipe.closed.store(true, Relaxed);
    for _ in 0..3 {
        say(&logger, Level::Info, "lost");
    }
    pipe.closed.store(false, Relaxed);
    say(&logger, Level::Info, "back");
    say(&logger, Level::Info, "again");
    let text = pipe.text();
    let lines: Vec<_> = text.lines().map(|line| line.split("] ").last().unwrap()).collect();
    assert_eq!(lines, ["back", "3 log entries could not be written: broken pipe", "again"]);
}

#[test]
fn a_full_disk_is_survived() {
    let full = Path::new("/dev/full");
    if !full.exists() {
        return; // only Linux has it
    }
    let logger = Logger::new(&to_file(full, 10, 2), "martlet").expect("opens");
    for _ in 0..10 {
        say(&logger, Level::Info, "does not fit");
    }
    assert!(logger.state().lost.as_ref().is_some_and(|(count, _)| *count == 10));
}

#[test]
fn a_file_is_appended_to_and_closed_to_strangers() {
    // spec: CORE-160 CFG-034
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.log");
    fs::write(&path, "before\n").unwrap();
    fs::remove_file(&path).unwrap();
    for text in ["one", "two"] {
        let logger = Logger::new(&to_file(&path, 0, 0), "martlet").expect("opens");
        say(&logger, Level::Info, text);
    }
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.lines().next().unwrap().ends_with("[INF] one") && text.lines().nth(1).unwrap().ends_with("[INF] two"));
    // The umask may take more away, it never gives.
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777 & !0o640, 0);
    let missing = directory.path().join("no/s.log");
    let error = Logger::new(&to_file(&missing, 0, 0), "martlet").err().expect("no such directory");
    assert!(error.to_string().starts_with(&format!("error opening file: open {}: ", missing.display())), "{error}");
}

/// The names of the backups beside `s.log`.
fn backups(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("s.log.2"))
        .collect();
    names.sort();
    names
}

#[test]
fn a_full_file_is_moved_aside() {
    // spec: CORE-164 CFG-035
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.log");
    let logger = Logger::new(&to_file(&path, 1_000, 0), "martlet").expect("opens");
    for n in 0..5 {
        say(&logger, Level::Info, &format!("entry {n} {}", "x".repeat(300)));
    }
    let names = backups(directory.path());
    assert_eq!(names.len(), 1, "{names:?}");
    assert_eq!(without_digits(&names[0]), "s.log.0000.00.00.00.00.00.000000000");
    let text = fs::read_to_string(&path).unwrap();
    let saved = directory.path().join(&names[0]);
    let expected = format!("[INF] Rotated log, backup saved as {:?}", saved.display().to_string());
    assert!(text.lines().next().unwrap().ends_with(&expected), "{text}");
    let all = fs::read_to_string(saved).unwrap() + &text;
    for n in 0..5 {
        assert!(all.contains(&format!("entry {n} ")), "{all}");
    }
}

#[test]
fn only_so_many_files_are_kept() {
    // spec: CORE-164 CFG-036
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.log");
    fs::write(directory.path().join("s.log.old"), "not ours").unwrap();
    fs::write(directory.path().join("s.log.2020.01.01.00.00.00.000000000"), "the oldest").unwrap();
    let logger = Logger::new(&to_file(&path, 150, 3), "martlet").expect("opens");
    for n in 0..20 {
        say(&logger, Level::Info, &format!("entry {n} {}", "x".repeat(120)));
    }
    assert_eq!(backups(directory.path()).len(), 2, "and the file itself");
    assert!(directory.path().join("s.log.old").exists());
    assert!(!directory.path().join("s.log.2020.01.01.00.00.00.000000000").exists());
    assert!(fs::read_to_string(&path).unwrap().contains("[INF] Purged log file \"s.log."));
}

#[test]
fn a_file_that_is_full_already_is_moved_aside_at_once() {
    // spec: CORE-164
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.log");
    fs::write(&path, "x".repeat(5_000)).unwrap();
    let logger = Logger::new(&to_file(&path, 1_000, 0), "martlet").expect("opens");
    assert_eq!(backups(directory.path()).len(), 1);
    say(&logger, Level::Info, "fresh");
    assert!(fs::read_to_string(&path).unwrap().ends_with("[INF] fresh\n"));
}

#[test]
fn a_rotation_that_fails_is_told_and_tried_again_later() {
    // spec: CORE-164
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.log");
    let logger = Logger::new(&to_file(&path, 1_000, 0), "martlet").expect("opens");
    let open_elsewhere = fs::File::open(&path).unwrap();
    fs::remove_file(&path).unwrap(); // nothing left to rename
    for _ in 0..3 {
        say(&logger, Level::Info, &"x".repeat(900));
    }
    let mut text = String::new();
    { open_elsewhere }.read_to_string(&mut text).unwrap();
    assert_eq!(text.matches("Unable to rotate the logfile").count(), 1, "{text}");
    assert_eq!(text.matches(&"x".repeat(900)).count(), 3, "nothing is lost");
}

#[test]
fn a_moved_file_is_opened_again() {
    // spec: CORE-140
    let directory = tempfile::tempdir().unwrap();
    let (path, moved) = (directory.path().join("s.log"), directory.path().join("moved"));
    let logger = Logger::new(&to_file(&path, 0, 0), "martlet").expect("opens");
    say(&logger, Level::Info, "one");
    fs::rename(&path, &moved).unwrap();
    say(&logger, Level::Info, "two");
    logger.reopen();
    say(&logger, Level::Info, "three");
    assert_eq!(fs::read_to_string(&moved).unwrap().lines().count(), 2);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("[INF] File log re-opened\n") && text.ends_with("[INF] three\n"), "{text}");

    let (logger, pipe) = to_pipe(&LogOptions::default(), false);
    logger.reopen();
    assert!(pipe.text().ends_with("[INF] File log re-open ignored, not a file logger\n"));
}

#[test]
fn changed_options_are_taken_on_or_leave_everything_as_it_was() {
    // spec: CFG-442 CFG-034
    let directory = tempfile::tempdir().unwrap();
    let (a, b) = (directory.path().join("a.log"), directory.path().join("b.log"));
    let logger = Logger::new(&to_file(&a, 0, 0), "martlet").expect("opens");
    say(&logger, Level::Debug, "unseen");
    logger.reconfigure(&LogOptions { debug: true, ..to_file(&a, 0, 0) }).expect("opens");
    say(&logger, Level::Debug, "seen");
    logger.reconfigure(&to_file(&directory.path().join("no/c.log"), 0, 0)).expect_err("no such directory");
    say(&logger, Level::Debug, "still");
    logger.reconfigure(&to_file(&b, 0, 0)).expect("opens");
    say(&logger, Level::Info, "elsewhere");
    let text = fs::read_to_string(&a).unwrap();
    assert_eq!(text.lines().map(|line| line.split("] ").last().unwrap()).collect::<Vec<_>>(), ["seen", "still"]);
    assert!(fs::read_to_string(&b).unwrap().ends_with("[INF] elsewhere\n"));
}

fn to_syslog(url: &str) -> Result<Logger, LogError> {
    let options = LogOptions {
        debug: true,
        trace: true,
        syslog: Some(SyslogOption::Remote(url.into())),
        ..LogOptions::default()
    };
    Logger::new(&options, "nats-server")
}

#[test]
fn syslog_over_udp_carries_the_level_as_severity() {
    // spec: CORE-165 CFG-038
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    receiver.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let logger = to_syslog(&format!("udp://{}", receiver.local_addr().unwrap())).expect("reachable");
    let levels = [(Level::Info, 5), (Level::Warn, 4), (Level::Error, 3), (Level::Debug, 7), (Level::Trace, 5)];
    for (level, severity) in levels {
        say(&logger, level, "hello");
        let mut packet = [0; 512];
        let size = receiver.recv(&mut packet).unwrap();
        let packet = std::str::from_utf8(&packet[..size]).unwrap();
        let mut parts = packet.splitn(3, ' ');
        assert!(without_digits(parts.next().unwrap()).starts_with("<0>0000-00-00T00:00:00"), "{packet}");
        assert!(packet.starts_with(&format!("<{severity}>")), "{packet}");
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        assert_eq!(parts.next(), Some(host.as_str()));
        assert_eq!(parts.next().unwrap(), format!("nats-server[{}]: hello\n", std::process::id()));
    }
}

#[test]
fn syslog_over_tcp_is_connected_again() {
    // spec: CORE-165
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let logger = to_syslog(&format!("tcp://{}", listener.local_addr().unwrap())).expect("reachable");
    say(&logger, Level::Info, "one");
    let read_line = || {
        let (stream, _) = listener.accept().unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        line
    };
    assert!(read_line().ends_with(": one\n"));
    // The peer is gone: some entry fails, and from then on there is a new connection.
    listener.set_nonblocking(true).unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        say(&logger, Level::Info, "more");
        if listener.accept().is_ok() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("never connected again");
}

#[test]
fn syslog_over_a_unix_socket() {
    // spec: CORE-165
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let receiver = UnixDatagram::bind(&path).unwrap();
    let logger = to_syslog(&format!("unix://{}", path.display())).expect("reachable");
    say_as(&logger, Level::Error, FATAL, "hello");
    let mut packet = [0; 512];
    let size = receiver.recv(&mut packet).unwrap();
    let packet = std::str::from_utf8(&packet[..size]).unwrap();
    assert!(packet.starts_with("<2>"), "{packet}");
    assert!(packet.ends_with(&format!(" nats-server[{}]: hello\n", std::process::id())), "{packet}");
}

#[test]
fn a_syslog_that_cannot_be_reached_is_told_at_start() {
    // spec: CORE-165 CFG-038
    for (url, told) in [
        ("unix:///nowhere/log", "error connecting to syslog at \"unix:///nowhere/log\": "),
        ("udp://localhost", "error connecting to syslog at "),
        ("http://localhost:1", "error invalid network type in syslog address \"http://localhost:1\""),
        ("localhost:514", "error invalid network type"),
    ] {
        let error = to_syslog(url).err().expect(url).to_string();
        assert!(error.starts_with(told), "{error}");
    }
}

#[test]
fn the_macros_reach_the_installed_logger() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.log");
    let logger = install(&to_file(&path, 0, 0), "martlet").expect("nobody else is installed in tests");
    assert!(installed().is_some_and(|installed| std::ptr::eq(installed, logger)));
    assert_eq!(log::max_level(), LevelFilter::Info);
    log::info!(cid = 7; "through the macro");
    install(&LogOptions { trace: true, ..to_file(&path, 0, 0) }, "martlet").expect("again");
    assert_eq!(log::max_level(), LevelFilter::Trace);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("[INF] through the macro cid=7\n"), "{text}");
    logger.reconfigure(&LogOptions { off: true, ..LogOptions::default() }).expect("nowhere");
}
