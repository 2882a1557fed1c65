"""Compares two servers over many scripts. A lane is an account of both, so that scripts play at the same time."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from differential.compare import Lane, Report, pair, play_all
from differential.streams.copies import Copies
from differential.streams.generate import Generator
from differential.streams.play import Player
from differential.streams.timed import Timed

# What accounts may do: one lane after the other has the next of these.
ALLOWED = [
    "enabled",
    "enabled",
    "{ max_file: 2KB, max_mem: 2KB, max_streams: 2, max_consumers: 2 }",
    "enabled",
    "{ memory_max_stream_bytes: 1KB, disk_max_stream_bytes: 500, max_ack_pending: 5 }",
    "enabled",
    "{ max_bytes_required: true }",
]
# Messages are not synced one by one: as the reference is configured when nothing is said.
CONFIG = """server_name: js
jetstream { store_dir: "$DIR/store", max_memory_store: 1GB, max_file_store: 1GB, sync_interval: 2m }
accounts {
ACCOUNTS
}
"""
PATIENCE = 0.03
# Of so many scripts, one lets time pass, and one copies streams. They take seconds, so every lane shall have its share of them.
ROUND = 11


def mixed(seed: int, number: int) -> Generator:
    return {0: Timed, 1: Copies}.get(number % ROUND, Generator)(seed, number)


def compare_streams(
    left: Path,
    right: Path,
    directory: Path,
    *,
    count: int,
    seed: int,
    lanes: int = 8,
    limit: int = 20,
    first: int = 0,
    generator=mixed,
) -> Report:
    """Plays scripts `first` to `first + count` of a seed; stops early after `limit` differences."""
    allowed = [ALLOWED[lane % len(ALLOWED)] for lane in range(lanes)]
    user = "users: [ {{ user: u{0}, password: p }} ]"
    accounts = "\n".join(f"A{n} {{ jetstream: {what}, {user.format(n)} }}" for n, what in enumerate(allowed))
    with ExitStack() as stack:
        servers = pair(stack, left, right, directory / "streams", CONFIG.replace("ACCOUNTS", accounts))
        plays = []
        for lane, what in enumerate(allowed):
            players = (Player(server.client_port, f"u{lane}") for server in servers)
            plays.append(Lane(*players, generator, f"jetstream: {what}\n", PATIENCE))
        return play_all(plays, range(first, first + count), seed, limit)
