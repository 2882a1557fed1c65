//! A server on a free port and the built `martlet` against it.
//!
//! The server is the program in `MARTLET_TEST_SERVER` (any NATS-compatible server), or `martlet` itself.

use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

const MARTLET: &str = env!("CARGO_BIN_EXE_martlet");
const PATIENCE: Duration = Duration::from_secs(20);

/// A running server; stopped when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
    pub(crate) home: PathBuf,
}

impl Server {
    /// Starts a server whose config is `listen` and the lines of `config`.
    pub(crate) fn start(config: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let home = std::env::temp_dir().join(format!("martlet-cli-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&home).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let file = home.join("server.conf");
        std::fs::write(&file, format!("listen: \"127.0.0.1:{port}\"\n{config}\n")).unwrap();
        let program = std::env::var_os("MARTLET_TEST_SERVER").unwrap_or_else(|| MARTLET.into());
        let log = std::fs::File::create(home.join("server.log")).unwrap();
        let mut child =
            Command::new(program).arg("-c").arg(file).stdout(Stdio::null()).stderr(log).spawn().expect("server starts");
        let deadline = Instant::now() + PATIENCE;
        // A server that begins with TLS has no greeting to wait for.
        let ready = if config.contains("handshake_first") { accepts } else { greets };
        while !ready(port) {
            let ended = child.try_wait().unwrap();
            let log = || std::fs::read_to_string(home.join("server.log")).unwrap_or_default();
            assert!(ended.is_none() && Instant::now() < deadline, "server not ready ({ended:?}): {}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { child, url: format!("nats://127.0.0.1:{port}"), home }
    }

    /// `martlet` with `args`, told of this server by `NATS_URL`, with no other setting of this machine.
    pub(crate) fn martlet(&self, args: &[&str]) -> Command {
        let mut command = martlet(args);
        command.env("NATS_URL", &self.url).env("HOME", &self.home);
        command
    }

    /// Runs `martlet` to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Ended {
        run(self.martlet(args))
    }

    /// Waits until somebody subscribes to `subject`, who then receives one message "probe".
    pub(crate) fn await_interest(&self, subject: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.run(&["req", subject, "probe", "--timeout", "50ms"]).stderr.contains("no responders") {
            assert!(Instant::now() < deadline, "nobody subscribes to {subject:?}");
        }
    }

    /// Starts `martlet` and waits until it says `ready` on standard error.
    pub(crate) fn spawn(&self, args: &[&str], ready: &str) -> Running {
        let mut command = self.martlet(args);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains(ready) {
            assert_ne!(stderr.read_line(&mut said).unwrap(), 0, "{args:?} ended before {ready:?}: {said}");
        }
        Running { child, stderr, said }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        std::fs::remove_dir_all(&self.home).ok();
    }
}

fn accepts(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

fn greets(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let mut start = [0; 5];
    stream.read_exact(&mut start).is_ok() && &start == b"INFO "
}

/// `martlet` without anything from this machine's environment.
pub(crate) fn martlet(args: &[&str]) -> Command {
    let mut command = Command::new(MARTLET);
    command.args(args).env_clear().env("HOME", "/nonexistent").stdin(Stdio::null());
    command
}

/// What a finished `martlet` left.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Asserts success and answers what was printed.
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.stdout
    }

    /// Asserts exit status `code` and that every one of `parts` was said.
    pub(crate) fn failed(self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        for part in parts {
            assert!(self.stderr.contains(part), "{part:?} was not said: {self:?}");
        }
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// Runs `command` to its end.
pub(crate) fn run(mut command: Command) -> Ended {
    command.output().unwrap().into()
}

/// A `martlet` that still runs; killed when dropped.
pub(crate) struct Running {
    child: Child,
    stderr: BufReader<ChildStderr>,
    said: String,
}

impl Running {
    /// Waits for its end.
    pub(crate) fn end(mut self) -> Ended {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "still running");
            std::thread::sleep(Duration::from_millis(10));
        };
        let mut stdout = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        self.stderr.read_to_string(&mut self.said).unwrap();
        Ended { code: status.code(), stdout, stderr: std::mem::take(&mut self.said) }
    }

    /// Presses Ctrl-C, then waits for the end.
    pub(crate) fn interrupt(self) -> Ended {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        self.end()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Reads a file of a test's folder.
pub(crate) fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
