"""push: the cluster images to the registry that their names say; what is there already is not sent again.

dist/<image>/  ->  registry
"""

from collections.abc import Iterator

from clusterimage.engine.action import REGISTRY, say
from clusterimage.engine.invocation import plan
from clusterimage.engine.step import SEND, Task, always, group
from clusterimage.oci import push


def task_push() -> Iterator[Task]:
    """Push the cluster images to their registry."""
    yield group("push", "Push the cluster images to their registry")
    mount = plan().selection.pushing.mount
    for one in plan().packs:
        call = (push.push, REGISTRY, one.dest, one.package.reference, mount, say)
        yield always(f"push:{one.name}", call, pool=SEND, needs=(f"package:{one.name}",))
