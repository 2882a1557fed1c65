"""Runs a server binary as a black box and talks to it over sockets.

Invariant: nothing in this package knows which server it drives. Whatever differs between servers is
decided by the test that looks at it, never here.
"""
