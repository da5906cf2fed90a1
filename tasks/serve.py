"""serve: the saved registries of the selected images, all platforms in one, on loopback until Ctrl-C.

_build/registry/<set>/  ->  http://127.0.0.1:<port>/v2/
"""

from collections.abc import Iterator

from clusterimage.engine.action import say
from clusterimage.engine.invocation import plan
from clusterimage.engine.step import SEND, Task, always, group
from clusterimage.oci import serving


def task_serve() -> Iterator[Task]:
    """Serve the saved registries on loopback."""
    yield group("serve", "Serve the saved registries on loopback")
    sets = plan().saves
    if sets:
        call = (serving.serve, tuple(one.tree for one in sets), plan().selection.port, say)
        yield always("serve:registry", call, pool=SEND, needs=tuple(f"save-registry:{one.name}" for one in sets))
