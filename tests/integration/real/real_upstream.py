"""Knows how to make, once, and to serve the files and images of a real upstream of Kubernetes v1.20.2 for the tests.

`python real_upstream.py [--cache DIR]` makes or completes the cache: each part once, and killed half-way it goes on
with the part that it was at. It needs no root, but a Debian machine with dpkg-dev, rsync, make, skopeo, nginx,
docker-registry, apache2-utils (htpasswd) and openssl. The original:
https://github.com/kubernetes/kubernetes/releases/tag/v1.20.2

    DIR/<key>/kubernetes/<arch>/...        built programs (kubernetes_build)
    DIR/<key>/newer/<arch>/...             the same, of a newer patch release (newer_patch)
    DIR/<key>/debian/<arch>/...            Debian's programs (debian_parts)
    DIR/<key>/standins/<arch>/...          stand-ins and pause (standin_programs)
    DIR/<key>/files/<host>/<path>          what the file servers publish (upstream_files)
    DIR/<key>/registry/docker/registry/v2  what the registries publish (real_images)
    DIR/<key>/stamps/<part>-<recipe>       written last: the part is complete; holds the versions that are in it
    DIR/<key>/work/                        scratch, gone at the end
"""

import argparse
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.integration.real import shared_cache
from tests.integration.real.debian_parts import collect_debian_parts
from tests.integration.real.kubernetes_build import SOURCE_VERSION, build_kubernetes
from tests.integration.real.loopback_servers import Request, Upstream, serve_directories
from tests.integration.real.newer_patch import make_newer_patch
from tests.integration.real.real_images import NAMES, fill_registry
from tests.integration.real.standin_programs import build_standins
from tests.integration.real.upstream_files import Programs, write_upstream_files

__all__ = ["NAMES", "Request", "Upstream", "cache_directory", "main", "prepare", "serve"]

_KUBERNETES_RECIPE = 1


@dataclass(frozen=True, slots=True)
class Part:
    """A directory of the cache: `make(cache, work, out)` fills it and returns the versions that are in it.

    Another `recipe` number makes it and all later parts anew.
    """

    name: str
    recipe: int
    make: Callable[[Path, Path, Path], dict[str, str]]


def _kubernetes(cache: Path, work: Path, out: Path) -> dict[str, str]:
    return build_kubernetes(work, out)


def _newer(cache: Path, work: Path, out: Path) -> dict[str, str]:
    return make_newer_patch(cache / "kubernetes", out)


def _debian(cache: Path, work: Path, out: Path) -> dict[str, str]:
    return collect_debian_parts(work, out)


def _standins(cache: Path, work: Path, out: Path) -> dict[str, str]:
    return build_standins(work, out)


def _files(cache: Path, work: Path, out: Path) -> dict[str, str]:
    write_upstream_files(_programs(cache), out)
    return {}


def _registry(cache: Path, work: Path, out: Path) -> dict[str, str]:
    fill_registry(_programs(cache), work, out)
    return {}


# Slowest first, as a part made anew makes the later ones anew.
PARTS = (
    Part("kubernetes", _KUBERNETES_RECIPE, _kubernetes),
    Part("newer", 1, _newer),
    Part("debian", 2, _debian),
    Part("standins", 4, _standins),
    Part("files", 4, _files),
    Part("registry", 4, _registry),
)


def cache_directory(base: Path | None = None) -> Path:
    """Return the cache below a base: the one given, $CLUSTERIMAGE_TEST_CACHE, or one in the user's cache directory."""
    return shared_cache.base(base) / f"kubernetes-{SOURCE_VERSION}-r{_KUBERNETES_RECIPE}"


def prepare(base: Path | None = None, tell: Callable[[str], None] = lambda line: None) -> Path:
    """Make what is missing in the cache and return its directory; a second caller waits for the first."""
    cache = cache_directory(base)
    (cache / "stamps").mkdir(parents=True, exist_ok=True)
    with shared_cache.locked(cache / "lock", tell):
        for number, part in enumerate(PARTS):
            if not _stamp(cache, part).exists():
                _forget(cache, PARTS[number:])
                _make(cache, part, tell)
        _remove(cache / "work")
    return cache


@contextmanager
def serve(cache: Path) -> Iterator[Upstream]:
    """Serve a cache that `prepare` returned on free loopback ports until the context ends."""
    missing = [part.name for part in PARTS if not _stamp(cache, part).exists()]
    if missing:
        raise RuntimeError(f"{cache} lacks {', '.join(missing)}: run real_upstream.py first")
    with serve_directories(cache / "files", cache / "registry") as upstream:
        yield upstream


def main(argv: list[str] | None = None) -> int:
    """Make the cache, saying what takes how long, and print its directory."""
    parser = argparse.ArgumentParser(description="make the real upstream of Kubernetes v1.20.2 for the tests, once")
    default = "$CLUSTERIMAGE_TEST_CACHE or ~/.cache/clusterimage-tests"
    parser.add_argument("--cache", type=Path, metavar="DIR", help=f"base directory (default: {default})")
    options = parser.parse_args(argv)
    print(prepare(options.cache, tell=lambda line: print(line, file=sys.stderr, flush=True)))
    return 0


def _programs(cache: Path) -> Programs:
    """Return where the programs of a cache are."""
    return Programs(*(cache / part for part in ("kubernetes", "newer", "debian", "standins")))


def _stamp(cache: Path, part: Part) -> Path:
    """Return the path of the file that says a part is complete."""
    return cache / f"stamps/{part.name}-{part.recipe}"


def _forget(cache: Path, parts: tuple[Part, ...]) -> None:
    """Remove the stamps of parts, of every recipe."""
    for part in parts:
        for stamp in (cache / "stamps").glob(f"{part.name}-*"):
            stamp.unlink()


def _make(cache: Path, part: Part, tell: Callable[[str], None]) -> None:
    """Make a part beside its place, move it there and write its stamp."""
    tell(f"{part.name} ...")
    begun = time.monotonic()
    fresh = cache / f"{part.name}.part"
    _remove(fresh)
    fresh.mkdir()
    work = cache / "work"
    work.mkdir(exist_ok=True)
    versions = part.make(cache, work, fresh)
    _remove(cache / part.name)
    fresh.rename(cache / part.name)
    written = cache / "stamps.part"
    written.write_text(json.dumps(versions, indent=1, sort_keys=True))
    written.rename(_stamp(cache, part))
    tell(f"{part.name}: {time.monotonic() - begun:.1f} s")


def _remove(tree: Path) -> None:
    """Remove a tree; nothing there is fine."""
    if tree.exists():
        shutil.rmtree(tree)


if __name__ == "__main__":
    raise SystemExit(main())
