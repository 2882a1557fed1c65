"""Random scripts of what clients do with streams: requests to the API, publishes, pulls, acks.

`bodies` makes JSON, `generate` makes scripts of it, `play` plays one on a server, `normal` frees what came of what may
vary, and knows the differences that are meant.

Invariant: a script waits after each step until nothing comes any more, so what comes next depends on nobody's speed.
"""
