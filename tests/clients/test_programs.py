"""The same checks with nats.js and async-nats."""

import signal

import pytest

# The first to ask for the async-nats programs builds them, which takes as long as it takes: that time is not the test's.
pytestmark = pytest.mark.timeout(120, func_only=True)


@pytest.mark.parametrize("check", ["pubsub", "queue", "request", "headers", "no_responders", "drain"])
def test_exchange(check, program, start):
    # spec: CORE-045 CORE-053 CORE-054 CORE-060 CORE-066 CORE-092 CORE-093 CORE-108
    program(check, start().url).finish()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_reconnect_after_a_restart(how, program, start):
    # spec: CLI-003 CORE-140
    server = start(check_exit=False)
    running = program("reconnect", server.url)
    running.ready()
    server.stop(how)
    server.restart()
    running.finish()


def test_reconnect_to_a_second_server_is_told_by_lame_duck(program, start):
    # spec: CORE-142 CORE-027
    server = start('lame_duck_duration: "30s"\nlame_duck_grace_period: "1s"\n')
    running = program("lame_duck", server.url)
    running.ready()
    server.signal(signal.SIGUSR2)
    running.finish()


def test_permissions(program, start):
    # spec: SEC-036 SEC-043 CORE-077
    server = start("authorization { users: [ { user: a, password: a, permissions: { publish: ok, subscribe: ok } } ] }")
    program("permissions", server.url, user="a", **{"pass": "a"}).finish()


CREDENTIALS = {
    "user and password": (
        "authorization { user: a, password: b }",
        {"user": "a", "pass": "b"},
        {"user": "a", "pass": "c"},
    ),
    "token": ("authorization { token: t }", {"token": "t"}, {"token": "u"}),
    "nkey": (
        "authorization { users: [ { nkey: @PUBLIC@ } ] }",
        {"seed": "@SEED@"},
        {"seed": "@OTHER@"},
    ),
}


@pytest.mark.parametrize("kind", CREDENTIALS)
def test_credentials(kind, program, start, nkey_pairs):
    # spec: SEC-001 SEC-005 SEC-011 SEC-012 SEC-013 CFG-106
    config, right, wrong = CREDENTIALS[kind]
    (seed, public), (other, _) = nkey_pairs

    def filled(options):
        return {k: v.replace("@SEED@", seed).replace("@OTHER@", other) for k, v in options.items()}

    server = start(config.replace("@PUBLIC@", public))
    program("pubsub", server.url, **filled(right)).finish()
    program("refused", server.url, **filled(wrong)).finish()


TLS = {
    "server certificate": ("", {}),
    "both certificates": ("verify: true", {"cert": True}),
    "handshake first": ("handshake_first: true", {"first": True}),
    "handshake first or not: first": ('handshake_first: "300ms"', {"first": True}),
    "handshake first or not: not": ('handshake_first: "100ms"', {}),
}


@pytest.mark.parametrize("kind", TLS)
def test_tls(kind, program, start, authority):
    # spec: CORE-135 SEC-064 SEC-065 SEC-068 CFG-129 CFG-131 CFG-138
    extra, options = TLS[kind]
    server = start(
        f'tls {{ cert_file: "{authority.server.cert}", key_file: "{authority.server.key}", '
        f'ca_file: "{authority.ca.cert}", timeout: 5\n {extra} }}'
    )
    given = {"ca": authority.ca.cert}
    if options.get("cert"):
        given |= {"cert": authority.client.cert, "key": authority.client.key}
    if options.get("first"):
        given["first"] = True
    url = f"tls://localhost:{server.client_port}"
    program("request", url, **given).finish()


JETSTREAM = 'jetstream { store_dir: "$DIR/store", max_memory_store: 256MB, max_file_store: 1GB }\n'


@pytest.mark.parametrize("check", ["streams", "consumers", "ordered", "work_queue", "kv", "objects", "redelivery"])
def test_jetstream(check, program, start):
    # spec: JS-017 JS-020 JS-027 JS-034 JS-062 JS-066 JS-083 JS-101 JS-103 JS-104 JS-107 JS-116 JS-117 JS-118
    program(f"js_{check}", start(JETSTREAM).url).finish()


@pytest.mark.parametrize("check", ["copies", "bucket_copies", "priority"])
def test_jetstream_further(check, program, start):
    # spec: JS-052 JS-053 JS-082 JS-111 JS-112 JS-113 JS-116 NEW-005
    program(f"js_{check}", start(JETSTREAM).url).finish()


@pytest.mark.martlet_only
def test_dead_letters(program, start):
    program("js_dead_letters", start(JETSTREAM).url).finish()
