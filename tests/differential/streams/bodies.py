"""Random JSON bodies: mostly what a client would say, some of it nonsense, some of it broken."""

from __future__ import annotations

import json
import random

from harness.jetstream import SECOND

HOUR = 3600 * SECOND
PAST, FUTURE = "2020-01-02T03:04:05Z", "2099-01-02T03:04:05Z"
SUBJECTS = {
    "S": [*[["s.>"]] * 9, ["s.*"], ["s.a", "s.b", "s.c"], ["s.*", "s.*.*"], ["s.a"], None],
    "T": [*[["t.>"]] * 3, ["t.*"], ["t.a", "s.t"], None],
}
TRANSFORMS = [
    {"src": "s.*", "dest": "s.x.{{wildcard(1)}}"},
    {"src": ">", "dest": "s.y.>"},
    {"src": "s.a", "dest": "s.b"},
    {"src": "", "dest": "t.{{partition(2,1)}}"},
    {"src": "s.>", "dest": "q.>"},
    {"src": "t.*", "dest": "z.$1"},
    {"src": "s.*", "dest": "s.{{wildcard(2)}}"},
    {"src": "s.*", "dest": "s.{{nope(1)}}"},
    {"src": "s..a", "dest": "s.b"},
    {"src": "s.a"},
    {"dest": "s.b"},
    {},
]
SOURCES = [
    {"name": "S"},
    {"name": "S"},
    {"name": "T"},
    {"name": "S", "filter_subject": "s.a"},
    {"name": "S", "filter_subject": "s.>"},
    {"name": "S", "opt_start_seq": 2},
    {"name": "S", "opt_start_time": PAST},
    {"name": "S", "opt_start_seq": 2, "opt_start_time": PAST},
    {"name": "S", "subject_transforms": [{"src": "s.*", "dest": "m.{{wildcard(1)}}"}]},
    {"name": "S", "subject_transforms": [{"src": "s.a", "dest": ""}]},
    {"name": "S", "subject_transforms": [{"src": "s.a", "dest": "m.a"}, {"src": "s.>", "dest": "m.b.>"}]},
    {"name": "S", "subject_transforms": [{"src": "s.a", "dest": "m.a"}, {"src": "s.b", "dest": "m.b"}]},
    {"name": "S", "filter_subject": "s.a", "subject_transforms": [{"src": "s.a", "dest": "m.a"}]},
    {"name": "S", "filter_subject": "s..a"},
    {"name": "S", "external": {"api": "$JS.API", "deliver": "d"}},
    {"name": "S", "external": {"api": "x.*", "deliver": ""}},
    {"name": "S", "consumer": {"name": "w", "deliver_subject": "dw"}},
    {"name": "S", "consumer": {"name": "w"}},
    {"name": "S", "consumer": {"name": "w.w", "deliver_subject": "dw.*"}},
    {"name": "S S"},
    {"name": ""},
    {},
]
STREAM = {
    "description": ["d", ""],
    "retention": ["limits", "interest", "workqueue"],
    "max_consumers": [-1, 0, 2],
    "max_msgs": [-1, 0, 1, 3],
    "max_bytes": [-1, 0, 150, 400, 100_000],
    "max_age": [0, HOUR],
    "max_msgs_per_subject": [-1, 0, 1, 2],
    "max_msg_size": [-1, 0, 60, 1000],
    "discard": ["old", "new"],
    "storage": ["file", "memory"],
    "num_replicas": [0, 1],
    "no_ack": [False, False, True],
    "duplicate_window": [0, HOUR, 120 * SECOND],
    "placement": [{"cluster": "x"}, {"tags": ["a"]}, {}],
    "compression": ["none", "s2"],
    "first_seq": [0, 1, 10],
    "subject_transform": [
        {"src": "s.*", "dest": "s.x.{{wildcard(1)}}"},
        {"src": ">", "dest": "s.y.>"},
        {"src": "s.a", "dest": "s.b"},
        {"src": "s.>", "dest": "q.>"},
        {},
    ],
    "republish": [
        {"src": "s.*", "dest": "r.{{wildcard(1)}}"},
        {"src": "", "dest": "r.>"},
        {"src": ">", "dest": "r.>", "headers_only": True},
        {"src": "s.a", "dest": "r.a"},
    ],
    "allow_direct": [True, False],
    "discard_new_per_subject": [False],
    "deny_delete": [True, False],
    "deny_purge": [True, False],
    "allow_rollup_hdrs": [True, False],
    "consumer_limits": [{"inactive_threshold": HOUR}, {"max_ack_pending": 3}, {}],
    "metadata": [{"k": "v"}, {"_nats.x": "v"}, {"a": "1", "b": "2"}, {}],
    "allow_msg_ttl": [True, False],
    "subject_delete_marker_ttl": [0, HOUR, SECOND],
    "allow_atomic": [True, False],
    "allow_msg_schedules": [True, False],
    "allow_batched": [True, False],
    "persist_mode": ["default"],
    "pedantic": [False],
}
# Values that are refused, or go badly with most others.
STREAM_ODD = {
    "description": ["x" * 4096, "x" * 4097],
    "max_consumers": [1],
    "max_bytes": [60],
    "max_age": [100_000_000 - 1, -1],
    "max_msg_size": [2],
    "num_replicas": [3, 6, -1],
    "duplicate_window": [2 * HOUR, 100_000_000 - 1],
    "placement": [{"preferred": "x"}],
    "subject_transform": TRANSFORMS,
    "republish": [
        {"dest": "s.b"},
        {"src": "s.a", "dest": "r.*"},
        {"src": "nope", "dest": "r.b"},
        # Never {}: when it is updated, the reference publishes to itself from then on (JS-055).
    ],
    "mirror_direct": [True, False],
    "discard_new_per_subject": [True],
    "sealed": [True, False],
    "consumer_limits": [{"max_ack_pending": -2}],
    "subject_delete_marker_ttl": [SECOND - 1, -1, 90 * SECOND + 1],
    "allow_msg_counter": [True, False],
    "persist_mode": ["async"],
    "pedantic": [True],
    "template_owner": ["", "x"],
}
CONSUMER = {
    "description": ["d", ""],
    "deliver_policy": ["all", "last", "new"],
    "ack_policy": ["none", "all", "explicit"],
    "ack_wait": [0, HOUR, 30 * SECOND],
    "max_deliver": [-1, 0, 2, 3],
    "filter_subject": ["s.a", "s.>", "s.*", ">", ""],
    "replay_policy": ["instant"],
    "sample_freq": ["100", "50%", "0", "100%", ""],
    "max_ack_pending": [-1, 0, 1, 2, 1000],
    "headers_only": [True, False],
    "inactive_threshold": [0, HOUR],
    "num_replicas": [0, 1],
    "mem_storage": [True, False],
    "metadata": [{"k": "v"}, {"_nats.x": "v"}, {}],
}
# What only pull consumers may have, and only those that push.
PULLED = {
    "max_waiting": [0, 1, 2],
    "max_batch": [0, 1, 2],
    "max_expires": [0, HOUR],
    "max_bytes": [0, 100, 100_000],
}
PUSHED = {"rate_limit_bps": [0, 1_000_000], "idle_heartbeat": [0, 30 * SECOND], "flow_control": [False]}
CONSUMER_ODD = {
    **PULLED,
    **PUSHED,
    "description": ["x" * 4097],
    "deliver_policy": ["by_start_sequence", "by_start_time", "last_per_subject", "undefined"],
    "opt_start_seq": [0, 1, 2, 100],
    "opt_start_time": [PAST, FUTURE],
    "ack_policy": ["flow_control"],
    "ack_wait": [1, -1],
    "max_deliver": [1],
    "backoff": [[], [HOUR], [HOUR, 2 * HOUR], [HOUR, -1], [2 * HOUR, HOUR]],
    "filter_subject": ["t.a", "s..a", "nope"],
    "filter_subjects": [["s.a", "s.>"], ["s.a", ""], [], ["s.a", "s.a"], ["nope", "s.c"]],
    "replay_policy": ["original"],
    "sample_freq": ["x", "101", "-1"],
    "flow_control": [True],
    "max_waiting": [-1],
    "max_batch": [-1],
    "max_expires": [999_999, -1],
    "max_bytes": [-1],
    "deliver_subject": ["d.c", "d.*", "s.a", "", "d..c"],
    "deliver_group": ["g", "g h", ""],
    "idle_heartbeat": [SECOND, 1, -1],
    "inactive_threshold": [-1, 1],
    "num_replicas": [3, -1],
    "direct": [True, False],
    "sourcing": [True, False],
    "pause_until": [PAST, FUTURE],
    "priority_groups": [["g"], ["g", "h"], ["g g"], [""], []],
    "priority_policy": ["none", "overflow", "pinned_client", "prioritized"],
    "priority_timeout": [0, HOUR, -1],
}
# What belongs together.
COHERENT = [
    {},
    {},
    {},
    {"filter_subjects": ["s.a", "s.b"]},
    {"filter_subjects": ["s.b"], "deliver_policy": "last"},
    {"max_deliver": 3, "backoff": [HOUR, 2 * HOUR]},
    {"pause_until": FUTURE},
    {"deliver_subject": "d.c"},
    {"deliver_subject": "d.c", "deliver_group": "g"},
    {"deliver_subject": "d.c", "flow_control": True, "idle_heartbeat": 30 * SECOND},
    {"priority_groups": ["g"], "priority_policy": "overflow"},
    {"priority_groups": ["g"], "priority_policy": "pinned_client"},
    {"priority_groups": ["g", "h"], "priority_policy": "prioritized"},
    {"deliver_policy": "by_start_sequence", "opt_start_seq": 2},
    {"deliver_policy": "by_start_time", "opt_start_time": PAST},
    {"deliver_policy": "last_per_subject", "filter_subject": "s.>"},
    {
        "ack_policy": "flow_control",
        "deliver_subject": "d.c",
        "flow_control": True,
        "idle_heartbeat": SECOND,
        "max_ack_pending": 10,
    },
]
GET = {
    "seq": [0, 1, 2, 3, 5, 100],
    "last_by_subj": ["s.a", "s.b", "s.*", ">", "t.a", "s.z", "s..a"],
    "next_by_subj": ["s.a", "s.b", "s.*", ">", "t.a", "s.z", "s..a"],
    "batch": [0, 1, 2, 10, -1],
    "max_bytes": [0, 1, 100, 10_000, -1],
    "start_time": [PAST, FUTURE],
    "multi_last": [["s.a"], ["s.a", "s.b"], ["s.>"], [">"], ["s.a", "s.*"], ["s.z"], [], [""]],
    "up_to_seq": [0, 1, 2, 3, 100],
    "up_to_time": [PAST, FUTURE],
    "no_hdr": [True, False],
}
PULL = {
    "batch": [0, 1, 2, 3, 10, -1],
    "expires": [0, HOUR, -1],
    "no_wait": [True, True, False],
    "max_bytes": [0, 10, 100, 10_000, -1],
    "idle_heartbeat": [0, 30 * SECOND, HOUR, -1],
    "group": ["g", "g", "h", "z", ""],
    "min_pending": [0, 1, 2, 5, -1],
    "min_ack_pending": [0, 1, 2, -1],
    "id": ["<pin-1>", "<pin-2>", "x"],
    "priority": [0, 1, 5, 9, 10, -1],
}
PURGE = {"seq": [0, 1, 2, 3, 100], "keep": [0, 1, 2, 100], "filter": ["s.a", "s.*", ">", "t.a", "s..a", ""]}
INFO = {"deleted_details": [True, False], "subjects_filter": ["s.a", "s.*", ">", "s..a", ""], "offset": [0, 1, 5, -1]}
PAGE = {"offset": [0, 1, 2, 100, -1], "subject": ["s.a", "s.>", ">", "t.*", "z", ""]}
# Values of no use for any field, or for most.
NONSENSE = [None, True, 0, 1, -1, 2, 1.5, 1e3, -0.0, 2**31, 2**63, -(2**63), 2**64, 10**30]
NONSENSE += ["", "x", "1", "é\u2028<&>", [], [1], ["s.a"], {}, {"a": 1}]
UNKNOWN = ["nope", "Nope", "max_msgs ", "configs", "a.b", "é", '"', ""]
BROKEN = [b"", b" ", b"\r\n", b"null", b"[]", b"{}", b"1", b'"x"', b"true", b"{", b"}", b"x", b"{}x", b"{} {}"]
BROKEN += [b"[1,", b"\xff", b'{"a":\xff}', b"+1", b"01", b"-"]
STRAY = [b"", b"x", b" ", b",", b"}", b'"', b"\x00", b"\\", b"0", b"\xff", b"\n"]


class Bodies:
    """Makes bodies of a dice."""

    def __init__(self, dice: random.Random):
        self.dice = dice

    def fields(self, table: dict[str, list], most: int, odd: dict[str, list] | None = None, **given) -> dict:
        """Some fields of a table; now and then an odd one, or one with a value, or by a name, that makes no sense."""
        dice = self.dice
        body = dict(given)
        for name in dice.sample(list(table), min(len(table), dice.randint(0, most))):
            body[name] = dice.choice(table[name])
        if odd and dice.random() < 0.2:
            name = dice.choice(list(odd))
            body[name] = dice.choice(odd[name])
        if dice.random() < 0.03:
            body[dice.choice([*table, *given])] = dice.choice(NONSENSE)
        if dice.random() < 0.01:
            body[dice.choice(UNKNOWN)] = dice.choice(NONSENSE)
        if body and dice.random() < 0.01:
            name = dice.choice(list(body))
            body[dice.choice([name.upper(), name.title(), name.replace("_", "")])] = body[name]
        return body

    def text(self, body: dict) -> bytes:
        """As a client writes it; now and then broken."""
        dice = self.dice
        text = json.dumps(body, ensure_ascii=dice.random() < 0.5).encode()
        if dice.random() < 0.985:
            return text
        if dice.random() < 0.5:
            return dice.choice(BROKEN)
        at = dice.randrange(len(text))
        return text[:at] + dice.choice(STRAY) + text[at + 1 :]

    def stream(self, name: str, most: int) -> dict:
        dice = self.dice
        body: dict = {"name": name}
        if name in SUBJECTS:
            subjects = dice.choice(SUBJECTS[name])
            if subjects is not None:
                body["subjects"] = subjects
        elif dice.random() < 0.5:
            body["mirror"] = dice.choice(SOURCES)
        else:
            # Of two, nobody knows whose message comes first.
            body["sources"] = [dice.choice(SOURCES)]
        if dice.random() < 0.5:
            body["storage"] = "memory"
        return self.fields(STREAM, most, STREAM_ODD, **body)

    def consumer(self, stream: str, name: str, most: int = 3) -> dict:
        dice = self.dice
        config: dict = {dice.choice(["durable_name", "name"]): name} if name else {}
        config |= {"ack_policy": "explicit"} if dice.random() < 0.7 else {}
        config |= dice.choice(COHERENT)
        table = CONSUMER | (PUSHED if "deliver_subject" in config else PULLED)
        # What belongs together stays so.
        table = {field: values for field, values in table.items() if field not in config}
        body = {"stream_name": stream, "config": self.fields(table, most, CONSUMER_ODD, **config)}
        if dice.random() < 0.15:
            body["action"] = dice.choice(["", "create", "update", "create", "update", "nope", 1])
        if dice.random() < 0.05:
            body["pedantic"] = dice.random() < 0.8
        return body
