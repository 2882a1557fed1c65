"""Two network namespaces with a wire between them that can be cut: without anybody being told, in one direction, or pulled out.

Needs root and `ip`; `Namespaces.missing()` says what is not there.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from dataclasses import dataclass

from harness.server import Server
from harness.topology import free_port

numbers = itertools.count()


def ip(*args: str, check: bool = True) -> subprocess.CompletedProcess:
    return subprocess.run(["ip", *args], check=check, capture_output=True, text=True)


class Namespaces:
    """Use as a context manager. A side is reached from outside at `outside[n]`, from the other at `between[n]`."""

    def __init__(self) -> None:
        # Names and addresses of this run of this worker alone.
        tag = f"{os.getpid() % 100_000}x{next(numbers)}"
        self.names = [f"mt{tag}a", f"mt{tag}b"]
        self.wires = [f"m{tag}{side}" for side in "ab"]
        block = 16 * (os.getpid() % 4096)
        self.outside = [f"10.213.{block // 256}.{block % 256 + 2}", f"10.213.{block // 256}.{block % 256 + 6}"]
        self.between = [f"10.214.{block // 256}.{block % 256 + 1}", f"10.214.{block // 256}.{block % 256 + 2}"]

    @staticmethod
    def missing() -> str:
        """Why there can be no namespaces, or nothing."""
        if os.geteuid() != 0:
            return "network namespaces need root"
        if shutil.which("ip") is None:
            return "there is no ip"
        name = f"mt{os.getpid()}probe"
        made = ip("netns", "add", name, check=False)
        if made.returncode != 0:
            return f"no network namespaces here: {made.stderr.strip()}"
        tried = ip("-n", name, "link", "add", "name", "one", "type", "veth", "peer", "name", "two", check=False)
        ip("netns", "del", name, check=False)
        return "" if tried.returncode == 0 else f"no virtual wires here: {tried.stderr.strip()}"

    def __enter__(self) -> Namespaces:
        try:
            for name, wire, outside in zip(self.names, self.wires, self.outside, strict=True):
                ip("netns", "add", name)
                ip("-n", name, "link", "set", "lo", "up")
                ip("link", "add", "name", wire, "type", "veth", "peer", "name", "out", "netns", name)
                head, _, last = outside.rpartition(".")
                ip("addr", "add", f"{head}.{int(last) - 1}/30", "dev", wire)
                ip("link", "set", wire, "up")
                ip("-n", name, "addr", "add", f"{outside}/30", "dev", "out")
                ip("-n", name, "link", "set", "out", "up")
            first, second = self.names
            ip("-n", first, "link", "add", "name", "across", "type", "veth", "peer", "name", "across", "netns", second)
            for name, address in zip(self.names, self.between, strict=True):
                ip("-n", name, "addr", "add", f"{address}/30", "dev", "across")
                ip("-n", name, "link", "set", "across", "up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        for name, wire in zip(self.names, self.wires, strict=True):
            ip("link", "del", wire, check=False)
            ip("netns", "del", name, check=False)

    def others(self) -> list[tuple[str, str]]:
        """Each namespace with the address of the other side."""
        return list(zip(self.names, reversed(self.between), strict=True))

    def part(self, *sides: int) -> None:
        """From now on nothing that these sides send arrives, or nothing of both sides, and nothing says so."""
        for side in sides or (0, 1):
            name, other = self.others()[side]
            nobody = ("lladdr", "02:00:00:00:00:99", "dev", "across", "nud", "permanent")
            ip("-n", name, "neigh", "replace", other, *nobody)

    def swallow(self) -> None:
        """What the second side sends is thrown away by its own routing table."""
        name, other = self.others()[1]
        ip("-n", name, "route", "add", "blackhole", f"{other}/32")

    def unplug(self) -> None:
        """The wire is pulled out: both sides are told by their kernels, and new connections fail."""
        ip("-n", self.names[0], "link", "set", "across", "down")

    def join(self) -> None:
        """Everything passes again."""
        ip("-n", self.names[0], "link", "set", "across", "up")
        for name, other in self.others():
            ip("-n", name, "neigh", "del", other, "dev", "across", check=False)
            ip("-n", name, "route", "del", "blackhole", f"{other}/32", check=False)


@dataclass
class ServerInside(Server):
    """A server in a namespace, reached from outside."""

    outside: str = ""

    @property
    def address(self) -> tuple[str, int]:
        return (self.outside, self.client_port)


def inside(namespaces: Namespaces, side: int, binary, directory, config: str) -> ServerInside:
    """A server of one side, not started; its monitoring port is given, as it listens on one address."""
    outside = namespaces.outside[side]
    listen = f'listen: "{outside}:{free_port()}"\nhttp: "{outside}:{free_port()}"\n'
    prefix = ["ip", "netns", "exec", namespaces.names[side]]
    return ServerInside(binary, directory, config + listen, host=None, port=-1, prefix=prefix, outside=outside)
