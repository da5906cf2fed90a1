"""Knows the rules that the fixture of the real upstream holds, without the long build: https://docs.pytest.org/."""

import base64
import gzip
import io
import json
import os
import signal
import ssl
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest

from tests.integration.real.debian_packages import machine_mirror, require_version, run
from tests.integration.real.fixed_tar import Member, with_parents, write_tar, write_tar_gz
from tests.integration.real.loopback_servers import Upstream, serve_directories

DEB822 = """\
# URIs: https://commented.example/debian
Types: deb-src
URIs: https://sources.example/debian
Suites: bookworm

Types: deb
URIs: https://off.example/debian
Suites: bookworm
Enabled: no

Types: deb
URIs: https://security.example/debian-security
Suites: bookworm-security

Types: deb deb-src
URIs:
 https://mirror.example/debian
Suites: bookworm bookworm-updates
"""


def _fetch(upstream: Upstream, url: str, *, password: str) -> tuple[int, bytes]:
    """Return the status and the body of a GET with the upstream's user and some password."""
    auth = base64.b64encode(f"{upstream.user}:{password}".encode()).decode()
    request = urllib.request.Request(url, headers={"Authorization": f"Basic {auth}"})
    context = ssl.create_default_context(cafile=upstream.ca)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    try:
        with urllib.request.urlopen(request, context=context) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, b""


def _alive(directory: str) -> list[str]:
    """Return the command lines of running processes that name a directory."""
    lines = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            lines.append(process.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return [line for line in lines if directory in line]


def test_the_mirror_is_the_first_enabled_binary_source_that_is_not_a_security_archive(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d/debian.sources").write_text(DEB822)
    assert machine_mirror(tmp_path) == "https://mirror.example/debian"


def test_the_mirror_is_read_from_one_line_sources_too(tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text(
        "# deb http://x.example a main\ndeb [arch=amd64] http://y.example/d s main\n"
    )
    assert machine_mirror(tmp_path) == "http://y.example/d"


def test_a_machine_without_a_debian_mirror_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no Debian mirror"):
        machine_mirror(tmp_path)


def test_a_package_of_another_upstream_version_is_refused_by_name() -> None:
    require_version("s", "runc", "1:1.1.5+ds1-1", "1.1.5")
    with pytest.raises(RuntimeError, match="runc 1.2.0-1, the recipe is for 1.1.5"):
        require_version("s", "runc", "1.2.0-1", "1.1.5")


def test_archives_of_equal_members_are_equal_bytes_whenever_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "program").write_bytes(b"x" * 100_000)
    members = with_parents(
        [Member("bin/p", tmp_path / "program"), Member("etc/f", b"f", 0o644), Member("l", link="bin/p")]
    )
    for name in ("a", "b"):
        write_tar_gz(tmp_path / name, members)
        os.utime(tmp_path / "program", (time.time(), 1))
    plain = io.BytesIO()
    write_tar(plain, members)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert gzip.decompress((tmp_path / "a").read_bytes()) == plain.getvalue()
    plain.seek(0)
    with tarfile.open(fileobj=plain) as archive:
        assert archive.getnames() == ["bin", "bin/p", "etc", "etc/f", "l"]


def test_both_servers_demand_the_password_and_log_what_they_answer(tmp_path: Path) -> None:
    for name in ("files", "registry"):
        (tmp_path / name).mkdir()
    (tmp_path / "files/host").write_bytes(b"content")
    with serve_directories(tmp_path / "files", tmp_path / "registry") as upstream:
        urls = (f"{upstream.files_url}/host", f"https://{upstream.registry}/v2/")
        assert [_fetch(upstream, url, password="wrong")[0] for url in urls] == [401, 401]
        assert [_fetch(upstream, url, password=upstream.password) for url in urls] == [(200, b"content"), (200, b"{}")]
        assert len(_alive(str(upstream.directory))) == 2
        assert upstream.registry in json.loads(upstream.docker_config.read_text())["auths"]
        run(["curl", "-sSf", "--cacert", upstream.ca, "--netrc-file", upstream.netrc, urls[0]])
        until = time.monotonic() + 10
        while len(upstream.requests()) < 5 and time.monotonic() < until:
            time.sleep(0.05)
        logged = [(request.server, request.path, request.status) for request in upstream.requests()]
    assert logged == [
        ("files", "/host", 401),
        ("files", "/host", 200),
        ("files", "/host", 200),
        ("registry", "/v2/", 401),
        ("registry", "/v2/", 200),
    ]
    assert _alive(str(upstream.directory)) == []


def test_the_servers_end_with_a_test_that_is_killed(tmp_path: Path) -> None:
    program = f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from tests.integration.real.loopback_servers import serve_directories
with serve_directories(Path({str(tmp_path)!r}), Path({str(tmp_path)!r})) as upstream:
    print(upstream.directory, flush=True)
    time.sleep(60)
"""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    argv = [sys.executable, "-c", program]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=environment) as parent:
        assert parent.stdout
        directory = parent.stdout.readline().strip()
        assert len(_alive(directory)) == 2
        parent.send_signal(signal.SIGKILL)
    until = time.monotonic() + 10
    while _alive(directory) and time.monotonic() < until:
        time.sleep(0.05)
    assert _alive(directory) == []
