"""Starts and stops the servers under test: config files, certificates, ports."""
import os
import shlex
import signal
import socket
import subprocess
import tempfile
import time

DATA = os.environ.get('LOADGEN_DATA', os.path.join(tempfile.gettempdir(), 'loadgen-data'))
TLS = os.path.join(DATA, 'tls')

# Publisher and subscriber in different accounts; the subjects of the importing account differ from the exporter's,
# so that every message is mapped on its way.
ACCOUNTS = '''
accounts {
  STREAM_OUT { users = [{user: stream_pub, password: bench}], exports = [{stream: "perf.>"}] }
  STREAM_IN  { users = [{user: stream_sub, password: bench}], imports = [{stream: {account: STREAM_OUT, subject: "perf.>"}, prefix: "in"}] }
  SERVICE    { users = [{user: service_sub, password: bench}], exports = [{service: "perf.>"}] }
  CALLER     { users = [{user: service_pub, password: bench}], imports = [{service: {account: SERVICE, subject: "perf.s000"}, to: "svc.s000"}] }
}
'''


def make_certificate():
    """A throw-away self-signed P-256 certificate for the TLS scenarios."""
    os.makedirs(TLS, exist_ok=True)
    if os.path.exists(f'{TLS}/cert.pem'):
        return
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
                    '-days', '30', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1',
                    '-keyout', f'{TLS}/key.pem', '-out', f'{TLS}/cert.pem'], check=True, capture_output=True)


def free_port():
    """A port below the range that outgoing connections of the scenarios use."""
    while True:
        with socket.socket() as s:
            s.bind(('127.0.0.1', 0))
            port = s.getsockname()[1]
        if port < 61000:
            return port


def config(port, kind, store, name='n1', more=''):
    """The configuration file of a server of this kind; every target gets the same."""
    text = f'listen: "127.0.0.1:{port}"\nserver_name: {name}\nmax_payload: 1MB\nmax_connections: 100000\n'
    if 'accounts' in kind:
        text += ACCOUNTS
    if 'tls' in kind:
        text += f'tls {{ cert_file: "{TLS}/cert.pem", key_file: "{TLS}/key.pem", timeout: 10 }}\n'
    if 'js' in kind or 'cluster' in kind:
        # What an acknowledgement promises is part of the scenario: said outright, or each server's own default.
        sync = {'always': ', sync_interval: always', 'default': ''}.get(kind.split()[-1], ', sync_interval: "2m"')
        text += f'jetstream {{ store_dir: "{store}", max_mem: 8GB, max_file: 30GB{sync} }}\n'
    return text + more


def rss_kb(pid):
    with open(f'/proc/{pid}/statm') as f:
        return int(f.read().split()[1]) * 4


class Server:
    """One server process, started as COMMAND -c FILE, on the given cores or on all."""

    def __init__(self, command, config_text, name, cores=None):
        self.name, self.process = name, None
        self.command = (['taskset', '-c', cores] if cores else []) + shlex.split(command)
        self.config = os.path.join(DATA, f'{name}.conf')
        self.log = os.path.join(DATA, f'{name}.log')
        with open(self.config, 'w') as f:
            f.write(config_text)

    def start(self):
        self.started_ns = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        with open(self.log, 'a') as log:
            self.process = subprocess.Popen(self.command + ['-c', self.config], stdout=log, stderr=subprocess.STDOUT)
        self.pid = self.process.pid
        return self

    def wait_port(self, port, patience_s=30):
        end = time.time() + patience_s
        while time.time() < end:
            if self.process.poll() is not None:
                with open(self.log) as f:
                    raise RuntimeError(f'server exited: {f.read()[-500:]}')
            try:
                with socket.create_connection(('127.0.0.1', port), 1) as s:
                    if s.recv(64).startswith(b'INFO'):
                        return
            except OSError:
                pass
            time.sleep(0.02)
        raise RuntimeError('server not ready')

    def stop(self, kill=False):
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def crosses(a, b):
    """Whether a message published on port a reaches a subscriber on port b."""
    hello = b'CONNECT {"verbose":false,"pedantic":false}\r\n'
    with socket.create_connection(('127.0.0.1', b), 2) as sub, socket.create_connection(('127.0.0.1', a), 2) as pub:
        sub.sendall(hello + b'SUB probe 1\r\nPING\r\n')
        pub.sendall(hello)
        sub.settimeout(0.3)
        got = b''
        for _ in range(10):
            pub.sendall(b'PUB probe 2\r\nok\r\n')
            try:
                got += sub.recv(65536)
            except OSError:
                pass
            if b'MSG probe' in got:
                return True
            time.sleep(0.05)
    return False


def disk_use(path):
    """Apparent and allocated bytes below path."""
    apparent = allocated = 0
    for folder, _, files in os.walk(path):
        for name in files:
            try:
                st = os.lstat(os.path.join(folder, name))
            except OSError:
                continue
            apparent += st.st_size
            allocated += st.st_blocks * 512
    return apparent, allocated
