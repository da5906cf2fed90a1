"""plan: what a build would fetch and what it would need, told before it is begun; no request is made.

locks/<version>.toml + _build/cache/  ->  bytes, requests by host, disk
"""

from collections.abc import Iterator

from clusterimage import answers
from tasks._plan import plan, spec
from tasks._run import say
from tasks._step import Task, answer


def task_plan() -> Iterator[Task]:
    """Say what a build would fetch and need; fetch nothing."""
    call = (answers.plan, plan(), dict(spec().sources), plan().selection.form, say)
    yield answer("plan", "Say what a build would fetch and need; fetch nothing", call)
