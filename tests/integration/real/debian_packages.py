"""Knows how to take packages of any Debian suite and architecture without touching the machine's own apt.

The mirror is the one that the machine's apt uses, read at run time from the files that
https://manpages.debian.org/bookworm/apt/sources.list.5.en.html describes.

    <root>/apt.conf                   names everything below, given to apt as $APT_CONFIG
    <root>/etc/apt/sources.list.d/    one suite of the machine's mirror, both architectures and sources
    <root>/var/...                    apt's lists, its cache and an empty dpkg status
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ARCHES = ("amd64", "arm64")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

_APT_CONF = """\
Dir "{root}/";
Dir::Etc "etc/apt";
Dir::State::status "{root}/var/lib/dpkg/status";
Dir::Log "{root}/var/log";
APT::Architecture "{native}";
APT::Architectures {{ {arches} }};
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "3";
Acquire::Check-Valid-Until "false";
"""

_SOURCES = """\
Types: deb deb-src
URIs: {uri}
Suites: {suite}
Components: main
Architectures: {arches}
Signed-By: {keyring}
"""


_DIRECTORIES = (
    "etc/apt/apt.conf.d",
    "etc/apt/preferences.d",
    "etc/apt/sources.list.d",
    "var/cache/apt/archives/partial",
    "var/lib/apt/lists/partial",
    "var/lib/dpkg",
    "var/log",
)


@dataclass(frozen=True, slots=True)
class AptRoot:
    """A scratch apt root of one suite."""

    path: Path
    suite: str

    def run(self, *argv: str, cwd: Path | None = None) -> str:
        """Run an apt command in this root and return its standard output; a failure shows the command's own errors."""
        environment = {**os.environ, "APT_CONFIG": str(self.path / "apt.conf"), "LC_ALL": "C"}
        return run(argv, cwd=cwd or self.path, env=environment)


def run(argv: Sequence[str | Path], cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """Run a program to its end and return its standard output; raise RuntimeError with the end of its errors.

    It inherits the files that are marked inheritable: a lock is so held until the last orphan of a killed run ends.
    """
    none = subprocess.DEVNULL
    done = subprocess.run(
        argv, cwd=cwd, env=env, stdin=none, capture_output=True, close_fds=False, text=True, check=False
    )
    if done.returncode:
        told = (done.stderr.strip() or done.stdout.strip())[-3000:]
        raise RuntimeError(f"{' '.join(map(str, argv[:6]))}: exit status {done.returncode}\n{told}")
    return done.stdout


def native_arch() -> str:
    """Return the machine's own architecture as Debian spells it."""
    return run(["dpkg", "--print-architecture"]).strip()


def machine_mirror(etc: Path = Path("/etc/apt")) -> str:
    """Return the URI of the machine's Debian mirror: its first source that is not a security archive."""
    for uri, suite in (*_deb822_sources(etc / "sources.list.d/debian.sources"), *_line_sources(etc / "sources.list")):
        if "security" not in uri + suite:
            return uri
    raise RuntimeError(f"no Debian mirror in debian.sources or sources.list of {etc}: this needs a Debian machine")


def _deb822_sources(file: Path) -> Iterator[tuple[str, str]]:
    """Yield (URI, suites) of the enabled binary stanzas of a deb822 file, none if the file does not exist."""
    text = re.sub(r"(?m)^#.*\n", "", file.read_text()) if file.exists() else ""
    for stanza in re.split(r"\n\s*\n", text):
        fields = {name.lower(): value for name, value in re.findall(r"(?m)^([\w-]+):\s*((?:.|\n[ \t])*)", stanza)}
        if "deb" in fields.get("types", "").split() and fields.get("enabled", "yes").strip().lower() != "no":
            yield fields["uris"].split()[0], fields["suites"]


def _line_sources(file: Path) -> Iterator[tuple[str, str]]:
    """Yield (URI, suite) of the binary lines of a one-line-style file, none if the file does not exist."""
    text = file.read_text() if file.exists() else ""
    yield from re.findall(r"(?m)^\s*deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+(\S+)", text)


def open_root(path: Path, suite: str) -> AptRoot:
    """Make a scratch apt root of a suite and fetch its lists, or return the finished one that is there."""
    root = AptRoot(path, suite)
    ready = path / "ready"
    if ready.exists():
        return root
    shutil.rmtree(path, ignore_errors=True)
    for directory in _DIRECTORIES:
        (path / directory).mkdir(parents=True)
    (path / "var/lib/dpkg/status").touch()
    arches = " ".join(f'"{arch}";' for arch in ARCHES)
    (path / "apt.conf").write_text(_APT_CONF.format(root=path, native=native_arch(), arches=arches))
    sources = _SOURCES.format(uri=machine_mirror(), suite=suite, arches=" ".join(ARCHES), keyring=KEYRING)
    (path / "etc/apt/sources.list.d/mirror.sources").write_text(sources)
    root.run("apt-get", "update", "--error-on=any")
    ready.touch()
    return root


def unpack(root: AptRoot, packages: dict[str, str], arch: str, target: Path) -> dict[str, str]:
    """Unpack packages (name -> upstream version it must have, "" for any) into one tree; return their full versions."""
    shutil.rmtree(target, ignore_errors=True)
    debs = target.with_name(target.name + ".debs")
    shutil.rmtree(debs, ignore_errors=True)
    debs.mkdir(parents=True)
    root.run("apt-get", "download", "-q", *(f"{name}:{arch}" for name in packages), cwd=debs)
    versions = {}
    for deb in sorted(debs.iterdir()):
        name, version = run(["dpkg-deb", "--show", "--showformat=${Package} ${Version}", deb]).split()
        require_version(root.suite, name, version, packages[name])
        run(["dpkg-deb", "--extract", deb, target])
        versions[name] = version
    shutil.rmtree(debs)
    return versions


def fetch_source(root: AptRoot, name: str, upstream: str, target: Path, *, extract: bool = False) -> str:
    """Download a source package into a directory, unpacked and patched too on request; return its full version."""
    shown = root.run("apt-get", "source", "--print-uris", "--only-source", name)
    match = re.search(rf" {re.escape(name)}_(\S+)\.dsc ", shown)
    version = match.group(1) if match else "nothing"
    require_version(root.suite, name, version, upstream)
    target.mkdir(parents=True, exist_ok=True)
    root.run("apt-get", "source", "-q", "--only-source", *([] if extract else ["--download-only"]), name, cwd=target)
    return version


def require_version(suite: str, name: str, version: str, upstream: str) -> None:
    """Raise RuntimeError unless a Debian version is a packaging of that upstream version."""
    if not re.sub(r"^\d+:", "", version).startswith(upstream):
        raise RuntimeError(f"Debian {suite} has {name} {version}, the recipe is for {upstream}: change the recipe")
