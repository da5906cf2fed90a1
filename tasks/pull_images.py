"""pull-images: every image of every architecture, by digest.

digests of the lock                 ->  _build/cache/sha256/<hex> + _build/images/<image>.manifest
archives in the build context       ->  the same
"""

from collections.abc import Iterator

from clusterimage.engine.action import NETWORK
from clusterimage.engine.invocation import plan
from clusterimage.engine.step import NET, Made, Task, group, step
from clusterimage.oci import remote


def task_pull_images() -> Iterator[Task]:
    """Pull the images, blob by blob, by digest; what imageList takes from the Docker daemon comes from there."""
    yield group("pull-images", "Pull the images, blob by blob, by digest")
    store = plan().layout.store
    for one in plan().pulls:
        pull = remote.pull
        if one.image.reference.local:
            from clusterimage.oci import daemon_pull  # for images of the Docker daemon only

            pull = daemon_pull.pull
        call = (pull, NETWORK, one.image, one.arch, store, one.listing)
        yield step(
            f"pull-images:{one.name}", call, outputs=(one.listing,), made=Made(one.listing, store.root), pool=NET
        )
    for some in plan().imports:
        from clusterimage.oci import archive_images  # for kubefile= only

        bring = (archive_images.bring, some.archives, some.expected, some.arches, store, some.listing)
        context = plan().layout.listing("context", plan().merges[0].name)
        made = Made(some.listing, store.root)
        yield step(f"pull-images:{some.name}", bring, inputs=(context,), outputs=(some.listing,), made=made)
