"""save-registry: the sets of images as directories of docker-distribution, and what nodes load by hand as archives.

_build/cache/sha256/<hex>  ->  _build/registry/<set>/ + .manifest, _build/loadable/<image>.tar.gz
"""

from collections.abc import Iterator

from clusterimage.engine.invocation import plan
from clusterimage.engine.step import Made, Task, group, step
from clusterimage.oci import docker_archive, saved_registry


def task_save_registry() -> Iterator[Task]:
    """Save the images as the cluster's registry."""
    yield group("save-registry", "Save the images as the cluster's registry")
    layout = plan().layout
    for one in plan().saves:
        listing = layout.listing("registry", one.name)
        call = (saved_registry.save, one.saved, one.arch, one.part, layout.store, one.tree)
        yield step(
            f"save-registry:{one.name}", call, inputs=one.listings, outputs=(listing,), made=Made(listing, one.tree)
        )
    for load in plan().loads:
        archive = (docker_archive.save, load.image, load.arch, layout.store, load.compressor, load.path)
        yield step(f"save-registry:{load.name}", archive, inputs=(load.listing,), outputs=(load.path,))
