"""extract: from every archive the members that the rootfs needs.

_build/cache/sha256/<hex>     ->  _build/trees/<name>/ + .manifest
an archive that ADD names    ->  the same, all of it
"""

from collections.abc import Iterator

from clusterimage.engine.invocation import plan
from clusterimage.engine.step import Made, Task, group, step
from clusterimage.storage import archive


def task_extract() -> Iterator[Task]:
    """Extract the wanted members of archives."""
    yield group("extract", "Extract the wanted members of archives")
    for one in plan().extractions:
        listing = plan().layout.listing("trees", one.tree.name)
        call = (archive.extract, one.archive, one.install, one.mode, one.part, one.tree)
        yield step(f"extract:{one.name}", call, inputs=(one.archive,), outputs=(listing,), made=Made(listing, one.tree))
    for whole in plan().unpackings:
        listing = plan().layout.listing("trees", whole.tree.name)
        unpack = (archive.unpack, whole.archive, "config", whole.tree)
        made = Made(listing, whole.tree)
        yield step(f"extract:{whole.name}", unpack, inputs=(whole.archive,), outputs=(listing,), made=made)
