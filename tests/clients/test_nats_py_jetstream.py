"""What nats-py sees of JetStream: streams, consumers, key-value buckets, object stores."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager

import nats
import pytest
from nats.errors import TimeoutError as NoMessage
from nats.js import api
from nats.js.errors import APIError, KeyNotFoundError, KeyWrongLastSequenceError, NotFoundError, ObjectNotFoundError

PATIENCE = 10
CONFIG = 'jetstream { store_dir: "$DIR/store", max_memory_store: 256MB, max_file_store: 1GB }\n'


@pytest.fixture
def url(start) -> str:
    return start(CONFIG).url


@asynccontextmanager
async def jetstream(url: str):
    nc = await nats.connect(url, connect_timeout=PATIENCE)
    try:
        yield nc.jetstream(timeout=PATIENCE)
    finally:
        await nc.close()


def check(url: str, steps) -> None:
    async def run():
        async with jetstream(url) as js:
            await steps(js)

    asyncio.run(run())


def test_streams(url):
    # spec: JS-017 JS-018 JS-019 JS-020 JS-021 JS-022 JS-023 JS-062
    async def steps(js):
        info = await js.add_stream(name="S", subjects=["s.*"], storage=api.StorageType.FILE, max_msgs=100)
        assert (info.config.name, info.config.max_msgs, info.state.messages) == ("S", 100, 0)
        for number in range(10):
            ack = await js.publish(f"s.{number % 2}", b"%d" % number, headers={"N": str(number)})
            assert (ack.stream, ack.seq) == ("S", number + 1)
        assert (await js.publish("s.0", b"x", headers={"Nats-Msg-Id": "a"})).duplicate in (None, False)
        assert (await js.publish("s.0", b"x", headers={"Nats-Msg-Id": "a"})).duplicate is True
        message = await js.get_msg("S", 3)
        assert (message.subject, message.data, message.headers["N"]) == ("s.0", b"2", "2")
        assert (await js.get_last_msg("S", "s.1")).data == b"9"
        assert await js.delete_msg("S", 3)
        with pytest.raises(NotFoundError):
            await js.get_msg("S", 3)
        info = await js.update_stream(name="S", subjects=["s.*", "t"], max_msgs=5)
        assert (info.config.subjects, info.state.messages) == (["s.*", "t"], 5)
        assert await js.find_stream_name_by_subject("t") == "S"
        assert [one.config.name for one in await js.streams_info()] == ["S"]
        await js.purge_stream("S")
        assert (await js.stream_info("S")).state.messages == 0
        assert await js.delete_stream("S")
        with pytest.raises(NotFoundError):
            await js.stream_info("S")

    check(url, steps)


def test_refusals(url):
    # spec: JS-066 JS-199 JS-206
    async def steps(js):
        await js.add_stream(name="S", subjects=["s"])
        for config, code in [({"name": "S", "subjects": ["other"]}, 10058), ({"name": "T", "subjects": ["s"]}, 10065)]:
            with pytest.raises(APIError) as refused:
                await js.add_stream(**config)
            assert refused.value.err_code == code
        with pytest.raises(APIError) as refused:
            await js.publish("s", headers={"Nats-Expected-Last-Sequence": "7"})
        assert refused.value.err_code == 10071

    check(url, steps)


def test_pull(url):
    # spec: JS-027 JS-034 JS-101 JS-107 JS-108
    async def steps(js):
        await js.add_stream(name="S", subjects=["s"])
        for number in range(100):
            await js.publish("s", b"%d" % number)
        sub = await js.pull_subscribe("s", durable="c")
        got = []
        while len(got) < 100:
            for message in await sub.fetch(30, timeout=PATIENCE):
                got.append(message.data)
                await message.ack_sync(timeout=PATIENCE)
        assert got == [b"%d" % number for number in range(100)]
        with pytest.raises(NoMessage):
            await sub.fetch(1, timeout=0.2)
        info = await sub.consumer_info()
        assert (info.num_ack_pending, info.num_pending, info.ack_floor.stream_seq) == (0, 0, 100)
        await js.publish("s", b"again")
        message = (await sub.fetch(1))[0]
        await message.nak()
        again = (await sub.fetch(1))[0]
        assert (again.metadata.num_delivered, again.data) == (2, b"again")
        await again.term()

    check(url, steps)


def test_push_and_queues(url):
    # spec: JS-105 JS-100
    async def steps(js):
        await js.add_stream(name="S", subjects=["s"])
        counts = [0, 0]
        done = asyncio.Event()

        def member(number):
            async def take(message):
                counts[number] += 1
                await message.ack()
                if sum(counts) == 200:
                    done.set()

            return take

        for number in range(2):
            await js.subscribe("s", queue="workers", cb=member(number), manual_ack=True)
        for number in range(200):
            await js.publish("s", b"%d" % number)
        await asyncio.wait_for(done.wait(), PATIENCE)
        assert sum(counts) == 200 and all(counts)

    check(url, steps)


def test_an_ordered_consumer(url):
    # spec: JS-104 JS-087
    async def steps(js):
        await js.add_stream(name="S", subjects=["s"])
        body = os.urandom(20_000)
        for number in range(200):
            await js.publish("s", b"%d " % number + body)
        sub = await js.subscribe("s", ordered_consumer=True)
        for number in range(200):
            message = await sub.next_msg(PATIENCE)
            assert message.data == b"%d " % number + body

    check(url, steps)


def test_key_value(url):
    # spec: JS-116 JS-066 JS-083
    async def steps(js):
        kv = await js.create_key_value(bucket="B", history=5)
        assert await kv.put("a", b"1") == 1
        assert await kv.put("a", b"2") == 2
        entry = await kv.get("a")
        assert (entry.value, entry.revision, entry.key) == (b"2", 2, "a")
        assert (await kv.get("a", revision=1)).value == b"1"
        assert await kv.update("a", b"3", last=2) == 3
        with pytest.raises(KeyWrongLastSequenceError):
            await kv.update("a", b"4", last=2)
        assert await kv.create("b", b"new") == 4
        with pytest.raises(KeyWrongLastSequenceError):
            await kv.create("b", b"new")
        assert [one.value for one in await kv.history("a")] == [b"1", b"2", b"3"]
        assert sorted(await kv.keys()) == ["a", "b"]
        await kv.delete("a")
        with pytest.raises(KeyNotFoundError):
            await kv.get("a")
        with pytest.raises(KeyNotFoundError):
            await kv.get("zz")
        assert await kv.create("a", b"back") > 5
        await kv.purge("a")
        assert [one.operation for one in await kv.history("a")] == ["PURGE"]
        status = await kv.status()
        assert (status.bucket, status.history, status.values) == ("B", 5, 2)
        await js.delete_key_value("B")

    check(url, steps)


def test_buckets_that_copy_others(url):
    # spec: JS-116 JS-052 JS-053 JS-082 JS-113
    async def steps(js):
        async def until(wanted):
            async with asyncio.timeout(4 * PATIENCE):
                while not await wanted():
                    await asyncio.sleep(0.05)

        buckets = [await js.create_key_value(bucket=name, history=5) for name in "ab"]
        for bucket in buckets:
            for value in (b"1", b"2"):
                await bucket.put("key", value)
        mirror = api.StreamSource(name="KV_a")
        await js.add_stream(name="KV_copy", mirror=mirror, max_msgs_per_subject=5, allow_direct=True, mirror_direct=True)
        sources = [
            api.StreamSource(name=f"KV_{name}", subject_transforms=[api.SubjectTransform(f"$KV.{name}.>", f"$KV.all.{name}.>")])
            for name in "ab"
        ]
        await js.add_stream(name="KV_all", subjects=["$KV.all.>"], sources=sources, max_msgs_per_subject=5, allow_direct=True)

        async def all_there():
            counts = [(await js.stream_info(name)).state.messages for name in ("KV_copy", "KV_all")]
            return counts == [2, 4]

        await until(all_there)
        everything = await js.key_value("all")
        assert sorted(await everything.keys()) == ["a.key", "b.key"]
        assert (await everything.get("b.key")).value == b"2"
        await everything.put("own", b"x")
        info = await js.stream_info("KV_all")
        assert [(one.name, one.lag) for one in sorted(info.sources, key=lambda one: one.name)] == [("KV_a", 0), ("KV_b", 0)]
        # The copy has the revisions of its origin, under the same subjects.
        message = await js.get_msg("KV_copy", seq=2)
        assert (message.subject, message.data) == ("$KV.a.key", b"2")
        await buckets[0].delete("key")

        async def gone():
            return (await js.stream_info("KV_copy")).state.last_seq == 3

        await until(gone)

    check(url, steps)


def test_watching_a_bucket(url):
    # spec: JS-116 JS-104
    async def steps(js):
        kv = await js.create_key_value(bucket="B")
        await kv.put("t.a", b"1")
        await kv.put("other", b"x")
        watcher = await kv.watch("t.*")
        entry = await watcher.updates(timeout=PATIENCE)
        assert (entry.key, entry.value) == ("t.a", b"1")
        assert await watcher.updates(timeout=PATIENCE) is None
        await kv.put("t.b", b"2")
        await kv.delete("t.a")
        got = [await watcher.updates(timeout=PATIENCE) for _ in range(2)]
        assert [(one.key, one.operation) for one in got] == [("t.b", None), ("t.a", "DEL")]
        await watcher.stop()

    check(url, steps)


def test_keys_that_expire(url):
    # spec: JS-116 JS-118 JS-068
    async def steps(js):
        kv = await js.create_key_value(bucket="B", ttl=1)
        await kv.put("a", b"1")
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    await kv.get("a")
                except KeyNotFoundError:
                    break
                await asyncio.sleep(0.05)

    check(url, steps)


def test_objects(url):
    # spec: JS-117 JS-067
    async def steps(js):
        store = await js.create_object_store("O")
        body = os.urandom(500_000)
        info = await store.put("big", body)
        assert (info.size, info.chunks) == (500_000, 4)
        assert (await store.get("big")).data == body
        await store.put("big", b"small")
        assert (await store.get("big")).data == b"small"
        await store.put("other", b"x")
        assert sorted(one.name for one in await store.list()) == ["big", "other"]
        await store.delete("other")
        with pytest.raises(ObjectNotFoundError):
            await store.get("other")
        # A new version takes the chunks of the old one with it.
        state = (await js.stream_info("OBJ_O")).state
        assert state.bytes < 10_000
        await js.delete_object_store("O")

    check(url, steps)


@pytest.mark.martlet_only
def test_dead_letters(url):
    async def steps(js):
        await js.add_stream(name="DEAD", subjects=["dead.>"])
        await js.add_stream(name="S", subjects=["s"], retention=api.RetentionPolicy.WORK_QUEUE)
        config = api.ConsumerConfig(max_deliver=2, metadata={"martlet.dead_letter": "dead.s"})
        sub = await js.pull_subscribe("s", durable="c", config=config)
        await js.publish("s", b"exhausted")
        await js.publish("s", b"given up")
        for batch in (2, 1):
            for message in await sub.fetch(batch, timeout=PATIENCE):
                await (message.nak() if message.data == b"exhausted" else message.term())
        with pytest.raises(NoMessage):
            await sub.fetch(1, timeout=0.1)
        dead = await js.subscribe("dead.>", ordered_consumer=True)
        letters = [await dead.next_msg(timeout=PATIENCE) for _ in range(2)]
        assert {(one.data, one.headers["Martlet-Dead-Letter-Reason"]) for one in letters} == {
            (b"exhausted", "max_deliver"),
            (b"given up", "terminated"),
        }
        async with asyncio.timeout(PATIENCE):
            while (await js.stream_info("S")).state.messages:
                await asyncio.sleep(0.05)

    check(url, steps)
