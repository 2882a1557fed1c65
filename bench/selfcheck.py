#!/usr/bin/env python3
"""Shows that a broken server fails the benchmark instead of looking fast.

  selfcheck.py SERVER [REGEX]      (a NATS-compatible server's command; which scenarios, otherwise all)

Runs scenarios of every kind of load against SERVER behind faulty.py: unspoiled they must pass; with one message in N
dropped, doubled, swapped with the next one, or with a bit flipped, every run must fail. Scenarios of several servers run
with the fault between the servers, where a subscription may be forgotten, too. Ends with status 1 otherwise.
"""
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
# Scenario → the faults it must notice. Replies to different requests have no order among themselves.
FAULTS = ('drop', 'double', 'swap', 'flip')
UNORDERED = ('drop', 'double', 'flip')
SCENARIOS = {
    '1->1 128B': FAULTS,
    '1->1 128B, 20k SUB+UNSUB/s': FAULTS,
    '1->10 fan-out 128B': FAULTS,
    '4->4 separate 128B': FAULTS,
    'queue 1->8 128B': FAULTS,
    'headers 1->1 128B': FAULTS,
    'service import 128B': FAULTS,
    'stream import 128B': FAULTS,
    'wildcards 100k subs': UNORDERED,
    'req-reply 64 in flight': UNORDERED,
    'rate 10k/s 1->10 128B': FAULTS,
    '8 hot publishers, 100 idle, probe 1k/s': FAULTS,
}
# The same between servers. What passes compressed cannot be spoiled there, so those servers stand behind the proxy themselves.
BETWEEN = {
    'route A->B 128B': FAULTS,
    'leaf->hub 128B': FAULTS,
    'hub->leaf 128B': FAULTS,
    'gateway A->B 128B': FAULTS,
    'req-reply across a route 1 in flight': UNORDERED,
    '100k subscriptions A->B': FAULTS + ('forget',),
    'node killed 10 times under traffic': FAULTS,
}
COMPRESSED = {'route A->B 128B JSON s2_fast': FAULTS}
SCALE = '0.01'
EVERY = {'req-reply across a route 1 in flight': 97}
OTHERWISE_EVERY = 997


def run(scenario, fault, server, folder):
    """The row of one run of this scenario with this fault."""
    out = os.path.join(folder, 'run')
    every = EVERY.get(scenario, OTHERWISE_EVERY)
    command, options = server, ['--spoil-links', f'{fault}:{every}']
    if scenario not in BETWEEN:
        command = shlex.join([sys.executable, os.path.join(HERE, 'faulty.py'), fault, str(every)] + shlex.split(server))
        options = []
    subprocess.run([sys.executable, os.path.join(HERE, 'bench.py'), '--target', f'spoiled={command}', '--suite', 'core,cores,links',
                    '--only', f'^{re.escape(scenario)}$', '--reps', '1', '--scale', SCALE, '--out', out] + options,
                   stdout=subprocess.DEVNULL)
    with open(out + '.jsonl') as f:
        rows = [json.loads(line) for line in f]
    assert len(rows) == 1, f'{scenario!r} names {len(rows)} scenarios'
    return rows[0]


def main():
    if len(sys.argv) not in (2, 3):
        print(__doc__)
        return 2
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        chosen = {k: v for k, v in {**SCENARIOS, **BETWEEN, **COMPRESSED}.items() if re.search(sys.argv[2] if sys.argv[2:] else '', k)}
        for scenario, faults in chosen.items():
            for fault in ('none',) + faults:
                row = run(scenario, fault, sys.argv[1], folder)
                if row.get('skipped'):
                    print(f'skipped  {scenario}: {row["skipped"]}', flush=True)
                    break
                right = bool(row.get('ok')) == (fault == 'none')
                wrong += not right
                said = 'passed' if row.get('ok') else f'failed: {row.get("error")}'
                print(f'{"right" if right else "WRONG"}  {scenario:40s} {fault:7s} {said[:110]}', flush=True)
    print(f'{wrong} wrong' if wrong else 'every fault was noticed')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
