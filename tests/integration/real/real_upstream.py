"""Knows how to make, once, and to serve the files and images of a real upstream of a Kubernetes release for the tests.

`python -m tests.integration.real.real_upstream [--cache DIR] [VERSION]` makes or completes the cache: each part once,
and killed half-way it goes on with the part that it was at. It needs no root, but a Debian machine with dpkg-dev,
rsync, make, skopeo, nginx, docker-registry, apache2-utils (htpasswd) and openssl; a release that is built from modules
also gcc, pkg-config and libseccomp-dev. The originals: https://github.com/kubernetes/kubernetes/releases

    DIR/<key>/kubernetes/<arch>/...        built programs (kubernetes_build, go_parts)
    DIR/<key>/newer/<arch>/...             the same, of a newer patch release (newer_patch, go_parts)
    DIR/<key>/debian/<arch>/...            Debian's programs (debian_parts) and others built from modules (go_parts)
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

from tests.integration.real import go_parts, shared_cache
from tests.integration.real.debian_parts import collect_debian_parts
from tests.integration.real.kubernetes_build import build_kubernetes
from tests.integration.real.loopback_servers import Request, Upstream, serve_directories
from tests.integration.real.newer_patch import make_newer_patch
from tests.integration.real.real_images import fill_registry
from tests.integration.real.release import RELEASES, V1_20, Release
from tests.integration.real.standin_programs import build_standins
from tests.integration.real.upstream_files import Programs, write_upstream_files

__all__ = ["Request", "Upstream", "cache_directory", "main", "prepare", "serve"]


@dataclass(frozen=True, slots=True)
class Part:
    """A directory of the cache: `make(programs, work, out)` fills it and returns the versions that are in it.

    Another `recipe` number makes it and all later parts anew.
    """

    name: str
    recipe: int
    make: Callable[[Programs, Path, Path], dict[str, str]]


def _kubernetes(programs: Programs, work: Path, out: Path) -> dict[str, str]:
    release = programs.release
    if release.from_modules:
        return go_parts.link_kubernetes(release, release.kubernetes, out)
    return build_kubernetes(work, out)


def _newer(programs: Programs, work: Path, out: Path) -> dict[str, str]:
    release = programs.release
    if release.from_modules:
        return go_parts.link_kubernetes(release, release.newer, out)
    return make_newer_patch(release, programs.kubernetes, out)


def _tools(programs: Programs, work: Path, out: Path) -> dict[str, str]:
    release = programs.release
    versions = collect_debian_parts(release, work, out)
    return versions | go_parts.link_tools(release, out) if release.from_modules else versions


def _standins(programs: Programs, work: Path, out: Path) -> dict[str, str]:
    return build_standins(programs.release, work, out)


def _files(programs: Programs, work: Path, out: Path) -> dict[str, str]:
    write_upstream_files(programs, out)
    return {}


def _registry(programs: Programs, work: Path, out: Path) -> dict[str, str]:
    fill_registry(programs, work, out)
    return {}


# Slowest first, as a part made anew makes the later ones anew.
PARTS = (
    Part("kubernetes", 1, _kubernetes),
    Part("newer", 1, _newer),
    Part("debian", 2, _tools),
    Part("standins", 4, _standins),
    Part("files", 4, _files),
    Part("registry", 4, _registry),
)


def cache_directory(release: Release, base: Path | None = None) -> Path:
    """Return the cache below a base: the one given, $CLUSTERIMAGE_TEST_CACHE, or one in the user's cache directory."""
    return shared_cache.base(base) / release.key


def prepare(release: Release, base: Path | None = None, tell: Callable[[str], None] = lambda line: None) -> Path:
    """Make what is missing in the cache and return its directory; a second caller waits for the first."""
    cache = cache_directory(release, base)
    (cache / "stamps").mkdir(parents=True, exist_ok=True)
    programs = Programs(release, *(cache / part.name for part in PARTS[:4]))
    with shared_cache.locked(cache / "lock", tell):
        for number, part in enumerate(PARTS):
            if not _stamp(cache, part).exists():
                _forget(cache, PARTS[number:])
                _make(cache, part, programs, tell)
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
    parser = argparse.ArgumentParser(description="make a real upstream of Kubernetes for the tests, once")
    parser.add_argument("version", nargs="?", default=str(V1_20), choices=[str(release) for release in RELEASES])
    default = "$CLUSTERIMAGE_TEST_CACHE or ~/.cache/clusterimage-tests"
    parser.add_argument("--cache", type=Path, metavar="DIR", help=f"base directory (default: {default})")
    options = parser.parse_args(argv)
    release = next(release for release in RELEASES if str(release) == options.version)
    print(prepare(release, options.cache, tell=lambda line: print(line, file=sys.stderr, flush=True)))
    return 0


def _stamp(cache: Path, part: Part) -> Path:
    """Return the path of the file that says a part is complete."""
    return cache / f"stamps/{part.name}-{part.recipe}"


def _forget(cache: Path, parts: tuple[Part, ...]) -> None:
    """Remove the stamps of parts, of every recipe."""
    for part in parts:
        for stamp in (cache / "stamps").glob(f"{part.name}-*"):
            stamp.unlink()


def _make(cache: Path, part: Part, programs: Programs, tell: Callable[[str], None]) -> None:
    """Make a part beside its place, move it there and write its stamp."""
    tell(f"{part.name} ...")
    begun = time.monotonic()
    fresh = cache / f"{part.name}.part"
    _remove(fresh)
    fresh.mkdir()
    work = cache / "work"
    work.mkdir(exist_ok=True)
    versions = part.make(programs, work, fresh)
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
