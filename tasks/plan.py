"""plan: what a build would fetch and what it would need, told before it is begun; no request is made.

locks/<version>.toml + _build/cache/  ->  bytes, requests by host, disk
"""

from collections.abc import Iterator

from clusterimage.engine.action import say
from clusterimage.engine.invocation import plan, spec
from clusterimage.engine.step import Task, answer
from clusterimage.queries import commands


def task_plan() -> Iterator[Task]:
    """Say what a build would fetch and need; fetch nothing."""
    call = (commands.plan, plan(), dict(spec().sources), plan().selection.form, say)
    yield answer("plan", "Say what a build would fetch and need; fetch nothing", call)
