"""The shape of a JSON document: its keys in their order and the kinds of its values, without the values."""

from __future__ import annotations

# What a server may rightly show differently, by the last key of the path. Everything else must agree.
#
# git_commit: names the build of the server; a build from an archive has none.
# account_tag, tags: only there when set.
MAY_BE_MISSING = {"git_commit"}
# Facts about a server that the reference has no word for are named so that no tool of today trips over them.
OWN_PREFIX = "martlet"

# Values that differ from run to run; the shape of their place is compared, the value is not.
VOLATILE = {
    "server_id",
    "now",
    "pending_bytes",
    "start",
    "stop",
    "uptime",
    "idle",
    "rtt",
    "mem",
    "cpu",
    "cores",
    "gomaxprocs",
    "gomemlimit",
    "port",
    "cid",
    "go",
    "git_commit",
    "config_load_time",
    "last_activity",
    "update_time",
    "http_req_stats",
    # Counts that hold a server's own subscriptions and the state of its caches.
    "subscriptions",
    "num_subscriptions",
    "num_cache",
    "num_inserts",
    "num_removes",
    "num_matches",
    "cache_hit_rate",
    "max_fanout",
    "avg_fanout",
    "total_connections",
}


def shape(value, key: str = ""):
    """A comparable picture of `value`."""
    if isinstance(value, dict):
        if key == "http_req_stats":
            return "counts"
        return [
            (name, shape(inner, name))
            for name, inner in value.items()
            if name not in MAY_BE_MISSING and not name.startswith(OWN_PREFIX)
        ]
    if isinstance(value, list):
        kinds = []
        for inner in value:
            if (kind := shape(inner)) not in kinds:
                kinds.append(kind)
        return ["list", sorted(kinds, key=repr)]
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "string" if isinstance(value, str) else "null"


def settled(value, key: str = ""):
    """`value` without what differs from run to run."""
    if isinstance(value, dict):
        return {
            name: settled(inner, name)
            for name, inner in value.items()
            if name not in VOLATILE and name not in MAY_BE_MISSING and not name.startswith(OWN_PREFIX)
        }
    if isinstance(value, list):
        return [settled(inner) for inner in value]
    return value


def differences(left, right, path: str = "") -> list[str]:
    """Where two documents differ, one line each."""
    if isinstance(left, dict) and isinstance(right, dict):
        lines = [f"{path}.{name}: only left" for name in left if name not in right]
        lines += [f"{path}.{name}: only right" for name in right if name not in left]
        for name in left:
            if name in right:
                lines += differences(left[name], right[name], f"{path}.{name}")
        return lines
    if isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        return [
            line
            for number, (a, b) in enumerate(zip(left, right, strict=True))
            for line in differences(a, b, f"{path}[{number}]")
        ]
    return [] if left == right else [f"{path}: {left!r} ≠ {right!r}"]
