"""merge-rootfs: the build context of every cluster image.

context/ + downloads + extracted + rendered + overlay  ->  _build/context/<image>/ + .manifest
"""

from collections.abc import Iterator

from clusterimage.engine.invocation import plan
from clusterimage.engine.step import Made, Task, group, step
from clusterimage.storage import tree


def task_merge_rootfs() -> Iterator[Task]:
    """Merge everything into the build context."""
    yield group("merge-rootfs", "Merge everything into the build context")
    for one in plan().merges:
        listing = plan().layout.listing("context", one.name)
        sources = [piece.source for piece in one.pieces if piece.has_content]
        sources += [branch.listing for branch in one.branches]
        call = (tree.merge, one.pieces, one.branches, one.empty, one.tree)
        yield step(
            f"merge-rootfs:{one.name}",
            call,
            inputs=tuple(dict.fromkeys(sources)),
            outputs=(listing, tree.record(one.tree)),
            made=Made(listing, one.tree),
        )
