"""TLS on the client port: who is let in, in which order things are said, and what a reload changes."""

from __future__ import annotations

import contextlib
import re
import ssl

import pytest

from harness.certs import Authority, spki_sha256
from harness.server import run_to_end, wait_for
from harness.wire import Closed, WireError


@pytest.fixture
def tls(authority):
    """The text of a tls block with the server's certificate."""

    def block(extra: str = "", pair=authority.server) -> str:
        return f'tls {{ cert_file: "{pair.cert}", key_file: "{pair.key}", ca_file: "{authority.ca.cert}"\n{extra}\n}}\n'

    return block


def test_info_says_that_tls_is_required(start, tls, authority):
    # spec: CORE-135 CORE-020 CFG-280 CFG-281
    server = start(tls())
    link = server.connect(tls=authority.context())
    assert link.info["tls_required"] is True
    assert "tls_verify" not in link.info
    assert "tls_available" not in link.info
    link.handshake()


def reason(server) -> str:
    """Why the first connection was closed."""
    closed = wait_for("a closed connection", lambda: server.get_json("/connz?state=closed")["connections"])
    return closed[0]["reason"]


def test_a_plain_client_is_turned_away(start, tls):
    # spec: SEC-069 CORE-074 CORE-082
    server = start(tls(), monitor=True)
    link = server.connect()
    link.send_connect()
    link.send("PING")
    with contextlib.suppress(Closed):
        assert b"PONG" not in link.until_closed()
    assert reason(server) == "TLS Handshake Failure"


def test_a_silent_client_is_turned_away_after_the_timeout(start, tls):
    # spec: CFG-133 CORE-082
    server = start(tls("timeout: 0.3"), monitor=True)
    assert b"-ERR" not in server.connect().until_closed()
    assert reason(server) == "TLS Handshake Failure"


def test_both_kinds_on_one_port(start, tls, authority):
    # spec: CORE-135 CFG-081
    server = start(tls() + "allow_non_tls: true\n")
    plain = server.connect()
    assert plain.info["tls_available"] is True
    assert "tls_required" not in plain.info
    plain.handshake()
    server.connect(tls=authority.context()).handshake()


def test_client_certificates(start, tls, authority, tmp_path):
    # spec: SEC-064 CFG-131 CFG-282 CFG-284
    server = start(tls("verify: true"))
    link = server.connect(tls=authority.context(authority.client))
    assert link.info["tls_verify"] is True
    link.handshake()
    stranger = Authority(tmp_path / "other").issue("stranger")
    for context in (authority.context(), authority.context(stranger)):
        with pytest.raises((WireError, OSError, ssl.SSLError)):
            server.connect(tls=context).handshake()
    server.wait_log(r"TLS handshake error")


MAPPED = {
    "email": ("/CN=x", "email:me@example.org", "me@example.org"),
    "host name": ("/CN=x", "DNS:client.example.org", "client.example.org"),
    "URI": ("/CN=x", "URI:spiffe://example.org/me", "spiffe://example.org/me"),
    "subject": ("/O=Org/OU=Unit/CN=me", "", "CN=me,OU=Unit,O=Org"),
}


@pytest.mark.parametrize("kind", MAPPED)
def test_a_user_by_certificate(kind, start, tls, authority):
    # spec: SEC-064 CFG-131
    subject, sans, user = MAPPED[kind]
    pair = authority.issue(f"mapped-{kind.replace(' ', '-')}", subject=subject, sans=sans)
    server = start(tls("verify_and_map: true") + f'authorization {{ users: [ {{ user: "{user}", permissions: {{ publish: ok }} }} ] }}\n')
    link = server.connect(tls=authority.context(pair)).handshake()
    link.publish("no")
    assert link.fence() == [b"-ERR 'Permissions Violation for Publish to \"no\"'"]
    other = server.connect(tls=authority.context(authority.client))
    other.send_connect()
    assert other.until_closed() == b"-ERR 'Authorization Violation'\r\n"


def test_pinned_certificates(start, tls, authority):
    # spec: SEC-065 CFG-137 CFG-022
    other = authority.issue("unpinned")
    pins = spki_sha256(authority.client).upper()
    server = start(tls(f'verify: true, pinned_certs: [ "{pins}" ]'))
    link = server.connect(tls=authority.context(authority.client)).handshake()
    with pytest.raises((WireError, OSError)):
        server.connect(tls=authority.context(other)).handshake()
    server.reload(tls(f'verify: true, pinned_certs: [ "{spki_sha256(other)}" ]'))
    link.until_closed()
    server.connect(tls=authority.context(other)).handshake()


def test_the_handshake_comes_first(start, tls, authority):
    # spec: CORE-135 SEC-065 CFG-138
    server = start(tls("handshake_first: true, timeout: 0.5"))
    server.connect(tls=authority.context(), tls_first=True).handshake()
    # A TLS alert may say good-bye; nothing is said in the clear.
    assert b"INFO" not in server.connect(read_info=False).until_closed()


def test_the_handshake_may_come_first(start, tls, authority):
    # spec: CORE-135 SEC-065 CFG-138
    for value in ('"100ms"', "auto"):
        server = start(tls(f"handshake_first: {value}"))
        server.connect(tls=authority.context(), tls_first=True).handshake()
        late = server.connect(tls=authority.context())
        assert late.info["tls_required"] is True
        late.handshake()


@pytest.mark.parametrize(
    ("extra", "versions"),
    [("", {"1.2", "1.3"}), ('min_version: "1.3"', {"1.3"}), ('min_version: "1.2"', {"1.2", "1.3"})],
)
def test_versions(extra, versions, start, tls, authority):
    # spec: SEC-067 CFG-135 CFG-292
    server = start(tls(extra))
    for name, version in (("1.2", ssl.TLSVersion.TLSv1_2), ("1.3", ssl.TLSVersion.TLSv1_3)):
        context = authority.context()
        context.minimum_version = context.maximum_version = version
        if name in versions:
            link = server.connect(tls=context).handshake()
            assert link.socket.version() == f"TLSv{name}"
        else:
            with pytest.raises((OSError, WireError)):
                server.connect(tls=context).handshake()


def test_cipher_suites(start, tls, authority):
    # spec: SEC-067 CFG-134 CFG-289
    server = start(tls('cipher_suites: [ "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384" ]'))
    context = authority.context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    assert server.connect(tls=context).handshake().socket.cipher()[0] == "ECDHE-ECDSA-AES256-GCM-SHA384"


REFUSED = {
    'cipher_suites: [ "TLS_NO_SUCH_SUITE" ]': "TLS_NO_SUCH_SUITE",
    "cipher_suites: []": "cipher_suites|cipher",
    'cipher_suites: [ "TLS_RSA_WITH_RC4_128_SHA" ]': "TLS_RSA_WITH_RC4_128_SHA",
    'curve_preferences: [ "CurveNope" ]': "CurveNope",
    'min_version: "1.1"': "1\\.1",
    'pinned_certs: [ "abc" ]': "pinned",
    "nonsense: 1": "nonsense",
}


@pytest.mark.parametrize("extra", REFUSED)
def test_refused_by_name(extra, tls, binary, tmp_path):
    # spec: CFG-134 CFG-135 CFG-137 SEC-067
    (tmp_path / "t.conf").write_text(tls(extra))
    done = run_to_end(binary, "-t", "-c", "t.conf", cwd=tmp_path)
    assert done.returncode == 1
    assert re.search(REFUSED[extra], done.stderr), done.stderr


def test_a_reload_takes_new_certificates_and_keeps_connections(start, tls, authority):
    # spec: CFG-080
    server = start(tls())
    link = server.connect(tls=authority.context()).handshake()
    other = authority.issue("renewed")
    server.reload(tls(pair=other), expect=r"Reloaded server configuration")
    assert link.fence() == []
    fresh = server.connect(tls=authority.context()).handshake()
    shown = ssl.DER_cert_to_PEM_cert(fresh.socket.getpeercert(binary_form=True))
    assert shown.strip() in other.cert.read_text()


def test_the_rate_of_new_connections(start, tls, authority):
    # spec: CORE-080 CORE-137 SEC-066 CFG-136
    server = start(tls("connection_rate_limit: 2"))
    said = []
    for _ in range(6):
        try:
            server.connect(tls=authority.context()).handshake()
        except (WireError, OSError) as error:
            said.append(str(error))
    assert len(said) >= 3, said


def test_peer_certificates_in_connz(start, tls, authority):
    # spec: SEC-072 CLU-102
    server = start(tls("verify: true"), monitor=True)
    server.connect(tls=authority.context(authority.client)).handshake()
    link = server.connect(tls=authority.context(authority.client)).handshake()
    connection = server.get_json("/connz?auth=1&sort=cid")["connections"][0]
    assert connection["tls_version"] == "1.3"
    assert connection["tls_cipher_suite"].startswith("TLS_")
    shown = connection["tls_peer_certs"][0]
    assert shown["subject"] == "CN=client,O=Tests"
    assert shown["spki_sha256"] == spki_sha256(authority.client)
    link.close()


def test_by_flags(start, authority):
    # spec: CORE-151 CFG-143
    server = start(
        flags=["--tls", "--tlscert", str(authority.server.cert), "--tlskey", str(authority.server.key)]
        + ["--tlscacert", str(authority.ca.cert), "--tlsverify"],
    )
    link = server.connect(tls=authority.context(authority.client))
    assert link.info["tls_verify"] is True
    link.handshake()
