#!/usr/bin/env python3
"""Shows that a broken server fails the benchmark instead of looking fast.

  selfcheck.py SERVER      (a NATS-compatible server's command)

Runs scenarios of every kind of load against SERVER behind faulty.py: unspoiled they must pass; with one message in N
dropped, doubled, swapped with the next one, or with a bit flipped, every run must fail. Ends with status 1 otherwise.
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
SCALE = '0.01'
EVERY = 997


def run(scenario, fault, server, folder):
    """The row of one run of this scenario with this fault."""
    out = os.path.join(folder, 'run')
    command = shlex.join([sys.executable, os.path.join(HERE, 'faulty.py'), fault, str(EVERY)] + shlex.split(server))
    subprocess.run([sys.executable, os.path.join(HERE, 'bench.py'), '--target', f'spoiled={command}', '--suite', 'core,cores',
                    '--only', f'^{re.escape(scenario)}$', '--reps', '1', '--scale', SCALE, '--out', out], stdout=subprocess.DEVNULL)
    with open(out + '.jsonl') as f:
        rows = [json.loads(line) for line in f]
    assert len(rows) == 1, f'{scenario!r} names {len(rows)} scenarios'
    return rows[0]


def main():
    if len(sys.argv) != 2:
        print(__doc__)
        return 2
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for scenario, faults in SCENARIOS.items():
            for fault in ('none',) + faults:
                row = run(scenario, fault, sys.argv[1], folder)
                right = bool(row.get('ok')) == (fault == 'none')
                wrong += not right
                said = 'passed' if row.get('ok') else f'failed: {row.get("error")}'
                print(f'{"right" if right else "WRONG"}  {scenario:40s} {fault:7s} {said[:110]}', flush=True)
    print(f'{wrong} wrong' if wrong else 'every fault was noticed')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
