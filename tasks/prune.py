"""prune: what nothing can use any more goes from the build directory; dist/ and the locks stay.

locks/ + versions.toml + dist/  ->  a smaller _build/
"""

from collections.abc import Iterator

from clusterimage import answers
from tasks._plan import plan, spec
from tasks._run import say
from tasks._step import Task, answer, asked_beside


def task_prune() -> Iterator[Task]:
    """Drop from _build/ what no lock and no image uses."""
    call = (answers.prune, spec(), plan().layout, plan().selection.form, say)
    doc = "Drop from _build/ what no lock and no image uses"
    yield answer("prune", doc, call, needs=asked_beside("prune"), alone=True)
