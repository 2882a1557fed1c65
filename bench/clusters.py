"""Scenarios of several servers: how they are connected, when they work together, and who restarts the one that is killed.

Nodes are called a, b and c; a scenario's arguments name their addresses ({a}) and process ids ({a_pid}). A spoiled
scenario has a proxy of faulty.py on every connection between the nodes.
"""
import subprocess
import threading
import time

from faulty import Link
from generator import LOADGEN, loadgen, result, scaled
from servers import Server, config, crosses, free_port

# Kind of scenario → number of nodes.
NODES = {'route': 2, 'leaf': 2, 'gateway': 2, 'kill': 3, 'cluster': 3}
# A server may not have these yet: then the scenario is skipped, not failed.
OPTIONAL = ('leaf', 'gateway')
REFUSAL = 1  # the exit status; after a crash it is another one


class Refused(Exception):
    """The server does not take the configuration."""


def connections(kind, links, dial):
    """What each node's configuration says about the others, which listen on `links` for it and are dialled at dial(port)."""
    if kind == 'leaf':  # b is a leaf of a; left alone they would compress whenever a busy machine makes the hop look long
        return [f'leafnodes {{ listen: "127.0.0.1:{links[0]}", compression: off }}\n',
                f'leafnodes {{ remotes: [{{ url: "nats-leaf://127.0.0.1:{dial(links[0])}", compression: off }}] }}\n']
    texts = []
    for own in links:
        others = [p for p in links if p != own]
        if kind == 'gateway':
            remotes = ', '.join(f'{{ name: G{links.index(p)}, url: "nats://127.0.0.1:{dial(p)}" }}' for p in others)
            texts.append(f'gateway {{ name: G{links.index(own)}, listen: "127.0.0.1:{own}", gateways: [{remotes}] }}\n')
            continue
        routes = ', '.join(f'"nats://127.0.0.1:{dial(p)}"' for p in others)
        compression = f', compression: {kind.split()[1]}' if ' ' in kind else ''
        texts.append(f'cluster {{ name: C1, listen: "127.0.0.1:{own}", routes: [{routes}]{compression} }}\n')
    return texts


class Nodes:
    """The servers of one run; ready when a message crosses every pair, or when the meta group answers."""

    def __init__(self, scenario, command, tag, store):
        self.kind, self.command = scenario.kind, command
        count = NODES[scenario.kind.split()[0]]
        self.ports, links = [free_port() for _ in range(count)], [free_port() for _ in range(count)]
        dial = (lambda port: Link(*scenario.spoil, port).port) if scenario.spoil else (lambda port: port)
        self.servers = [Server(command, config(self.ports[i], scenario.kind, f'{store}/n{i+1}', f'n{i+1}', text), f'{tag}-n{i+1}')
                        for i, text in enumerate(connections(scenario.kind, links, dial))]

    def start(self):
        """Node by node, so that nobody waits for a neighbour's next attempt to connect."""
        for i, server in enumerate(self.servers):
            server.start()
            try:
                server.wait_port(self.ports[i])
            except RuntimeError as e:
                if self.kind in OPTIONAL and server.process.poll() == REFUSAL:
                    raise Refused(str(e).strip().splitlines()[-1][:300]) from e
                raise
            if self.kind != 'cluster':
                self.await_crossing(self.ports[:i + 1])
        if self.kind == 'cluster':
            self.await_meta_group()

    def await_crossing(self, ports):
        end = time.time() + 40
        pairs = [(a, b) for a in ports for b in ports if a != b]
        while not all(crosses(a, b) for a, b in pairs):
            if time.time() > end:
                raise RuntimeError('cluster not ready: messages do not cross every pair of nodes')

    def await_meta_group(self):
        last, end = None, time.time() + 40
        while time.time() < end:
            last = loadgen(['js-pub', f'addr=127.0.0.1:{self.ports[0]}', 'stream=WARM', 'storage=memory', 'replicas=3',
                            'msgs=10', 'timeout-ms=1000'])
            if last.get('ok'):
                return
            time.sleep(0.3)
        raise RuntimeError(f'cluster not ready: {last}')

    def restart(self, i):
        self.servers[i].process.wait(10)
        self.servers[i].start()
        self.servers[i].wait_port(self.ports[i])
        self.await_crossing(self.ports)

    def arguments(self, args, scale):
        names = {'all_pids': ','.join(str(s.pid) for s in self.servers),
                 'nodes': ','.join(f'n{i+1}=127.0.0.1:{p}' for i, p in enumerate(self.ports)),
                 'node_pids': ','.join(f'n{i+1}={s.pid}' for i, s in enumerate(self.servers))}
        for name, port, server in zip('abc', self.ports, self.servers):
            names.update({name: f'127.0.0.1:{port}', f'{name}_pid': server.pid})
        return [a.format(**names) for a in scaled(args, scale) + ['pid={all_pids}']]

    def stop(self):
        for server in self.servers:
            server.stop(kill=True)


def run(scenario, command, scale, tag, store):
    nodes = Nodes(scenario, command, tag, store)
    try:
        nodes.start()
        args = nodes.arguments(scenario.args, scale)
        answer = killing(nodes, args) if scenario.kind == 'kill' else loadgen(args)
        dead = [s.name for i, s in enumerate(nodes.servers) if s.process.poll() is not None and not (scenario.kind == 'kill' and i == 2)]
        if answer.get('ok') and dead and args[0] != 'failover':
            return {'ok': False, 'error': f'server died: {", ".join(dead)}'}
        return answer
    except Refused as e:
        return {'ok': False, 'skipped': f'the server refuses the configuration: {e}'}
    finally:
        nodes.stop()


def killing(nodes, args, timeout_s=300):
    """Runs the generator, which kills node c whenever its clients' traffic flows, and starts the node again when asked."""
    last = ''
    with subprocess.Popen([LOADGEN] + args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        late = threading.Timer(timeout_s, process.kill)
        late.start()
        try:
            for line in process.stdout:
                last = line.strip()
                if last == 'restart':
                    nodes.restart(2)
                    process.stdin.write(f'{nodes.servers[2].pid}\n')
                    process.stdin.flush()
        finally:
            late.cancel()
            process.kill()
    return result(last, f'the generator ended with {process.returncode}')
