"""outdated: which rows of versions.toml have a newer release, and which lines have ended.

versions.toml + upstreams' tags  ->  a line each
"""

from collections.abc import Iterator

from clusterimage.engine.action import say, upstreams
from clusterimage.engine.invocation import plan, spec
from clusterimage.engine.step import Task, answer
from clusterimage.queries import commands


def task_outdated() -> Iterator[Task]:
    """Say which rows of versions.toml have a newer release."""
    call = (commands.outdated, spec(), upstreams(), plan().selection.form, say)
    yield answer("outdated", "Say which rows of versions.toml have a newer release", call)
