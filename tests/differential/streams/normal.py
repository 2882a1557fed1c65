"""Frees what a server said of what may rightly differ between two servers or two runs."""

from __future__ import annotations

import re
from base64 import b64decode

# A time that a server took; the ones that scripts give are whole seconds.
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}Z")
MASKS = [
    (TIME, "<time>"),
    (re.compile(r"(\$JS\.ACK(?:\.[^.\s]+){5}\.)\d{19}(?=\.)"), r"\1<time>"),
    (re.compile(r"(\$JS\.FC\.[^.\s]+\.[^.\s]+\.)\w{4}\b"), r"\1<id>"),
    (re.compile(r"(\$JS\.SNAPSHOT\.RESTORE\.[^.\s]+\.)\w{22}"), r"\1<id>"),
    # How large an archive is.
    (re.compile(r'("end":"<time>","bytes":)\d+'), r"\1<number>"),
    (re.compile(r'("(?:id|xkey)":)"[A-Za-z0-9]{22}"'), r'\1"<id>"'),
    (re.compile(r'((?:pause_remaining|active|ack_time|rtt)\\?":)\d+'), r"\1<duration>"),
    (re.compile(r'(_nats\.ver\\?":\\?")[^"\\]+'), r"\1<version>"),
    (re.compile(r"(Nats-Stream-Identity: |Nats-Stream-Source: [^ ]+ \d+ [^ ]+ [^ ]+ [^ ]+ )\w{8}"), r"\1<identity>"),
    (re.compile(r'("(?:id|seq)":)\d+(?=,"(?:acc|user|account|jetstream)")'), r'\1"<number>"'),
    (re.compile(r"\b[A-Z0-9]{56}\b"), "<server>"),
]
# A stored message's headers, in an answer and in the event that tells of it.
HEADERS = re.compile(r'(?<=hdrs)\\?":\\?"([A-Za-z0-9+/=]+)')
# Streams that copy others ask for consumers in their own time, and again when that fails (JS-115).
COPYING = [
    (re.compile(r"JS_(?:MIRROR|SRC)_[\w-]+"), "<copier>"),
    (re.compile(r"(\$JS\.[MS]\.)\w{8}"), r"\1<copier>"),
    (re.compile(r'(?:seq\\?":\d+,\\?")?(active\\?":)(?:-1|<duration>)(?:,\\?"error\\?":\{[^}]*\})?'), r"\1<duration>"),
    (re.compile(r'((?:consumers|consumer_count)\\?":)\d+'), r"\1<number>"),
    (re.compile(r'(total|errors)(\\?":)-?\d+'), r"\1\2<number>"),
]
# JS-090: a consumer of the reference that begins behind the last message counts those before it as pending for ever.
AHEAD = [
    (re.compile(r'(num_pending\\?":)\d+'), r"\1<number>"),
    (re.compile(r"(\$JS\.ACK(?:\.[^.\s]+){5}\.<time>\.)\d+"), r"\1<number>"),
    (re.compile(r"(Nats-Pending-Messages: )\d+"), r"\1<number>"),
]
HEARTBEAT = "NATS/1.0 100 Idle Heartbeat"
COPIER = re.compile(r"^\$JS\.EVENT\..*JS_(?:MIRROR|SRC)_")
# Consumers are listed by names, which may be made up; sources are told of in no order.
CONSUMERS = re.compile(r'(?<="consumers":\[).*(?=\])')
SOURCES = re.compile(r'(?<="sources":\[)\{"name":"[^"]*",(?:"external":\{[^}]*\},)?"lag".*?(?=\],"(?:ts|alternates)")')
# In an answer, and in the event that tells of it.
# Differences that are meant, each by its row in docs/compat-notes.txt.
MEANT = [
    # JS-061: a stream that never held a message begins at 0, and has no deleted ones.
    (re.compile(r'(first_seq\\?":)[01](,\\?"first_ts\\?":\\?"0001-[^,]*,\\?"last_seq\\?":0,)'), r"\1<first>\2"),
    (re.compile(r'(\\?"num_deleted\\?":1,\\?"deleted\\?":\[0\],)'), ""),
]
# JS-101: Martlet hears the acks of all consumers of a stream in one place, also of those that are gone or want none.
UNHEARD = re.compile(r"503\\r\\nNats-Subject: \$JS\.ACK\.")
TOTALS = re.compile(r'(api\\?":\{\\?"level\\?":\d+,\\?"total\\?":)(\d+)(,\\?"errors\\?":)(\d+)')
# Where names that a server made up are first heard of.
MADE = [
    ("name", re.compile(r'consumer_create_response","stream_name":"[^"]*","name":"([A-Za-z0-9]{8})"')),
    ("pin", re.compile(r"Nats-Pin-Id: ([A-Za-z0-9]{22})")),
]


class Aliases:
    """What the server made up, by names that do not differ; and what it had counted before the script began."""

    def __init__(self, *, is_copying: bool, begins_ahead: bool) -> None:
        self.is_copying, self.begins_ahead = is_copying, begins_ahead
        self.real: dict[str, str] = {}
        self.totals: tuple[int, int] | None = None

    def learn(self, text: str) -> None:
        for kind, pattern in MADE:
            for real in pattern.findall(text):
                if real not in self.real.values():
                    self.real[f"<{kind}-{sum(name.startswith('<' + kind) for name in self.real) + 1}>"] = real

    def to_real(self, text: str) -> str:
        for alias, real in self.real.items():
            text = text.replace(alias, real)
        return text

    def normal(self, text: str) -> str | None:
        """The text as any right server would have it; `None` if another need not have it at all."""
        if (self.is_copying and COPIER.search(text)) or UNHEARD.search(text):
            return None
        text = HEADERS.sub(lambda block: b64decode(block[1]).decode(errors="backslashreplace"), text)
        for alias, real in self.real.items():
            text = text.replace(real, alias)
        for pattern, mask in MASKS + MEANT:
            text = pattern.sub(mask, text)
        text = TOTALS.sub(self.since, text)
        for pattern, mask in COPYING * self.is_copying + AHEAD * self.begins_ahead:
            text = pattern.sub(mask, text)
        if "<name-" in text:
            text = CONSUMERS.sub(lambda consumers: "".join(sorted(consumers[0])), text.replace('\\"', '"'))
        if self.is_copying:
            text = SOURCES.sub(lambda sources: "".join(sorted(sources[0])), text.replace('\\"', '"'))
        return text

    def since(self, match: re.Match) -> str:
        total, errors = int(match[2]), int(match[4])
        if self.totals is None:
            self.totals = total, errors
        return f"{match[1]}{total - self.totals[0]}{match[3]}{errors - self.totals[1]}"


def normal_events(lines: list[str]) -> list[str]:
    """Events in an order of their own. JS-139: of a pause, the reference tells again when nothing about it has changed."""
    pauses = {line for line in lines if ".CONSUMER.PAUSE." in line}
    return sorted([*pauses, *(line for line in lines if line not in pauses)])
