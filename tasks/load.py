"""load: the cluster images of one platform into the local Docker daemon, this host's where several are selected.

dist/<image>/  ->  Docker daemon
"""

from collections.abc import Iterator

from clusterimage.engine.action import say
from clusterimage.engine.invocation import host_arch, plan
from clusterimage.engine.step import SEND, Task, always, group
from clusterimage.oci import daemon_load


def task_load() -> Iterator[Task]:
    """Load the cluster images into the local Docker daemon."""
    yield group("load", "Load the cluster images into the local Docker daemon")
    arches = plan().selection.arches
    arch = arches[0] if len(arches) == 1 else host_arch()
    for one in plan().packs:
        call = (daemon_load.load, one.dest, one.package.reference, arch, say)
        yield always(f"load:{one.name}", call, pool=SEND, needs=(f"package:{one.name}",))
