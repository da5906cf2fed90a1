"""Knows how to run a server on a free loopback port as a child that never outlives the thread that started it.

The kernel ends the child with its parent, even a killed one: https://man7.org/linux/man-pages/man2/pr_set_pdeathsig.2const.html

    <directory>/<name>.log     what the server printed
"""

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_START_ATTEMPTS = 5
_START_SECONDS = 15


@contextmanager
def running(name: str, directory: Path, argv: Callable[[int], list[str]]) -> Iterator[int]:
    """Run a server on a free port until the context ends; yield the port."""
    process, port = _started(name, directory, argv)
    try:
        yield port
    finally:
        _stop(process)


def _started(name: str, directory: Path, argv: Callable[[int], list[str]]) -> tuple[subprocess.Popen[bytes], int]:
    """Start a server and wait until it accepts; another free port is tried when someone took the first meanwhile."""
    log = directory / f"{name}.log"
    environment = {"PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(directory)}
    for _ in range(_START_ATTEMPTS):
        port = _free_port()
        # setpriv (util-linux) asks the kernel to end the server with this thread, then becomes the server.
        command = ["setpriv", "--pdeathsig", "TERM", *argv(port)]
        with log.open("ab") as output:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment)
        if _accepts(process, port):
            return process, port
        _stop(process)
    raise RuntimeError(f"{name} did not start; its log ends with:\n{log.read_text()[-2000:]}")


def _accepts(process: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until a server that is alive accepts connections; return False if it ended or took too long."""
    until = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return process.poll() is None
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a server and wait for it."""
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    """Return a loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
