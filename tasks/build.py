"""build: the main job, what `doit` alone does; a group over the packages that the variables select."""

from collections.abc import Iterator

from clusterimage.engine.invocation import plan
from clusterimage.engine.step import Task, group, wipe


def task_build() -> Iterator[Task]:
    """Build the selected cluster images."""
    step = "push" if plan().selection.pushing.wanted else "package"
    images = [f"{step}:{one.name}" for one in plan().packs]
    task = group("build", "Build the selected cluster images")
    yield task | {"task_dep": task["task_dep"] + images, "clean": [wipe]}
