"""The scenarios: what each suite measures, on which kind of server, with which load.

A number as Scaled(n) shrinks and grows with --scale.
"""
from dataclasses import dataclass


@dataclass(frozen=True)
class Scaled:
    key: str
    value: int


@dataclass(frozen=True)
class Scenario:
    suite: str
    name: str
    kind: str  # of server: core, tls, accounts, js [always|default], recover, crash, or one of clusters.NODES
    args: tuple  # loadgen's, or the parameters of recover and crash
    cores: str | None = None  # pins the server
    spoil: tuple | None = None  # for selfcheck.py: the fault and how often, on the connections between nodes


def msgs(n):
    return Scaled('msgs', n)


def core():
    def add(name, kind, *args, cores=None):
        found.append(Scenario('core', name, kind, args, cores))
    found = []
    for size, n in ((16, 12_000_000), (128, 8_000_000), (1024, 2_500_000), (65536, 60_000)):
        add(f'pub 1x {size}B', 'core', 'pubsub', 'subs=0', f'size={size}', msgs(n))
    for size, n in ((16, 3_000_000), (128, 2_000_000), (1024, 600_000), (65536, 15_000)):
        add(f'pub 4x {size}B', 'core', 'pubsub', 'pubs=4', 'subs=0', f'size={size}', msgs(n))
    for size, n in ((16, 4_000_000), (128, 4_000_000), (1024, 1_200_000), (65536, 30_000)):
        add(f'1->1 {size}B', 'core', 'pubsub', f'size={size}', msgs(n))
    add('1->1 128B, 20k SUB+UNSUB/s', 'core', 'pubsub', 'churn=20000', msgs(3_000_000))
    add('1->10 fan-out 128B', 'core', 'pubsub', 'subs=10', msgs(800_000))
    add('1->1000 fan-out 128B', 'core', 'pubsub', 'subs=1000', msgs(5_000))
    add('4->4 separate 128B', 'core', 'pubsub', 'pubs=4', 'subs=4', 'mode=sep', msgs(1_000_000))
    add('queue 1->8 128B', 'core', 'pubsub', 'subs=8', 'mode=queue', msgs(2_500_000))
    add('headers 1->1 128B', 'core', 'pubsub', 'hdr=X-Trace: abcdef0123456789', msgs(3_000_000))
    add('service import 128B', 'accounts', 'pubsub', 'pub-user=service_pub', 'sub-user=service_sub',
        'pub-subject=svc.s000', 'added-hdr=Nats-Request-Info: {"acc":"CALLER"', msgs(2_000_000))
    add('stream import 128B', 'accounts', 'pubsub', 'pub-user=stream_pub', 'sub-user=stream_sub',
        'sub-subject=in.perf.s000', msgs(2_000_000))
    add('wildcards 100k subs', 'core', 'wild', 'subjects=100000', msgs(600_000))
    add('tls 1->1 128B', 'tls', 'pubsub', 'tls=1', msgs(2_000_000))
    add('tls 1->1 1KiB', 'tls', 'pubsub', 'tls=1', 'size=1024', msgs(500_000))
    add('req-reply 1 in flight', 'core', 'reqrep', 'inflight=1', msgs(25_000))
    add('req-reply 64 in flight', 'core', 'reqrep', 'inflight=64', msgs(500_000))
    add('rate 100k/s 1->1 128B', 'core', 'rate', 'rate=100000', 'secs=3')
    add('rate 10k/s 1->10 128B', 'core', 'rate', 'rate=10000', 'subs=10', 'secs=3')
    return found


def cores():
    """How throughput grows with the server's cores, and whether hot publishers share them fairly."""
    found = []
    for pinned, count in (('0', '1 core'), ('0,1', '2 cores')):
        found.append(Scenario('cores', f'1->1 128B, {count}', 'core', ('pubsub', msgs(3_000_000)), pinned))
        found.append(Scenario('cores', f'4->4 separate 128B, {count}', 'core',
                              ('pubsub', 'pubs=4', 'subs=4', 'mode=sep', msgs(800_000)), pinned))
    found.append(Scenario('cores', '8 hot publishers, 100 idle, probe 1k/s', 'core', ('fair', 'pubs=8', Scaled('ms', 4_000))))
    return found


def scale():
    def add(name, kind, *args):
        found.append(Scenario('scale', name, kind, args))
    found = []
    add('idle 1k conns', 'core', 'idle', 'conns=1000')
    add('idle 10k conns', 'core', 'idle', 'conns=10000')
    add('idle 1k TLS conns', 'tls', 'idle', 'conns=1000', 'tls=1')
    add('1M subs on 10 conns', 'core', 'msubs', 'subs=1000000')
    add('connect storm', 'core', 'storm', Scaled('conns', 20_000))
    add('connect storm TLS', 'tls', 'storm', Scaled('conns', 4_000), 'tls=1')
    return found


def jetstream():
    def add(name, *args):
        found.append(Scenario('js', name, 'js', args))
    found = []
    for st in ('file', 'memory'):
        storage = f'storage={st}'
        add(f'js {st} sync pub 128B', 'js-pub', storage, 'inflight=1', msgs(20_000))
        for window in (256, 1024, 4096):
            add(f'js {st} async {window} 128B', 'js-pub', storage, f'inflight={window}', msgs(400_000))
        add(f'js {st} async 1024 1KiB', 'js-pub', storage, 'inflight=1024', 'size=1024', msgs(300_000))
        add(f'js {st} async 1024 128B dedup', 'js-pub', storage, 'inflight=1024', 'dedup=1', msgs(300_000))
        add(f'js {st} async 1024 128B 10k subjects', 'js-pub', storage, 'inflight=1024', 'subjects=10000', msgs(300_000))
        add(f'js {st} 16 pubs x1 sync 128B', 'js-mpub', storage, 'pubs=16', msgs(8_000))
        add(f'js {st} pull 500 acks 128B', 'js-consume', storage, 'mode=pull', msgs(300_000))
        add(f'js {st} ordered push 128B', 'js-consume', storage, 'mode=push', msgs(600_000))
        add(f'kv {st} put 1', 'kv', storage, 'op=put', 'inflight=1', msgs(15_000))
        add(f'kv {st} put 64', 'kv', storage, 'op=put', 'inflight=64', msgs(150_000))
        add(f'kv {st} get 1', 'kv', storage, 'op=get', 'inflight=1', msgs(15_000))
        add(f'kv {st} get 64', 'kv', storage, 'op=get', 'inflight=64', msgs(200_000))
    return found


def jetstream_sync():
    def add(name, *args):
        found.append(Scenario('jsalways', name, 'js always', args))
    found = []
    add('js always sync pub 128B', 'js-pub', 'inflight=1', msgs(1_500))
    add('js always 16 pubs x1 128B', 'js-mpub', 'pubs=16', msgs(200))
    add('js always async 256 128B', 'js-pub', 'inflight=256', msgs(4_000))
    add('js always async 4096 128B', 'js-pub', 'inflight=4096', msgs(6_000))
    add('js always async 1024 1KiB', 'js-pub', 'inflight=1024', 'size=1024', msgs(4_000))
    found.append(Scenario('jsdefault', 'js own default sync, async 4096 128B', 'js default',
                          ('js-pub', 'inflight=4096', msgs(400_000))))
    add('js always 1000 streams x1 128B', 'js-streams', 'streams=1000', msgs(30))
    return found


def many():
    """As many at every scale: the goals are about these numbers."""
    def add(name, *args):
        found.append(Scenario('jsmany', name, 'js', args))
    found = []
    add('js 10k idle consumers', 'js-consumers', 'consumers=10000')
    add('js 1 of 100k subjects in 5M messages', 'js-filter', 'subjects=100000', 'msgs=5000000')
    return found


def recovery():
    found = []
    for subjects, label in ((1, '1 subject'), (100_000, '100k subjects')):
        for how in ('TERM', 'KILL'):
            found.append(Scenario('recovery', f'recover 1M x128B {label} {how}', 'recover', (1_000_000, subjects, how)))
    for how in ('TERM', 'KILL'):
        found.append(Scenario('recovery', f'recover 1M keys x128B, history 1, {how}', 'recover', (1_000_000, 1_000_000, how, 1)))
    found.append(Scenario('recovery', 'crash: kill -9 while publishing, acked kept', 'crash', (200_000, 'js')))
    found.append(Scenario('recovery', 'crash with sync always', 'crash', (2_000, 'js always')))
    return found


def links():
    """Routes, leaf nodes and gateways: nodes a and b, messages published at one and received at the other."""
    def add(name, kind, *args):
        found.append(Scenario('links', name, kind, args))
    found = []
    for name, kind, ends, more in (('route A->B 128B', 'route', 'ab', ()),
                                   ('route A->B 128B JSON s2_fast', 'route s2_fast', 'ab', ('body=json',)),
                                   ('leaf->hub 128B', 'leaf', 'ba', ()), ('hub->leaf 128B', 'leaf', 'ab', ()),
                                   ('gateway A->B 128B', 'gateway', 'ab', ())):
        add(name, kind, 'pubsub', f'addr={{{ends[0]}}}', f'sub-addr={{{ends[1]}}}', *more, msgs(3_000_000))
    add('req-reply across a route 1 in flight', 'route', 'reqrep', 'addr={a}', 'sub-addr={b}', 'inflight=1', msgs(25_000))
    # as many and as often at every scale: the goals are about these numbers
    add('100k subscriptions A->B', 'route', 'propagate', 'addr={a}', 'far-addr={b}', 'far-pid={b_pid}', 'subs=100000')
    add('node killed 10 times under traffic', 'kill', 'kill', 'addr={c}', 'others={a},{b}', 'victim={c_pid}', 'kills=10')
    return found


def clusters():
    """Replicated streams on three nodes."""
    def add(name, *args):
        found.append(Scenario('cluster', name, 'cluster', (*args, 'addr={a}', 'nodes={nodes}')))
    found = []
    for st in ('file', 'memory'):
        base = ('js-pub', f'storage={st}', 'replicas=3')
        add(f'R3 {st} sync pub at leader', *base, 'inflight=1', 'at=leader', msgs(5_000))
        add(f'R3 {st} async 1024 at leader', *base, 'inflight=1024', 'at=leader', msgs(150_000))
    add('R3 file sync pub at follower', 'js-pub', 'replicas=3', 'inflight=1', 'at=follower', msgs(5_000))
    add('R3 file async 1024 at follower', 'js-pub', 'replicas=3', 'inflight=1024', 'at=follower', msgs(150_000))
    add('R3 failover kill -9 leader', 'failover', 'replicas=3', 'node-pids={node_pids}')
    return found


ALL = core() + cores() + scale() + links() + jetstream() + jetstream_sync() + many() + recovery() + clusters()
