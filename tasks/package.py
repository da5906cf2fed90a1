"""package: the cluster images.

Kubefile + _build/context/<image>/ + _build/registry/<set>/  ->  dist/<image>/
"""

from collections.abc import Iterator

from clusterimage.engine.invocation import plan
from clusterimage.engine.step import Made, Task, group, step
from clusterimage.image import package


def task_package() -> Iterator[Task]:
    """Package the cluster images into dist/."""
    yield group("package", "Package the cluster images into dist/")
    layout = plan().layout
    for one in plan().packs:
        listing = layout.listing("packages", one.name)
        call = (package.write, one.package, layout.layers, one.dest, listing)
        yield step(f"package:{one.name}", call, inputs=one.inputs, outputs=(listing,), made=Made(listing, one.dest))
