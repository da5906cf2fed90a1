"""download: every pinned file, once.

url + sha256 + size of the lock  ->  _build/cache/sha256/<hex>
"""

from collections.abc import Iterator

from clusterimage.engine.action import NETWORK
from clusterimage.engine.invocation import plan
from clusterimage.engine.step import NET, Task, group, step
from clusterimage.locks import source


def task_download() -> Iterator[Task]:
    """Download and verify the pinned files."""
    yield group("download", "Download and verify the pinned files")
    for one in plan().downloads:
        call = (source.fetch, NETWORK, one.pin, plan().layout.store, one.mode)
        yield step(f"download:{one.name}", call, outputs=(one.path,), pool=NET)
