"""prune: what nothing can use any more goes from the build directory; dist/ and the locks stay.

locks/ + versions.toml + dist/  ->  a smaller _build/
"""

from collections.abc import Iterator
from pathlib import Path

from clusterimage.engine.action import say
from clusterimage.engine.invocation import plan, spec
from clusterimage.engine.step import Task, answer, asked_beside
from clusterimage.queries import commands


def task_prune() -> Iterator[Task]:
    """Drop from _build/ what no lock and no image uses."""
    call = (commands.prune, spec(), plan().layout, plan().selection.form, say)
    doc = "Drop from _build/ what no lock and no image uses"
    yield answer("prune", doc, call, needs=asked_beside("prune", Path(__file__).parent), alone=True)
