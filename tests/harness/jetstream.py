"""A raw client for JetStream: requests, publishes with headers, subscriptions; no client library in between."""

from __future__ import annotations

import itertools
import json
import re
import time
from collections import deque
from dataclasses import dataclass

from harness.wire import READ_TIMEOUT, Connection, WireError

API = "$JS.API."
SECOND = 1_000_000_000
MILLI = 1_000_000


class Like(str):
    """Equals every string that matches its pattern; stands in expected answers for what differs from run to run."""

    def __eq__(self, other) -> bool:
        return isinstance(other, str) and re.fullmatch(str(self), other) is not None

    def __ne__(self, other) -> bool:
        return not self == other

    __hash__ = str.__hash__


numbers = itertools.count(1)
TIME = Like(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")
ID = Like(r"[A-Za-z0-9]{22}")


@dataclass
class Message:
    """One message as it came; `status` is the rest of the header's first line, `headers` its fields in their order."""

    subject: str
    reply: str
    data: bytes
    status: str = ""
    headers: dict[str, str] | None = None

    @property
    def json(self):
        return json.loads(self.data)

    @property
    def text(self) -> str:
        return self.data.decode()

    def acked(self) -> tuple[str, str, int, int, int, int]:
        """Stream, consumer, deliveries, stream sequence, consumer sequence and pending of the reply (ack v1)."""
        tokens = self.reply.split(".")
        if tokens[:2] != ["$JS", "ACK"] or len(tokens) != 9:
            raise WireError(f"not a reply of a consumer: {self.reply!r}")
        stream, consumer, deliveries, stream_seq, consumer_seq, _, pending = tokens[2:]
        return stream, consumer, int(deliveries), int(stream_seq), int(consumer_seq), int(pending)

    @property
    def seq(self) -> int:
        return self.acked()[3]

    @property
    def deliveries(self) -> int:
        return self.acked()[2]


def parse_headers(block: bytes) -> tuple[str, dict[str, str] | None]:
    if not block:
        return "", None
    first, *lines = block.decode().removesuffix("\r\n\r\n").split("\r\n")
    fields = (line.split(":", 1) for line in lines)
    return first.removeprefix("NATS/1.0").strip(), {name: value.strip() for name, value in fields}


class Sub:
    """Messages of one subscription, in the order they came."""

    def __init__(self, client: Client, sid: str, subject: str):
        self.client, self.sid, self.subject = client, sid, subject
        self.queue: deque[Message] = deque()

    def next(self, timeout: float = READ_TIMEOUT) -> Message:
        self.client.pump(lambda: self.queue, timeout, f"a message on {self.subject}")
        return self.queue.popleft()

    def take(self, count: int, timeout: float = READ_TIMEOUT) -> list[Message]:
        return [self.next(timeout) for _ in range(count)]

    def until(self, wanted, count: int = 10_000) -> Message:
        """The first message that `wanted` accepts, of at most so many; those before it are dropped."""
        for _ in range(count):
            if wanted(message := self.next()):
                return message
        raise WireError(f"none of {count} messages on {self.subject} was the wanted one; the last is {message}")

    def nothing(self) -> bool:
        """Whether nothing has come that was sent before the server got all that this client sent."""
        self.client.fence()
        return not self.queue

    def unsubscribe(self) -> None:
        self.client.link.send(f"UNSUB {self.sid}")
        self.client.fence()


class Client:
    """One connection that sorts what comes by subscription. Use from one thread."""

    def __init__(self, link: Connection):
        self.link = link
        self.sids = itertools.count(1)
        self.subs: dict[str, Sub] = {}
        self.pongs = 0
        self.errors: list[str] = []
        self.prefix = f"_IN.{next(numbers)}"
        self.inbox = self.subscribe(f"{self.prefix}.*")
        self.replies = itertools.count(1)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        self.link.close()

    # --- receiving ----------------------------------------------------------------------------

    def receive(self) -> None:
        """Takes one protocol line, with its payload, from the connection."""
        line = self.link.line()
        if line.startswith((b"MSG ", b"HMSG ")):
            self.sort(line)
        elif line == b"PING":
            self.link.send("PONG")
        elif line == b"PONG":
            self.pongs += 1
        elif line.startswith(b"-ERR"):
            self.errors.append(line.decode())

    def sort(self, line: bytes) -> None:
        fields = line.decode().split(" ")
        sizes = 2 if fields[0] == "HMSG" else 1
        reply = fields[3] if len(fields) == 4 + sizes else ""
        body = self.link.take(int(fields[-1]) + 2)[:-2]
        head = int(fields[-2]) if sizes == 2 else 0
        status, headers = parse_headers(body[:head])
        if fields[2] in self.subs:
            self.subs[fields[2]].queue.append(Message(fields[1], reply, body[head:], status, headers))

    def pump(self, done, timeout: float, what: str) -> None:
        """Receives until `done()`."""
        deadline = time.monotonic() + timeout
        while not done():
            left = deadline - time.monotonic()
            if left <= 0:
                raise WireError(f"waited {timeout:g} s for {what}; errors: {self.errors}")
            self.link.socket.settimeout(left)
            try:
                self.receive()
            except WireError as error:
                if "no bytes within" in str(error):
                    raise WireError(f"waited {timeout:g} s for {what}; errors: {self.errors}") from None
                raise
            finally:
                self.link.socket.settimeout(READ_TIMEOUT)

    def fence(self) -> None:
        """Receives what the server sent before it had dealt with everything sent so far."""
        want = self.pongs + 1
        self.link.send("PING")
        self.pump(lambda: self.pongs >= want, READ_TIMEOUT, "PONG")

    # --- sending ------------------------------------------------------------------------------

    def subscribe(self, subject: str, queue: str = "") -> Sub:
        sid = str(next(self.sids))
        self.subs[sid] = Sub(self, sid, subject)
        self.link.send(f"SUB {subject} {queue} {sid}" if queue else f"SUB {subject} {sid}")
        self.fence()
        return self.subs[sid]

    def send(self, subject: str, data=b"", headers: dict | None = None, reply: str = "") -> None:
        """Publishes; header names may repeat as lists of values."""
        body = data if isinstance(data, bytes) else (data if isinstance(data, str) else json.dumps(data)).encode()
        middle = f"{subject} {reply} " if reply else f"{subject} "
        if headers is None:
            head = f"PUB {middle}{len(body)}\r\n".encode()
        else:
            fields = ((k, v) for k, vs in headers.items() for v in (vs if isinstance(vs, list) else [vs]))
            block = ("NATS/1.0\r\n" + "".join(f"{k}: {v}\r\n" for k, v in fields) + "\r\n").encode()
            head = f"HPUB {middle}{len(block)} {len(block) + len(body)}\r\n".encode() + block
        self.link.send_raw(head + body + b"\r\n")

    def new_inbox(self) -> str:
        return f"{self.prefix}.{next(self.replies)}"

    def request(
        self, subject: str, data=b"", headers: dict | None = None, timeout: float = READ_TIMEOUT
    ) -> Message:
        """One request and its first answer."""
        reply = self.new_inbox()
        self.send(subject, data, headers, reply)
        return self.answer(reply, timeout, subject)

    def answer(self, reply: str, timeout: float = READ_TIMEOUT, what: str = "") -> Message:
        """The next message on an inbox of this client."""

        def found():
            return next((m for m in self.inbox.queue if m.subject == reply), None)

        self.pump(found, timeout, f"an answer on {reply} of {what}")
        message = found()
        self.inbox.queue.remove(message)
        return message

    # --- JetStream ----------------------------------------------------------------------------

    def api(self, subject: str, data=b"", headers: dict | None = None):
        """The decoded answer of an API request, without its type."""
        answer = self.request(API + subject, data, headers).json
        answer.pop("type", None)
        return answer

    def ok(self, subject: str, data=b"", headers: dict | None = None):
        """As `api`, for what must succeed."""
        answer = self.api(subject, data, headers)
        if "error" in answer:
            raise WireError(f"{subject} {data!r}: {answer['error']}")
        return answer

    def error(self, subject: str, data=b"", headers: dict | None = None) -> tuple[int, int, str]:
        """The code, err_code and text of what must fail."""
        return error_of(self.api(subject, data, headers))

    def error_code(self, subject: str, data=b"") -> int | None:
        """The err_code of an answer, if it is an error."""
        return self.api(subject, data).get("error", {}).get("err_code")

    def stream(self, name: str, *subjects: str, **config) -> dict:
        """Creates a stream, in memory unless told otherwise."""
        body = {"name": name, "storage": "memory", **config}
        if subjects:
            body["subjects"] = list(subjects)
        return self.ok(f"STREAM.CREATE.{name}", body)

    def update(self, name: str, **changes) -> dict:
        config = strip(self.ok(f"STREAM.INFO.{name}")["config"])
        return self.ok(f"STREAM.UPDATE.{name}", {**config, **changes})

    def consumer(self, stream: str, name: str, action: str = "", **config) -> dict:
        """Creates a durable consumer with explicit acks unless told otherwise."""
        body = {"stream_name": stream, "config": {"durable_name": name, "ack_policy": "explicit", **config}}
        return self.ok(f"CONSUMER.CREATE.{stream}.{name}", {**body, "action": action} if action else body)

    def publish(self, subject: str, data=b"", headers: dict | None = None) -> dict:
        """The acknowledgement, whatever it says."""
        return self.request(subject, data, headers).json

    def put(self, subject: str, data=b"", headers: dict | None = None) -> int:
        """The sequence of a message that must be stored."""
        ack = self.publish(subject, data, headers)
        if "error" in ack:
            raise WireError(f"publish to {subject}: {ack['error']}")
        return ack["seq"]

    def state(self, stream: str) -> dict:
        return self.ok(f"STREAM.INFO.{stream}")["state"]

    def info(self, stream: str, consumer: str) -> dict:
        return self.ok(f"CONSUMER.INFO.{stream}.{consumer}")

    def pull(self, stream: str, consumer: str, body=b"") -> Sub:
        """Sends a pull request; what it brings comes on the returned subscription."""
        inbox = f"{self.prefix}.pull.{next(self.replies)}"
        sub = self.subscribe(inbox)
        self.send(f"{API}CONSUMER.MSG.NEXT.{stream}.{consumer}", body, reply=inbox)
        return sub

    def fetch(self, stream: str, consumer: str, count: int = 1, **options) -> list[Message]:
        """Exactly `count` messages with one request."""
        body = {"batch": count, "expires": 5 * SECOND, **options}
        sub = self.pull(stream, consumer, body)
        messages = sub.take(count)
        bad = [message.status for message in messages if message.status]
        if bad:
            raise WireError(f"fetch of {count} from {stream} {consumer}: {bad}")
        return messages

    def ack(self, message: Message, body: bytes | str = b"") -> None:
        """Acknowledges and waits until the server has it."""
        answer = self.request(message.reply, body)
        if answer.status or answer.data:
            raise WireError(f"ack of {message.reply} was answered {answer}")


def error_of(answer: dict) -> tuple[int, int, str]:
    error = answer.get("error")
    if error is None:
        raise WireError(f"there is no error in {answer}")
    return error["code"], error["err_code"], error["description"]


def strip(config: dict) -> dict:
    """A configuration without what the server adds to answers."""
    metadata = {k: v for k, v in config.get("metadata", {}).items() if not k.startswith("_nats.")}
    return {**{k: v for k, v in config.items() if k != "metadata"}, **({"metadata": metadata} if metadata else {})}
