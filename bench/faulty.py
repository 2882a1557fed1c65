#!/usr/bin/env python3
"""A broken server for selfcheck.py: a real one behind a proxy that spoils some of the messages it delivers.

  faulty.py FAULT EVERY SERVER... -c FILE

FAULT is none, drop, double, swap, flip or forget; one delivered message in EVERY is spoiled, counted per connection, and
with forget one subscription that a server tells another. The server is started with FILE's configuration on another
port; this program listens in its place. As a module it offers Link, the same for connections between servers.
"""
import ctypes
import itertools
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

from servers import free_port


class Spoiler:
    """Parses what a server sends and passes it on, spoiled."""

    def __init__(self, fault, every, number):
        # Connections start out of step: a request and its reply spoiled in the same way could mend each other.
        self.fault, self.every, self.seen, self.held = fault, every, number * 101 % every, None
        self.buffer = b''

    def feed(self, data):
        """The bytes to pass on for these bytes from the server."""
        self.buffer += data
        out, at = [], 0
        while (end := self.buffer.find(b'\r\n', at)) >= 0:
            head = self.buffer[at:end]
            if head[:5].split(b' ')[0] in (b'MSG', b'HMSG', b'RMSG', b'LMSG'):
                size = int(head.rsplit(b' ', 1)[1])
                stop = end + 2 + size + 2
                if len(self.buffer) < stop:
                    break
                out += self.message(self.buffer[at:end + 2], self.buffer[end + 2:stop - 2])
            else:
                stop = end + 2
                if not (head.startswith((b'RS+ ', b'LS+ ')) and self.fault == 'forget' and self.counts()):
                    out.append(self.release() + self.buffer[at:stop])
            at = stop
        self.buffer = self.buffer[at:]
        return b''.join(out)

    def counts(self):
        """Whether this is one of those to spoil."""
        self.seen += 1
        return self.seen % self.every == 0

    def message(self, head, body):
        chosen = self.fault != 'forget' and self.counts()
        whole = head + body + b'\r\n'
        if self.held is not None:
            return [whole, self.release()]
        if not chosen or self.fault == 'none':
            return [whole]
        if self.fault == 'drop':
            return []
        if self.fault == 'double':
            return [whole, whole]
        if self.fault == 'swap':
            self.held = whole
            return []
        last = len(body) - 3
        return [head + body[:last] + bytes([body[last] ^ 1]) + body[last + 1:] + b'\r\n']

    def release(self):
        held, self.held = self.held or b'', None
        return held


def pump(source, sink, spoiler):
    try:
        while data := source.recv(262144):
            sink.sendall(spoiler.feed(data) if spoiler else data)
    except OSError:
        pass
    for s in (source, sink):
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def connect(port):
    for _ in range(500):
        try:
            return socket.create_connection(('127.0.0.1', port))
        except OSError:
            time.sleep(0.02)
    raise SystemExit('the server behind the proxy does not answer')


def join(client, port, spoil, spoil_sent=None):
    """Connects a client that has come in with the port it wanted, spoiling what it gets (and sends)."""
    try:
        upstream = connect(port)
    except SystemExit:
        client.close()
        return
    for s in (client, upstream):
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    threading.Thread(target=pump, args=(client, upstream, spoil_sent), daemon=True).start()
    threading.Thread(target=pump, args=(upstream, client, spoil), daemon=True).start()


class Link:
    """Listens on `port` for the server behind `behind` and spoils what passes, in both directions."""

    def __init__(self, fault, every, behind):
        self.fault, self.every, self.behind = fault, every, behind
        self.listener = socket.create_server(('127.0.0.1', 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        for number in itertools.count(step=2):
            client, _ = self.listener.accept()
            spoilers = [Spoiler(self.fault, self.every, number + i) for i in range(2)]
            threading.Thread(target=join, args=(client, self.behind, *spoilers), daemon=True).start()


def die_together():
    """In the child: when this program is killed, the server ends, too."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def main():
    fault, every, command, path = sys.argv[1], int(sys.argv[2]), sys.argv[3:-2], sys.argv[-1]
    with open(path) as f:
        text = f.read()
    port = int(re.search(r'listen: "127.0.0.1:(\d+)"', text).group(1))
    behind = free_port()
    with open(path + '.behind', 'w') as f:
        f.write(text.replace(f':{port}"', f':{behind}"', 1))
    server = subprocess.Popen(command + ['-c', path + '.behind'], preexec_fn=die_together)

    def end(*_):
        server.kill()
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    connect(behind).close()
    listener = socket.create_server(('127.0.0.1', port), backlog=512)
    for number in itertools.count():
        client, _ = listener.accept()
        join(client, behind, Spoiler(fault, every, number))


if __name__ == '__main__':
    main()
