#!/usr/bin/env python3
"""A broken server for selfcheck.py: a real one behind a proxy that spoils some of the messages it delivers.

  faulty.py FAULT EVERY SERVER... -c FILE

FAULT is none, drop, double, swap or flip; one delivered message in EVERY is spoiled, counted per connection. The server
is started with FILE's configuration on another port; this program listens in its place.
"""
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
            if head[:4] in (b'MSG ', b'HMSG'):
                size = int(head.rsplit(b' ', 1)[1])
                stop = end + 2 + size + 2
                if len(self.buffer) < stop:
                    break
                out += self.message(self.buffer[at:end + 2], self.buffer[end + 2:stop - 2])
            else:
                stop = end + 2
                out.append(self.release() + self.buffer[at:stop])
            at = stop
        self.buffer = self.buffer[at:]
        return b''.join(out)

    def message(self, head, body):
        self.seen += 1
        whole = head + body + b'\r\n'
        if self.held is not None:
            return [whole, self.release()]
        if self.seen % self.every or self.fault == 'none':
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


def main():
    fault, every, command, path = sys.argv[1], int(sys.argv[2]), sys.argv[3:-2], sys.argv[-1]
    with open(path) as f:
        text = f.read()
    port = int(re.search(r'listen: "127.0.0.1:(\d+)"', text).group(1))
    behind = free_port()
    with open(path + '.behind', 'w') as f:
        f.write(text.replace(f':{port}"', f':{behind}"', 1))
    server = subprocess.Popen(command + ['-c', path + '.behind'])

    def end(*_):
        server.kill()
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    connect(behind).close()
    listener = socket.create_server(('127.0.0.1', port), backlog=512)
    for number in itertools.count():
        client, _ = listener.accept()
        upstream = connect(behind)
        for s in (client, upstream):
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=pump, args=(client, upstream, None), daemon=True).start()
        threading.Thread(target=pump, args=(upstream, client, Spoiler(fault, every, number)), daemon=True).start()


if __name__ == '__main__':
    main()
