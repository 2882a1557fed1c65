"""Peers that are slow, silent, broken or too many: the others do not notice, and memory stays bounded."""

from __future__ import annotations

import asyncio
import contextlib
import random
import resource
import signal
import socket
import threading
import time

import nats
import pytest

from harness.server import wait_for
from harness.wire import Closed, WireError

MIB = 1024  # in KiB, as memory is counted here


def alive(server, **options) -> None:
    """The server answers a new client."""
    with server.connect() as link:
        link.handshake(**options)


def test_slow_handshakes_are_ended_and_do_not_disturb(start):
    # spec: CORE-041 SEC-007
    server = start("authorization { user: a, password: b, timeout: 0.5 }\n")
    slow = [server.connect() for _ in range(100)]
    for link in slow:
        link.send_raw(b'CONNECT {"user"')
    alive(server, user="a", **{"pass": "b"})
    for link in slow:
        assert link.until_closed() == b"-ERR 'Authentication Timeout'\r\n"
    alive(server, user="a", **{"pass": "b"})


def test_a_line_sent_letter_by_letter(start):
    # spec: CORE-016
    server = start()
    link = server.connect()
    for letter in b'CONNECT {"verbose":false}\r\nSUB foo 1\r\nPUB foo 5\r\nhello\r\nPING\r\n':
        link.send_raw(bytes([letter]))
    link.expect("MSG foo 1 5")
    link.expect("hello")
    link.expect("PONG")


def flood(server, subject: str, payload: bytes, stop: threading.Event) -> threading.Thread:
    """Publishes until it is told to stop."""

    def run():
        with server.connect(timeout=30) as link, contextlib.suppress(OSError):
            link.handshake()
            line = f"PUB {subject} {len(payload)}\r\n".encode() + payload + b"\r\n"
            while not stop.is_set():
                link.send_raw(line)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_a_subscriber_that_never_reads(start):
    # spec: CORE-089 CORE-091 CORE-082 CFG-053
    server = start('max_pending: 2097152\nwrite_deadline: "30s"\n', monitor=True)
    lazy = server.connect(receive_buffer=4096).handshake(name="lazy")
    lazy.send("SUB flood 1")
    lazy.fence()
    busy = server.connect(timeout=20).handshake()
    busy.send("SUB calm 1")
    busy.fence()
    stop = threading.Event()
    thread = flood(server, "flood", b"x" * 8192, stop)
    try:
        for number in range(200):
            busy.publish("calm", str(number).encode())
            assert busy.message()[4] == str(number).encode()
        closed = wait_for(
            "the slow consumer to be closed", lambda: server.get_json("/connz?state=closed")["connections"], 20
        )
    finally:
        stop.set()
        thread.join()
    assert closed[0]["name"] == "lazy"
    assert closed[0]["reason"] == "Slow Consumer (Pending Bytes)"
    varz = server.get_json("/varz")
    assert varz["slow_consumers"] == 1
    assert varz["slow_consumer_stats"]["clients"] == 1
    server.wait_log(r"Slow Consumer Detected: MaxPending of 2097152 Exceeded")
    assert server.log().count("Slow Consumer Detected") == 1
    assert server.rss_kib() < 200 * MIB


def test_a_subscriber_that_reads_too_slowly_for_the_write_deadline(start):
    # spec: CORE-090 CORE-082 CFG-058
    server = start('write_deadline: "0.3s"\nmax_pending: 67108864\n', monitor=True)
    lazy = server.connect(receive_buffer=4096).handshake(name="lazy")
    lazy.send("SUB flood 1")
    lazy.fence()
    with server.connect(timeout=30) as link:
        link.handshake()
        for _ in range(500):
            link.publish("flood", b"x" * 20_000)
        link.fence()

    def lazy_is_closed():
        closed = server.get_json("/connz?state=closed")["connections"]
        return [connection for connection in closed if connection.get("name") == "lazy"]

    (closed,) = wait_for("the slow consumer to be closed", lazy_is_closed)
    assert closed["reason"] == "Slow Consumer (Write Deadline)"
    server.wait_log(r"Slow Consumer Detected: WriteDeadline of 300ms exceeded with \d+ chunks of \d+ total bytes")


def test_without_a_stall_messages_for_a_full_subscriber_are_dropped(start):
    # spec: CORE-091 CFG-064
    server = start('no_fast_producer_stall: true\nmax_pending: 1048576\nwrite_deadline: "30s"\n', monitor=True)
    lazy = server.connect(receive_buffer=4096, timeout=30).handshake(name="lazy")
    lazy.send("SUB flood 1")
    lazy.fence()
    with server.connect(timeout=30) as link:
        link.handshake()
        for _ in range(3000):
            link.publish("flood", b"x" * 4096)
        link.fence()
    assert server.get_json("/varz")["slow_consumers"] == 0
    got = sum(line.startswith(b"MSG flood") for line in lazy.fence())
    assert 0 < got < 3000


def test_out_of_file_descriptors(start):
    # spec: CORE-134
    server = start(prefix=["prlimit", "--nofile=64:64"])
    first = server.connect().handshake()
    links = []
    with contextlib.suppress(OSError, WireError):
        for _ in range(80):
            links.append(server.connect(timeout=0.5))
    assert len(links) < 64, "the limit was not reached"
    assert first.fence() == []
    for link in links:
        link.close()

    def recovered():
        try:
            alive(server)
        except (OSError, WireError):
            return False
        return True

    wait_for("the listener to recover", recovered, 20)
    assert first.fence() == []
    assert server.log().lower().count("too many open files") < 50


def many_connections(server, count: int) -> list:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count + 200:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, count + 200), hard))
    links = [server.connect(read_info=False, timeout=30) for _ in range(count)]
    for link in links:
        link.send_raw(b'CONNECT {"verbose":false}\r\nSUB all 1\r\nPING\r\n')
    for link in links:
        link.read_info()
        link.expect("PONG")
    return links


@pytest.mark.parametrize("count", [2000, pytest.param(10_000, marks=pytest.mark.heavy)])
def test_many_connections(count, start):
    # spec: CORE-134 CLU-101
    server = start(monitor=True)
    before = server.rss_kib()
    links = many_connections(server, count)
    assert server.get_json("/varz")["connections"] == count
    links[0].publish("all", b"hello")
    for link in links:
        assert link.message()[4] == b"hello"
    assert server.rss_kib() - before < count * 120, "more than 120 KiB for a connection"
    for link in links:
        link.close()
    wait_for("all to be gone", lambda: server.get_json("/varz")["connections"] == 0, 20)


def test_connections_that_come_and_go(start):
    # spec: CORE-102 CFG-055
    server = start("max_closed_clients: 50\n", monitor=True)
    for _ in range(300):
        with server.connect() as link:
            link.handshake()
    wait_for("all to be gone", lambda: server.get_json("/varz")["connections"] == 0)
    assert server.get_json("/connz?state=closed")["total"] == 50
    assert server.get_json("/varz")["total_connections"] == 300


def test_a_certificate_that_vanished_before_a_reload(start, authority, tmp_path):
    # spec: CFG-020 CFG-080
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    cert.write_bytes(authority.server.cert.read_bytes())
    key.write_bytes(authority.server.key.read_bytes())
    server = start(f'tls {{ cert_file: "{cert}", key_file: "{key}" }}\n')
    link = server.connect(tls=authority.context()).handshake()
    cert.unlink()
    server.reload(expect=r"\[ERR\] Failed to reload server configuration: .*cert\.pem")
    assert link.fence() == []
    with server.connect(tls=authority.context()) as other:
        other.handshake()


def test_garbage(start):
    # spec: CORE-006
    server = start()
    dice = random.Random(5)
    good = server.connect().handshake()
    for _ in range(200):
        with server.connect() as link:
            with contextlib.suppress(OSError):
                link.send_raw(dice.randbytes(dice.randint(1, 3000)))
                link.socket.shutdown(socket.SHUT_WR)
            with contextlib.suppress(Closed):
                link.until_closed()
    assert good.fence() == []


def test_payloads_that_are_announced_and_never_come(start):
    # spec: CORE-016 CORE-055
    server = start(monitor=True)
    links = []
    for _ in range(200):
        link = server.connect()
        link.send_raw(b'CONNECT {"verbose":false}\r\nPUB foo 1048576\r\n' + b"x" * 1000)
        links.append(link)
    alive(server)
    assert server.rss_kib() < 400 * MIB
    for link in links:
        link.close()
    wait_for("all to be gone", lambda: server.get_json("/varz")["connections"] == 0)


def test_a_connection_that_is_reset(start):
    # spec: CORE-082
    server = start(monitor=True)
    for _ in range(50):
        link = server.connect().handshake()
        link.send("SUB foo 1")
        link.fence()
        link.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        link.close()
    wait_for("all to be gone", lambda: server.get_json("/varz")["connections"] == 0)
    with server.connect() as link:
        link.handshake(headers=True, no_responders=True)
        link.send("SUB in 1")
        link.publish("foo", b"", "in")
        assert b"503" in link.message()[3]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_restart_under_load(how, start):
    # spec: CLI-003 CORE-140
    server = start(check_exit=False)

    async def run():
        clients, got = [], [0] * 20
        for number in range(20):
            nc = await nats.connect(
                server.url, reconnect_time_wait=0.05, max_reconnect_attempts=-1, error_cb=ignore, connect_timeout=5
            )

            async def count(_, number=number):
                got[number] += 1

            await nc.subscribe("load", cb=count)
            await nc.flush()
            clients.append(nc)
        load = asyncio.create_task(publish(clients[0]))
        await until(lambda: all(got))
        await asyncio.to_thread(server.stop, how)
        await asyncio.to_thread(server.restart)
        await until(lambda: all(nc.is_connected for nc in clients))
        got[:] = [0] * 20
        await until(lambda: all(got))
        load.cancel()
        for nc in clients:
            await nc.close()

    asyncio.run(run())


async def ignore(_):
    """The errors of a lost connection are expected here."""


async def publish(nc):
    while True:
        with contextlib.suppress(nats.errors.Error):
            await nc.publish("load", b"x" * 100)
        await asyncio.sleep(0.001)


async def until(condition) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def test_a_slow_reader_may_be_kept(start):
    # spec: CORE-090 NEW-020
    server = start('write_deadline: "0.3s"\nwrite_timeout: retry\nmax_pending: 67108864\n', monitor=True)
    lazy = server.connect(receive_buffer=4096, timeout=20).handshake(name="lazy")
    lazy.send("SUB flood 1")
    lazy.fence()
    with server.connect(timeout=30) as link:
        link.handshake()
        for _ in range(500):
            link.publish("flood", b"x" * 20_000)
        link.fence()
    server.wait_log(r"Slow Consumer Detected: WriteDeadline of 300ms exceeded with \d+ chunks of \d+ total bytes")
    for _ in range(500):
        assert len(lazy.message()[4]) == 20_000
    server.wait_log(r"Slow Consumer Recovered: Flush took \d+\.\d{3}s with \d+ chunks of \d+ total bytes")
    assert lazy.fence() == []
    assert server.get_json("/varz")["slow_consumers"] >= 1


def test_slow_tls_handshakes_are_ended_and_do_not_disturb(start, authority):
    # spec: SEC-065 CORE-135
    pair = authority.server
    server = start(f'tls {{ cert_file: "{pair.cert}", key_file: "{pair.key}", timeout: 0.5 }}\n', monitor=True)
    slow = [server.connect() for _ in range(100)]
    for link in slow:
        link.send_raw(b"\x16\x03\x01\x02\x00\x01")
    with server.connect(tls=authority.context()) as good:
        good.handshake()
    for link in slow:
        with contextlib.suppress(OSError):
            link.until_closed()
    closed = wait_for(
        "all to be remembered",
        lambda: (found := server.get_json("/connz?state=closed")["connections"]) and len(found) == 101 and found,
    )
    assert sum(connection["reason"] == "TLS Handshake Failure" for connection in closed) == 100
    assert server.log().count("[ERR]") < 10
    silent = [server.connect() for _ in range(5)]
    started = time.monotonic()
    server.stop()
    assert time.monotonic() - started < 10
    for link in silent:
        link.close()


def test_who_may_do_without_tls_has_to_say_who_it_is_in_time(start, authority):
    # spec: CORE-041 CORE-135
    pair = authority.server
    tls = f'tls {{ cert_file: "{pair.cert}", key_file: "{pair.key}", timeout: 0.3 }}\nallow_non_tls: true\n'
    server = start(f"{tls}authorization {{ user: a, password: b, timeout: 0.5 }}\n")
    silent = server.connect()
    server.connect().handshake(user="a", **{"pass": "b"})
    server.connect(tls=authority.context()).handshake(user="a", **{"pass": "b"})
    assert silent.until_closed() == b"-ERR 'Authentication Timeout'\r\n"
