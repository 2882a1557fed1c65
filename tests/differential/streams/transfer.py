"""A stream is backed up, deleted, and restored from its backup, as a client does it.

Invariant: archives are not compared, only what is made of them: each server gets its own back.
"""

from __future__ import annotations

import json

from differential.streams.script import API, Send, Transfer

PATIENCE = 10.0
BACKUP = "_BACKUP"


async def transfer(session, label: str, what: Transfer) -> None:
    """Plays it in a session. Answers count as those of any step; the archive does not."""

    async def ask(name: str, subject: str, body: bytes = b"") -> dict:
        answers = await session.send(f"{label}.{name}", Send(subject, body))
        return json.loads(answers[0].body) if answers and answers[0].body else {}

    session.link.transport.write(f"SUB {BACKUP} {BACKUP}\r\n".encode())
    options = {"deliver_subject": BACKUP, "no_consumers": not what.has_consumers}
    backup = await ask("backup", f"{API}STREAM.SNAPSHOT.{what.stream}", json.dumps(options).encode())
    archive = await receive(session.link) if "config" in backup else []
    session.link.transport.write(f"UNSUB {BACKUP}\r\n".encode())
    if not archive:
        return
    await ask("delete", f"{API}STREAM.DELETE.{what.stream}")
    described = {"config": backup["config"], "state": backup["state"]}
    body = json.dumps(described, separators=(",", ":")).encode()
    target = (await ask("restore", f"{API}STREAM.RESTORE.{what.stream}", body)).get("deliver_subject")
    if target:
        for chunk in archive:
            await ask("chunk", target, chunk)
        await ask("end", target)


async def receive(link) -> list[bytes]:
    """All pieces of an archive; none if it does not come to its end."""
    archive: list[bytes] = []
    while await link.until(lambda: link.pieces, PATIENCE):
        reply, piece = link.pieces.pop(0)
        if not piece:
            return archive
        archive.append(piece)
        if reply:
            link.transport.write(f"PUB {reply} 0\r\n\r\n".encode())
    return []
