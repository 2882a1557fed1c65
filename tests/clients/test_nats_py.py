"""What nats-py sees: exchange, reconnects, refusals, TLS, and the example of the three roles."""

from __future__ import annotations

import asyncio
import signal
from contextlib import asynccontextmanager
from pathlib import Path

import nats
import pytest
from nats.errors import NoRespondersError
from nats.errors import TimeoutError as NoMessage

PATIENCE = 10
EXAMPLES = Path(__file__).resolve().parents[2] / "deploy" / "examples"


class Watch:
    """Collects what the client reports."""

    def __init__(self):
        self.reports: asyncio.Queue[str] = asyncio.Queue()

    def callbacks(self) -> dict:
        def note(name):
            async def callback(*args):
                await self.reports.put(f"{name} {args[0] if args else ''}".strip().lower())

            return callback

        names = ("error", "disconnected", "reconnected", "closed", "lame_duck_mode")
        return {f"{name}_cb": note(name) for name in names}

    async def until(self, text: str) -> str:
        async with asyncio.timeout(PATIENCE):
            while text not in (report := await self.reports.get()):
                pass
            return report


@asynccontextmanager
async def client(url: str, **options):
    nc = await nats.connect(url, connect_timeout=PATIENCE, reconnect_time_wait=0.05, **options)
    try:
        yield nc
    finally:
        await nc.close()


async def settled(nc) -> None:
    """Waits until the server has dealt with all that `nc` sent; the client's own `flush` may return before."""
    with pytest.raises(NoRespondersError):
        await nc.request("_INBOX.nobody.is.here", timeout=PATIENCE)


def test_publish_and_subscribe(start):
    # spec: CORE-045 CORE-054 CORE-060 CORE-092
    async def run(url):
        async with client(url) as nc:
            subscription = await nc.subscribe("a.*.c")
            for number in range(500):
                await nc.publish("a.b.c", str(number).encode(), headers={"N": str(number)} if number % 2 else None)
            for number in range(500):
                message = await subscription.next_msg(PATIENCE)
                assert message.data == str(number).encode()
                assert message.headers == ({"N": str(number)} if number % 2 else None)

    asyncio.run(run(start().url))


def test_queue_groups_share_and_requests_are_answered(start):
    # spec: CORE-093 CORE-108 CORE-066
    async def run(url):
        async with client(url) as nc, client(url) as other:
            counts = [0, 0]

            def member(number):
                async def answer(message):
                    counts[number] += 1
                    await message.respond(b"by %d" % number)

                return answer

            await nc.subscribe("svc", queue="q", cb=member(0))
            await other.subscribe("svc", queue="q", cb=member(1))
            await settled(nc)
            await settled(other)
            async with client(url) as asking:
                for _ in range(100):
                    await asking.request("svc", b"", timeout=PATIENCE)
                with pytest.raises(NoRespondersError):
                    await asking.request("nobody", b"", timeout=PATIENCE)
            assert sum(counts) == 100
            assert min(counts) > 10

    asyncio.run(run(start().url))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_reconnect(how, start):
    # spec: CLI-003 CORE-140 CORE-144
    server = start(check_exit=False)

    async def run():
        watch = Watch()
        async with client(server.url, max_reconnect_attempts=-1, **watch.callbacks()) as nc:
            subscription = await nc.subscribe("again")
            await nc.flush()
            await asyncio.to_thread(server.stop, how)
            await watch.until("disconnected")
            await asyncio.to_thread(server.restart)
            await watch.until("reconnected")
            await nc.publish("again", b"back")
            assert (await subscription.next_msg(PATIENCE)).data == b"back"

    asyncio.run(run())


def test_drain(start):
    # spec: CORE-053
    async def run(url):
        async with client(url) as publisher:
            watch = Watch()
            nc = await nats.connect(url, **watch.callbacks())
            got = []

            async def slowly(message):
                await asyncio.sleep(0)
                got.append(message)

            await nc.subscribe("d", cb=slowly)
            await settled(nc)
            for _ in range(300):
                await publisher.publish("d")
            await settled(publisher)
            await nc.drain()
            await watch.until("closed")
            assert len(got) == 300

    asyncio.run(run(start().url))


def test_lame_duck_notice(start):
    # spec: CORE-142 CORE-027
    server = start('lame_duck_duration: "30s"\nlame_duck_grace_period: "1s"\n')

    async def run():
        watch = Watch()
        async with client(server.url, **watch.callbacks()) as nc:
            await nc.flush()
            server.signal(signal.SIGUSR2)
            await watch.until("lame_duck_mode")

    asyncio.run(run())


def test_wrong_credentials(start):
    # spec: SEC-005 CORE-038
    server = start("authorization { user: a, password: b }")

    async def run():
        watch = Watch()
        with pytest.raises(Exception, match="(?i)authorization|no servers"):
            await nats.connect(
                server.url, user="a", password="x", allow_reconnect=False, connect_timeout=2, **watch.callbacks()
            )
        async with client(server.url, user="a", password="b") as nc:
            await nc.flush()

    asyncio.run(run())


def test_nkey(start, nkey_pairs):
    # spec: SEC-011 SEC-012 SEC-013
    (seed, public), _ = nkey_pairs
    server = start(f"authorization {{ users: [ {{ nkey: {public}, permissions: {{ publish: ok }} }} ] }}")

    async def run():
        watch = Watch()
        async with client(server.url, nkeys_seed_str=seed, **watch.callbacks()) as nc:
            await nc.publish("no")
            await watch.until('permissions violation for publish to "no"')

    asyncio.run(run())


def test_tls(start, authority):
    # spec: CORE-135 SEC-068 SEC-069 CFG-129
    tls = f'tls {{ cert_file: "{authority.server.cert}", key_file: "{authority.server.key}" }}'
    server = start(tls)

    async def run():
        url = f"tls://localhost:{server.client_port}"
        async with client(url, tls=authority.context()) as nc:
            subscription = await nc.subscribe("x")
            await nc.publish("x", b"y" * 100_000)
            assert len((await subscription.next_msg(PATIENCE)).data) == 100_000

    asyncio.run(run())


PASSWORDS = {"ADMIN_PASSWORD": "one", "OBSERVER_PASSWORD": "two", "WORKER_PASSWORD": "three"}

# Who may: (role, publish to, subscribe to as (subject, queue)) → allowed.
MAY_PUBLISH = [
    ("admin", "monitoring.cpu", True),
    ("admin", "anything.at.all", True),
    ("observer", "monitoring.cpu", False),
    ("observer", "tasks.new", False),
    ("worker", "tasks.new", True),
    ("worker", "logs.app", False),
    ("worker", "monitoring.cpu", False),
]
MAY_SUBSCRIBE = [
    ("admin", ">", "", True),
    ("observer", "monitoring.>", "", True),
    ("observer", "monitoring.cpu", "any", True),
    ("observer", "tasks.>", "workers", False),
    ("observer", "logs.>", "", False),
    ("observer", ">", "", False),
    ("worker", "tasks.new", "workers", True),
    ("worker", "tasks.new", "", False),
    ("worker", "tasks.new", "others", False),
    ("worker", "logs.>", "", True),
    ("worker", "monitoring.>", "", False),
]


def test_the_example_of_roles(start):
    # spec: SEC-036 SEC-038 SEC-043 CFG-111 CFG-113 CORE-179 CORE-077
    text = (EXAMPLES / "roles.conf").read_text().replace('"0.0.0.0:4222"', '"127.0.0.1:-1"')
    server = start(text, env=PASSWORDS)

    async def check(role, act, allowed) -> None:
        watch = Watch()
        password = PASSWORDS[f"{role.upper()}_PASSWORD"]
        async with client(server.url, user=role, password=password, **watch.callbacks()) as nc:
            await act(nc)
            # A reply subject that nobody may use gives every role a violation to wait for, after its own.
            await nc.publish("x", reply="$JS.ACK.fence")
            first = await watch.until("permissions violation")
            assert ("fence" in first or '"x"' in first) == allowed, (role, first)

    async def run():
        for role, subject, allowed in MAY_PUBLISH:
            await check(role, lambda nc, s=subject: nc.publish(s), allowed)
        for role, subject, queue, allowed in MAY_SUBSCRIBE:
            await check(role, lambda nc, s=subject, q=queue: nc.subscribe(s, queue=q), allowed)

    asyncio.run(run())


def test_a_task_goes_from_admin_to_one_worker(start):
    # spec: SEC-036 CORE-108
    text = (EXAMPLES / "roles.conf").read_text().replace('"0.0.0.0:4222"', '"127.0.0.1:-1"')
    server = start(text, env=PASSWORDS)

    async def run():
        worker = {"user": "worker", "password": "three"}
        async with client(server.url, user="admin", password="one") as admin:
            async with client(server.url, **worker) as one, client(server.url, **worker) as two:
                subscriptions = [await nc.subscribe("tasks.>", queue="workers") for nc in (one, two)]
                await settled(one)
                await settled(two)
                await admin.publish("tasks.new", b"work")
                got = 0
                for subscription in subscriptions:
                    try:
                        got += (await subscription.next_msg(0.3)).data == b"work"
                    except NoMessage:
                        continue
                assert got == 1

    asyncio.run(run())
