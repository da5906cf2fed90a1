"""Fixtures: throw-away nodes with the image of one container runtime."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.scripts import image
from tests.scripts.node import Node

MakeNode = Callable[..., Node]


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder on another file system than /, which an overlay of / must have."""
    if os.geteuid() != 0 or not shutil.which("unshare") or not os.path.ismount("/dev/shm"):
        pytest.skip("a throw-away node needs root, unshare and /dev/shm")
    folder = Path(tempfile.mkdtemp(dir="/dev/shm"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def make_node(memory: Path) -> MakeNode:
    """Make a node that holds an image with stand-ins for all programs."""

    def make(cri: str, bare: bool = True, **changes: object) -> Node:
        root = memory / "rootfs"
        image.lay_out(root, image.values(cri=cri, **changes))
        image.add_stand_ins(root)
        return Node(memory, root, bare)

    return make
