"""Command-line flags, exit statuses, and what is said where."""

import json
import re
import signal
import socket
import subprocess
from urllib.parse import urlsplit

import pytest

from harness.server import STOP_TIMEOUT, run_to_end, wait_for

# Flags → status, what standard output and standard error must match.
ENDS = {
    "version": (["-v"], 0, r"^nats-server: v2\.15\.1\n", r"^$"),
    "long version": (["--version"], 0, r"^nats-server: v2\.15\.1\n", r"^$"),
    "version as a word": (["version"], 0, r"^nats-server: v2\.15\.1\n", r"^$"),
    "help": (["-h"], 0, r"(?s)^\nUsage: nats-server \[options\].*--port.*--config.*--signal", r"^$"),
    "long help": (["--help"], 0, r"Usage: nats-server \[options\]", r"^$"),
    "help as a word": (["help"], 0, r"Usage: nats-server \[options\]", r"^$"),
    "help about TLS": (["--help_tls"], 0, r"(?s)tls \{.*cert_file", r"^$"),
    "unknown flag": (["--nope"], 0, r"Usage: nats-server", r"flag provided but not defined: -nope"),
    "unknown word": (["foo"], 1, r"^$", r'nats-server: unrecognized command: "foo"'),
    "missing value": (["-p"], 0, r"Usage: nats-server", r"flag needs an argument: -p"),
    "bad number": (["-p", "x"], 0, r"Usage: nats-server", r'invalid value "x" for flag -p'),
    "bad boolean": (["-D=x"], 0, r"Usage: nats-server", r'invalid boolean value "x" for -D'),
    "name with a space": (["-n", "a b"], 1, r"^$", r"server name cannot contain spaces"),
    "check without a file": (["-t"], 1, r"^$", r"must specify \[-c, --config\] option to check configuration file"),
    "no such file": (["-c", "nope.conf"], 1, r"^$", r"open nope\.conf: no such file or directory"),
    "unknown signal": (["--signal", "foo=99999999"], 1, r"^$", r'unknown signal "foo"'),
    "signal to nobody": (["--signal", "reload=99999999"], 1, r"^$", r'signal "reload" 99999999: no such process'),
    "signal to a bad pid": (["--signal", "stop=/nonexistent"], 1, r"^$", r"invalid pid: /nonexistent"),
    "routes without a cluster": (
        ["--routes", "nats://a:1"],
        1,
        r"^$",
        r"solicited routes require cluster capabilities",
    ),
    "tls without a certificate": (["--tls"], 1, r"^$", r"TLS Server certificate must be present and valid"),
    "tls without a key": (["--tls", "--tlscert", "x"], 1, r"^$", r"TLS Server private key must be present and valid"),
}


@pytest.mark.parametrize("case", ENDS)
def test_flags_that_end_at_once(case, nats_server, tmp_path):
    # spec: CORE-145 CORE-146 CORE-151 CORE-153 CORE-154 CORE-155 CORE-156 CORE-157 CORE-141 CFG-027 CLI-001 CLI-008
    args, status, out, err = ENDS[case]
    done = run_to_end(nats_server, *args, cwd=tmp_path)
    assert re.search(out, done.stdout), done.stdout[:500]
    assert re.search(err, done.stderr), done.stderr[:500]
    assert done.returncode == status


SPELLINGS = [
    ["-p", "-1", "-a", "127.0.0.1"],
    ["--port=-1", "--addr=127.0.0.1"],
    ["-port", "-1", "-net", "127.0.0.1"],
    ["--port", "-1", "--net=127.0.0.1", "-D=false", "-V=false"],
]


@pytest.mark.parametrize("flags", SPELLINGS, ids=" ".join)
def test_spellings_of_flags(flags, start):
    # spec: CORE-146 CORE-147 CLI-002
    server = start(host=None, flags=flags)
    assert server.connect().info["host"] == "127.0.0.1"


def test_flags_override_the_file(start):
    # spec: CFG-018 CORE-148 CORE-147
    server = start("server_name: file\nport: 4\n", flags=["-n", "flag"])
    assert server.connect().info["server_name"] == "flag"


def test_flags_override_the_file_at_a_reload_too(start):
    # spec: CFG-018 CFG-019 CORE-148
    server = start("debug: true\nport: 4\n", flags=["-D=false", "-T=false"])
    server.reload("debug: true\nport: 5\n")
    server.connect().handshake()
    assert "[DBG]" not in server.log()


def test_user_and_token_from_flags(start):
    # spec: CORE-150 SEC-001
    server = start(flags=["--user", "a", "--pass", "b"])
    server.connect().handshake(user="a", **{"pass": "b"})
    other = start(flags=["--auth", "t"])
    other.connect().handshake(auth_token="t")
    refused = other.connect()
    refused.send_connect(auth_token="x")
    assert refused.until_closed() == b"-ERR 'Authorization Violation'\r\n"


def test_pid_file_and_ports_file(start):
    # spec: CORE-159 CORE-161 CORE-162 CFG-039 CFG-040 CLI-004 CLI-005
    server = start('pid_file: "$DIR/pid"\n', monitor=True)
    pid = server.directory / "pid"
    assert pid.read_bytes() == str(server.process.pid).encode()
    assert pid.stat().st_mode & 0o777 == 0o600
    name = server.binary.resolve().name
    ports = server.directory / f"{name}_{server.process.pid}.ports"
    assert set(json.loads(ports.read_text())) == {"nats", "monitoring"}
    assert server.ports["nats"] == [server.url]
    server.stop()
    assert not ports.exists()
    assert pid.exists()


def test_the_ports_file_is_named_after_the_link(start, nats_server):
    # spec: CORE-162 CLI-005
    server = start(binary=nats_server)
    assert (server.directory / f"nats-server_{server.process.pid}.ports").exists()


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_every_address_of_the_machine_is_listened_on(host, nats_server, tmp_path):
    # spec: CFG-024 CORE-162 CORE-163
    line = ["-a", host, "-p", "-1", "-m", "-1", "--ports_file_dir", str(tmp_path)]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen([nats_server, *line], stderr=log)
    try:
        (ports,) = wait_for("the ports file", lambda: list(tmp_path.glob(f"*_{process.pid}.ports")))
        urls = wait_for("its content", lambda: ports.read_text() and json.loads(ports.read_text()))
        for own in ("127.0.0.1", "::1") if has_ipv6() else ("127.0.0.1",):
            shown = f"[{own}]" if ":" in own else own
            for kind in ("nats", "monitoring"):
                (url,) = [url for url in urls[kind] if f"//{shown}:" in url]
                with socket.create_connection((own, urlsplit(url).port), timeout=5) as client:
                    if kind == "nats":
                        info = json.loads(client.makefile("rb").readline().removeprefix(b"INFO "))
                        assert info["client_ip"] == own
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(STOP_TIMEOUT)
    shown = f"[{host}]" if ":" in host else host
    assert re.search(rf"Listening for client connections on {re.escape(shown)}:\d+\n", (tmp_path / "log").read_text())


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


STOPS = [
    (signal.SIGINT, 'Trapped "interrupt" signal'),
    (signal.SIGTERM, 'Trapped "terminated" signal'),
]


@pytest.mark.parametrize(("which", "line"), STOPS)
def test_signals_that_stop(which, line, start):
    # spec: CORE-140 CORE-144 CLI-003
    server = start()
    link = server.connect().handshake()
    assert server.stop(which) == 0
    assert link.until_closed() == b""
    server.wait_log(re.escape(line))
    server.wait_log(r"Initiating Shutdown")
    server.wait_log(r"Server Exiting")


BY_NAME = {"stop": -signal.SIGKILL, "quit": 0, "term": 0}


@pytest.mark.parametrize("name", BY_NAME)
def test_signals_by_flag(name, nats_server, start, tmp_path):
    # spec: CORE-141 CLI-002
    server = start('pid_file: "$DIR/pid"\n', check_exit=False)
    target = server.process.pid if name != "term" else server.directory / "pid"
    done = run_to_end(nats_server, "--signal", f"{name}={target}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert server.process.wait(10) == BY_NAME[name]


def test_reload_and_reopen_by_flag(nats_server, start, tmp_path):
    # spec: CORE-140 CORE-141
    server = start("")
    for name, line in (("reload", r"Reloaded server configuration"), ("reopen", r"")):
        mark = server.log_size()
        assert run_to_end(nats_server, "-sl", f"{name}={server.process.pid}", cwd=tmp_path).returncode == 0
        server.wait_log(line, since=mark)
    server.connect().handshake()


def test_usr1_opens_a_moved_log_again(start):
    # spec: CORE-140 CFG-034
    server = start('logfile: "$DIR/own.log"\n')
    log = server.directory / "own.log"
    moved = server.directory / "moved.log"
    wait_for("the log file", lambda: log.exists() and "Server is ready" in log.read_text())
    log.rename(moved)
    server.signal(signal.SIGUSR1)
    wait_for("a new log file", log.exists)
    server.signal(signal.SIGHUP)
    wait_for("lines in it", lambda: "Reloaded server configuration" in log.read_text())
    assert "Reloaded server configuration" not in moved.read_text()


def test_lame_duck_closes_the_listener_and_then_the_clients(start):
    # spec: CORE-142 CORE-140 CFG-060 CFG-061
    server = start('lame_duck_duration: "30s"\nlame_duck_grace_period: "0.1s"\n')
    link = server.connect().handshake(protocol=1)
    server.signal(signal.SIGUSR2)
    server.wait_log(r"Entering lame duck mode")
    while b'"ldm":true' not in link.line():
        pass
    wait_for("the listener to close", lambda: not can_connect(server))
    link.until_closed()
    assert server.process.wait(STOP_TIMEOUT) == 0
    said = re.findall(r"Entering lame duck mode|Closing existing clients|Initiating Shutdown|Server Exiting", server.log())
    assert said == ["Entering lame duck mode", "Closing existing clients", "Initiating Shutdown", "Server Exiting"]


@pytest.mark.martlet_only
def test_streams_go_on_in_lame_duck_mode(start):
    # spec: CORE-142
    timing = 'lame_duck_duration: "60s"\nlame_duck_grace_period: "50s"\n'
    server = start(f'jetstream {{ store_dir: "$DIR/js" }}\n{timing}')
    link = server.connect().handshake(headers=True, no_responders=True)
    link.send("SUB in 1")
    link.publish("$JS.API.STREAM.CREATE.S", b'{"name":"S","subjects":["s"]}', "in")
    assert b"error" not in link.message()[4]
    server.signal(signal.SIGUSR2)
    server.wait_log(r"Entering lame duck mode")
    link.publish("s", b"hello", "in")
    assert json.loads(link.message()[4]) == {"stream": "S", "seq": 1}


def can_connect(server) -> bool:
    try:
        server.connect(read_info=False, timeout=1).close()
    except OSError:
        return False
    return True


def test_a_port_in_use(start, nats_server, tmp_path):
    # spec: CORE-145 CLI-008
    server = start()
    done = run_to_end(nats_server, "-a", "127.0.0.1", "-p", str(server.client_port), cwd=tmp_path)
    assert done.returncode == 1
    assert re.search(r"\[FTL\] Error listening on port: 127\.0\.0\.1:\d+, .*address already in use", done.stderr)


def test_the_default_log_goes_to_standard_error(nats_server, tmp_path):
    # spec: CORE-163 CORE-167 CLI-006
    line = ["-a", "127.0.0.1", "-p", "-1", "--ports_file_dir", str(tmp_path)]
    process = subprocess.Popen([nats_server, *line], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        wait_for("the ports file", lambda: list(tmp_path.glob(f"*_{process.pid}.ports")))
    finally:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)
    assert out == ""
    for text in err.splitlines():
        assert re.match(rf"\[{process.pid}\] \d{{4}}/\d\d/\d\d \d\d:\d\d:\d\d\.\d{{6}} \[(INF|WRN)\] ", text), text
    assert re.search(r"Starting nats-server", err)
    assert re.search(r"Version: +2\.15\.1", err)
    assert re.search(r"Listening for client connections on 127\.0\.0\.1:\d+\n(.*\n)*.*Server is ready", err)
