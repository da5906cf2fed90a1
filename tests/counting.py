"""What a run of doit did, counted by Python itself (audit events, PEP 578): files opened, connections, modules."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import Project, clean_environment

_COUNTING = """
import atexit, json, os, sys
opened, connected = [], []
def hear(event, args):
    if event == "open" and isinstance(args[0], (str, bytes)):
        opened.append([os.fsdecode(args[0]), bool((args[2] or 0) & (os.O_WRONLY | os.O_RDWR))])
    if event == "socket.connect":
        connected.append(repr(args[1]))
sys.addaudithook(hear)
def tell():
    counts = {"opened": opened, "connected": connected, "modules": sorted(sys.modules)}
    with os.fdopen(os.open(os.environ["COUNTS"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "w") as stream:
        json.dump(counts, stream)
leave = os._exit
os._exit = lambda status: (tell(), leave(status))
atexit.register(tell)
from doit.__main__ import main
main()
"""


@dataclass(frozen=True)
class Counted:
    """What a command printed, and what it opened below the project, once for every time."""

    out: str
    read: list[str]
    written: list[str]
    connected: list[str]
    modules: set[str]

    def of(self, package: str) -> set[str]:
        """Return the modules of `package` that were imported."""
        return {name for name in self.modules if name == package or name.startswith(f"{package}.")}


def counted(project: Project, *words: str) -> Counted:
    """Run doit, which must succeed, and count; paths of the project are those that are relative."""
    notes = project.root.parent / "counts.json"
    done = subprocess.run(
        [sys.executable, "-c", _COUNTING, *words],
        cwd=project.root,
        env=clean_environment() | {"COUNTS": str(notes), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    counts = json.loads(notes.read_text())
    opened = [(path, writing) for path, writing in counts["opened"] if not Path(path).is_absolute()]
    return Counted(
        done.stdout,
        read=[path for path, writing in opened if not writing],
        written=[path for path, writing in opened if writing],
        connected=counts["connected"],
        modules=set(counts["modules"]),
    )
