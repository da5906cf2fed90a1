"""diff: what differs between two locks or two built images.

locks/<version>.toml, twice    ->  components and images by version, and the bytes that only b names
dist/<image>/, twice           ->  files, saved images and bytes of every platform, by part
"""

from collections.abc import Iterator

from clusterimage.engine.action import say
from clusterimage.engine.invocation import plan
from clusterimage.engine.step import Task, answer
from clusterimage.queries import commands


def task_diff() -> Iterator[Task]:
    """Say what differs between two locks or built images."""
    chosen = plan().selection
    call = (commands.diff, chosen.compared, plan().layout, chosen.arches, chosen.form, say)
    yield answer("diff", "Say what differs between two locks or built images: a=… b=…", call)
