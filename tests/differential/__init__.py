"""Sends the same random scripts to two servers and compares what comes back.

`python -m differential --count 100000 --seed 1` compares the reference with Martlet. Everything is made
from the seed: a reported script can be played again with `--seed S --only N`.

Invariant: nothing here knows what a right answer is. Two servers agree, or the difference is shown, made small.
"""
