"""The load generator: where it is, how its arguments are scaled, what it answers."""
import json
import os
import subprocess

import scenarios

HERE = os.path.dirname(os.path.abspath(__file__))
LOADGEN = os.environ.get('LOADGEN', os.path.join(HERE, 'target/release/loadgen'))


def scaled(args, scale):
    return [f'{a.key}={max(1, int(a.value * scale))}' if isinstance(a, scenarios.Scaled) else a for a in args]


def result(last_line, failure):
    """The generator's last line of output is the result."""
    try:
        return json.loads(last_line)
    except ValueError:
        return {'ok': False, 'error': failure}


def loadgen(args, timeout_s=300):
    try:
        r = subprocess.run([LOADGEN] + args, capture_output=True, text=True, timeout=timeout_s)
    except subprocess.TimeoutExpired:
        return {'ok': False, 'error': 'loadgen timeout'}
    return result((r.stdout.strip().splitlines() or [''])[-1], f'rc {r.returncode}: {r.stdout[-300:]} {r.stderr[-300:]}')
