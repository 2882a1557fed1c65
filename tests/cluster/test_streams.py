"""A node without streams of its own lets its clients use those of its cluster's other members."""

from __future__ import annotations

import asyncio

import nats
import pytest
from nats.errors import NoRespondersError
from nats.errors import TimeoutError as NoAnswer
from nats.js.errors import NoStreamResponseError, ServiceUnavailableError

from harness.topology import free_port

TIMEOUT = 80.0
PATIENCE = 8.0
"""For one answer. While the servers elect, what is asked may never be answered."""
UNHEARD = (NoRespondersError, NoStreamResponseError, ServiceUnavailableError, NoAnswer)


@pytest.fixture
def node(start, reference, binary):
    """The server under test, in a cluster with three reference servers that have JetStream."""
    ports = [free_port() for _ in range(4)]
    routes = ", ".join(f'"nats-route://127.0.0.1:{port}"' for port in ports)
    nodes = []
    for number, port in enumerate(ports):
        streams = 'jetstream { store_dir: "$DIR/js" }' if number else ""
        config = f"""
            server_name: n{number}
            {streams}
            cluster {{ name: C, listen: "127.0.0.1:{port}", routes: [{routes}] }}
        """
        nodes.append(start(config, binary=reference if number else binary, check_exit=False))
    return nodes[0]


async def heard(ask):
    """What `ask` gives once those asked are known here, and have their leaders: that a leader listens comes over another
    connection than the word that it leads. Everything asked this way may be asked twice."""
    while True:
        try:
            return await ask()
        except UNHEARD:
            await asyncio.sleep(0.05)


async def use_streams(url: str) -> None:
    client = await nats.connect(url)
    impatient, streams = client.jetstream(timeout=0.5), client.jetstream(timeout=PATIENCE)
    await heard(impatient.account_info)
    await heard(lambda: streams.add_stream(name="S", subjects=["orders.>"], num_replicas=3))
    for number in range(20):
        once = {"Nats-Msg-Id": str(number)}
        ack = await heard(lambda: streams.publish(f"orders.{number}", b"%d" % number, headers=once))  # noqa: B023 (called at once)
        assert ack.seq == number + 1
    wanted = [(f"orders.{number}", b"%d" % number) for number in range(20)]

    pull = await heard(lambda: streams.pull_subscribe("orders.>", "pulled"))
    pulled = await heard(lambda: pull.fetch(20, timeout=PATIENCE))
    # The subject is that of the stream's message, not the inbox that it came on.
    assert [(message.subject, message.data) for message in pulled] == wanted
    for message in pulled:
        await message.ack_sync(timeout=PATIENCE)
    info = await heard(lambda: streams.consumer_info("S", "pulled"))
    assert (info.num_ack_pending, info.num_pending) == (0, 0)

    pushed, done = [], asyncio.get_running_loop().create_future()

    async def on_message(message):
        pushed.append((message.subject, message.data))
        await message.ack()
        if len(pushed) == len(wanted) and not done.done():
            done.set_result(None)

    await heard(lambda: streams.subscribe("orders.*", durable="pushed", cb=on_message, manual_ack=True))
    await asyncio.wait_for(done, TIMEOUT)
    assert pushed == wanted

    bucket = await heard(lambda: streams.create_key_value(bucket="b", replicas=3))
    await heard(lambda: bucket.put("k", b"v"))
    assert (await heard(lambda: bucket.get("k"))).value == b"v"
    await client.close()


def test_streams_of_other_members(node):
    # spec: CLU-119 CFG-123
    assert not node.connect().handshake().info.get("jetstream")
    asyncio.run(asyncio.wait_for(use_streams(f"nats://127.0.0.1:{node.client_port}"), TIMEOUT))
