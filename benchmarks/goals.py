"""Knows what the project wants to reach in every work, and holds results against it."""

from __future__ import annotations

from benchmarks.contest import Result
from benchmarks.table import Goal, seconds

_MEMORY = 150e6


def _named(results: list[Result], name: str) -> Result | None:
    return next((one for one in results if one.contestant.name.startswith(name) and one.samples), None)


def beaten(results: list[Result], peers: dict[str, float]) -> list[Goal]:
    """Say whether we are so many times as fast as each peer."""
    ours = _named(results, "clusterimage")
    goals = []
    for peer, times in ((_named(results, peer), times) for peer, times in peers.items()):
        if ours and peer:
            ratio = peer.median / ours.median
            what = f"at least {times:g} times as fast as {peer.contestant.name}"
            goals.append(Goal(what, f"{ratio:.1f} times", ratio >= times))
    return goals


def again(results: list[Result]) -> list[Goal]:
    """Say whether nothing was asked for, and how little was done."""
    ours, floor = _named(results, "clusterimage"), _named(results, "limit: doit")
    if ours is None or floor is None:
        return []
    asked = ours.facts["requests"]
    own = ours.median - floor.median
    return [
        Goal("no request", f"{asked}", asked == 0),
        Goal("own work, more than an empty doit, at most 20 ms", f"{own * 1000:.0f} ms", own <= 0.020),
    ]


def far(results: list[Result]) -> list[Goal]:
    """Say how near to the limit of the line we are, and whether ahead of the best peer."""
    ours, limit = _named(results, "clusterimage"), _named(results, "limit: curl")
    peers = [one for one in results if one.samples and not one.contestant.ours and not one.contestant.limit]
    goals = []
    if ours and limit:
        ratio = ours.median / limit.median
        goals.append(Goal("at most 1.05 times the limit", f"{ratio:.2f} times", ratio <= 1.05))
    if ours and peers:
        best = min(peers, key=lambda one: one.median)
        ratio = best.median / ours.median
        goals.append(Goal("ahead of every peer", f"{ratio:.2f} times as fast as {best.contestant.name}", ratio > 1))
    return goals


def size(results: list[Result]) -> list[Goal]:
    """Say how large the layers are, and whether zstd is as fast as zstd."""
    ours, own = (_named(results, f"clusterimage{more}, package") for more in ("", " compression=zstd"))
    gzip, zstd = (_named(results, name) for name in ("tar | gzip -6", "tar | zstd"))
    goals = []
    if ours and gzip:
        ratio = float(str(ours.facts["MB written"])) / float(str(gzip.facts["MB written"]))
        goals.append(Goal("size within 15 % of gzip -6", f"{ratio - 1:+.1%}", ratio <= 1.15))
    for peer, said in ((zstd, "tar | zstd -3 -T2"), (_named(results, "the same"), "that with two digests by openssl")):
        if own and peer:
            ratio = own.median / peer.median
            goals.append(Goal(f"compression=zstd no slower than {said}", f"{ratio:.2f} times its time", ratio <= 1))
    return goals


def matrix(results: list[Result]) -> list[Goal]:
    """Say whether anything was fetched or kept twice."""
    ours = _named(results, "clusterimage")
    if ours is None:
        return []
    again, distinct = ours.facts["fetched again"], float(str(ours.facts["distinct"]))
    ratio = float(str(ours.facts["MB on disk"])) / distinct
    return [
        Goal("every byte fetched once", f"{again} answers were given before", again == 0),
        Goal("disk at most 1.15 times the distinct bytes on it", f"{ratio:.3f} times {distinct:.0f} MB", ratio <= 1.15),
    ]


def still(results: list[Result]) -> list[Goal]:
    """Say how much more than doit itself having nothing to do takes."""
    floor, one, all_ = (_named(results, name) for name in ("limit", "clusterimage, one", "clusterimage, the matrix"))
    if floor is None or one is None or all_ is None:
        return []
    ratio = one.median / floor.median
    return [
        Goal("one image at most 1.3 times doit's floor", f"{ratio:.2f} times", ratio <= 1.3),
        Goal("the whole matrix at most 0.3 s", f"{seconds(all_.median)} s", all_.median <= 0.3),
    ]


def edited(results: list[Result], equal: bool) -> list[Goal]:
    """Say how long an edited file takes, and whether the result is the one of a clean build."""
    ours = _named(results, "clusterimage")
    if ours is None:
        return []
    return [
        Goal("at most 0.5 s for the whole command", f"{seconds(ours.median)} s", ours.median <= 0.5),
        Goal("the digest of a clean build elsewhere", "equal" if equal else "differs", equal),
    ]


def memory(most: Result) -> list[Goal]:
    """Say how much memory the largest of our runs took."""
    measured = f"{most.rss / 1e6:.0f} MB ({most.contestant.name})"
    return [Goal("at most 150 MB resident, whatever the sizes", measured, most.rss <= _MEMORY)]
