"""Scripts in which time passes: redelivery, expiry, schedules, pauses, and what is forgotten when nobody uses it.

Invariant: whatever begins to run out ends by itself within a few beats, and a wait is longer than that. So what came before a
wait, during it and after it depends on nobody's speed, as long as a step takes less than a beat.
"""

from __future__ import annotations

import json

from differential.streams.bodies import HOUR
from differential.streams.generate import Generator
from differential.streams.script import API, BEAT, Listen, Script, Send, Wait
from harness.jetstream import SECOND

B = int(BEAT * SECOND)
SOON = f"<in {2 * BEAT}>"
# Longer than all deliveries of a message, each a beat after the one before.
LONG = Wait(4.5)
# Messages live for whole seconds, and servers look for those that are over every now and then.
LONGER = Wait(12)
# How long messages may take: always an end to it.
ACK_WAITS = [
    {"ack_wait": B, "max_deliver": 1},
    {"ack_wait": B, "max_deliver": 2},
    {"ack_wait": B, "max_deliver": 3},
    {"backoff": [B, HOUR], "max_deliver": 3},
    {"backoff": [B, B, HOUR], "max_deliver": 4},
    {"backoff": [B, B], "max_deliver": 3},
    {},
]
CONSUMERS = [
    {},
    {},
    {"deliver_subject": "d.c"},
    {"deliver_subject": "d.c", "deliver_group": "g"},
    {"deliver_subject": "d.c", "idle_heartbeat": B},
    {"deliver_subject": "d.c", "idle_heartbeat": B, "flow_control": True},
    {"priority_groups": ["g"], "priority_policy": "pinned_client", "priority_timeout": B},
    {"priority_groups": ["g"], "priority_policy": "overflow"},
    {"priority_groups": ["g"], "priority_policy": "prioritized"},
]
TRAITS = [
    *[{}] * 6,
    {"inactive_threshold": B},
    {"pause_until": SOON},
    {"max_ack_pending": 2},
    {"filter_subject": "s.a"},
    {"ack_policy": "all"},
    {"ack_policy": "none"},
    {"sample_freq": "100"},
    {"headers_only": True},
    {"deliver_policy": "last_per_subject", "filter_subject": "s.>"},
]
BYSTANDERS = [
    {},
    {"filter_subject": "s.a"},
    {"ack_policy": "none"},
    {"ack_policy": "all"},
    {"max_ack_pending": 1},
    {"deliver_policy": "last_per_subject", "filter_subject": "s.>"},
]
PULLS = [
    {"no_wait": True},
    {"no_wait": True},
    {"expires": B},
    {"expires": 2 * B, "idle_heartbeat": B},
    {"expires": B, "no_wait": True},
    {"expires": HOUR},
    {"expires": HOUR, "idle_heartbeat": B},
    {"expires": B, "max_bytes": 100},
    {"expires": B, "min_pending": 3},
    {"expires": B, "min_ack_pending": 1},
]
ACKS = [b"", b"+WPI", b"+TERM", b"-NAK", b"+NXT"]
DELAYED = [b'-NAK {"delay":%d}' % B, b"-NAK %dms" % (B // 1_000_000)]
AGES = [
    {"max_age": B},
    {"max_age": B, "subject_delete_marker_ttl": HOUR},
    {"max_age": 2 * B, "retention": "interest"},
    {"max_age": HOUR, "duplicate_window": B},
    {"max_age": B, "max_msgs_per_subject": 1, "subject_delete_marker_ttl": HOUR},
    {"max_age": B, "discard": "new", "max_msgs": 2},
    {"duplicate_window": B},
]
LIVES = [
    {"allow_msg_ttl": True},
    {"allow_msg_ttl": True, "subject_delete_marker_ttl": HOUR},
    {"allow_msg_ttl": True, "subject_delete_marker_ttl": SECOND},
    {"allow_msg_ttl": True, "max_age": B},
    {"allow_msg_ttl": True, "max_age": HOUR, "max_msgs_per_subject": 1},
    {"allow_msg_ttl": True, "retention": "workqueue"},
]
MORE_OF_SCHEDULES = [
    {"Nats-Schedule-TTL": "1s"},
    {"Nats-Schedule-Source": "s.a"},
    {"Nats-Schedule-Rollup": "sub"},
    {"Nats-TTL": "1s"},
]


class Timed(Generator):
    """Makes script `number` of a seed, in which time passes."""

    def script(self) -> Script:
        dice = self.dice
        self.parts, self.acks = [], ACKS + 2 * DELAYED
        self.is_passing = False
        if dice.random() < 0.7:
            self.parts.append(Listen("d.c", dice.choice(["", "", "g"])))
        kind = dice.choice([self.deliveries_again, self.deliveries_again, self.ages, self.lives, self.schedules])
        kind()
        return Script(self.number, self.parts)

    def stream(self, **config) -> None:
        storage = self.dice.choice(["file", "memory"])
        body = {"name": "S", "subjects": ["s.>"], "allow_direct": True, "storage": storage, **config}
        self.api("STREAM.CREATE.S", json.dumps(body).encode())

    def rounds(self, steps: list, wait: Wait) -> None:
        dice = self.dice
        for _ in range(dice.choice([1, 2, 2, 3] if wait is LONG else [1, 1, 2])):
            for step in dice.choices(steps, k=dice.randint(1, 4)):
                step()
            self.parts.append(wait)

    def deliveries_again(self) -> None:
        """Messages that are not acknowledged in time, requests that end, consumers that pause and go."""
        dice = self.dice
        self.stream(retention=dice.choice(["limits", "limits", "workqueue", "interest"]))
        self.timed_consumer("c")
        if dice.random() < 0.3:
            self.timed_consumer("d")
        for _ in range(dice.randint(1, 3)):
            self.message_in()
        steps = [self.timed_pull] * 4 + [self.timed_ack] * 4 + [self.message_in] * 2
        self.rounds([*steps, self.timed_pause, self.unpin, self.take_out, self.consumer_views], LONG)

    def ages(self) -> None:
        """Messages that grow too old, and ids that are forgotten."""
        self.stream(**self.dice.choice(AGES))
        self.bystander()
        self.rounds([self.message_in] * 6 + [self.fetch, self.ack, self.direct, self.stream_views], LONG)

    def lives(self) -> None:
        """Messages that say how long they live."""
        self.stream(**self.dice.choice(LIVES))
        self.bystander()
        self.rounds([self.mortal] * 6 + [self.message_in, self.fetch, self.take_out, self.direct], LONGER)

    def schedules(self) -> None:
        """Messages that are sent when their time has come."""
        self.stream(allow_msg_schedules=True, allow_msg_ttl=True, allow_rollup_hdrs=True)
        # That a schedule went while it waited for an acknowledgement, the reference tells, and Martlet does not (JS-139).
        self.bystander(ack_policy="none")
        self.rounds([self.timed_schedule] * 5 + [self.message_in, self.fetch, self.take_out, self.purge], LONGER)

    # --- steps ----------------------------------------------------------------------------------

    def timed_consumer(self, name: str) -> None:
        dice = self.dice
        config = {dice.choice(["durable_name", "durable_name", "name"]): name, "ack_policy": "explicit"}
        config |= dice.choice(CONSUMERS) | dice.choice(TRAITS)
        if "max_ack_pending" in config:
            # One after the other, messages would take longer than a wait until all are given up.
            config |= {"backoff": [B, HOUR], "max_deliver": 3}
        elif config["ack_policy"] == "explicit" and "inactive_threshold" not in config:
            config |= dice.choice(ACK_WAITS)
        elif config["ack_policy"] == "all":
            # What was given up stays so for the reference (JS-103).
            config |= {"backoff": [B, HOUR], "max_deliver": 3}
        if "backoff" in config:
            # The reference adds it to delays (JS-102).
            self.acks = ACKS
        if "inactive_threshold" in config:
            self.is_passing = True
        self.api(f"CONSUMER.CREATE.S.{name}", json.dumps({"stream_name": "S", "config": config}).encode())

    def bystander(self, **given) -> None:
        """A consumer that looks before and after messages expire or come: how many do so at once is up to the server."""
        if self.dice.random() < 0.6:
            config = {"durable_name": "c", "ack_policy": "explicit", **self.dice.choice(BYSTANDERS), **given}
            self.api("CONSUMER.CREATE.S.c", json.dumps({"stream_name": "S", "config": config}).encode())

    def say(self, subject: str, body: bytes = b"x", headers: dict | None = None) -> None:
        given = None if headers is None else tuple(headers.items())
        self.parts.append(Send(subject, body, given, is_answered=False))

    def message_in(self) -> None:
        dice = self.dice
        headers = {"Nats-Msg-Id": dice.choice("12")} if dice.random() < 0.3 else None
        self.say(dice.choice(["s.a", "s.a", "s.b"]), dice.choice([b"", b"x"]), headers)

    def mortal(self) -> None:
        dice = self.dice
        self.say(dice.choice(["s.a", "s.a", "s.b"]), b"x", {"Nats-TTL": dice.choice(["1s", "1", "never", "1h", "2s"])})

    def timed_schedule(self) -> None:
        dice = self.dice
        at = dice.choice([f"@at {SOON}", f"@at {SOON}", "@every 1h"])
        headers = {"Nats-Schedule": at, "Nats-Schedule-Target": dice.choice(["s.t", "s.u"])}
        if dice.random() < 0.5:
            headers |= dice.choice(MORE_OF_SCHEDULES)
        self.say(dice.choice(["s.p", "s.q"]), b"x", headers)

    def take_out(self) -> None:
        self.api("STREAM.MSG.DELETE.S", json.dumps({"seq": self.dice.randint(1, 3)}).encode())

    def timed_pull(self) -> None:
        dice = self.dice
        body = {"batch": dice.randint(1, 3), **dice.choice(PULLS)}
        if dice.random() < 0.5:
            body["group"] = "g"
            if dice.random() < 0.3:
                body["id"] = "<pin-1>"
        self.parts.append(Send(f"{API}CONSUMER.MSG.NEXT.S.{dice.choice('cccd')}", json.dumps(body).encode(), is_answered=False))

    def timed_ack(self) -> None:
        self.parts.append(Send(f"@{self.dice.randint(0, 3)}", self.dice.choice(self.acks), is_answered=False))

    def timed_pause(self) -> None:
        if self.is_passing:
            # The reference tells of the end of a pause also when the consumer went before.
            return
        until = self.dice.choice([SOON, SOON, "2099-01-02T03:04:05Z", ""])
        self.api("CONSUMER.PAUSE.S.c", json.dumps({"pause_until": until}).encode() if until else b"")

    def unpin(self) -> None:
        self.api("CONSUMER.UNPIN.S.c", b'{"group":"g"}')
