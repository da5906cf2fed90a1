"""diff: what differs between two locks or two built images.

locks/<version>.toml, twice    ->  components and images by version, and the bytes that only b names
dist/<image>/, twice           ->  files, saved images and bytes of every platform, by part
"""

from collections.abc import Iterator

from clusterimage import answers
from tasks._plan import plan
from tasks._run import say
from tasks._step import Task, answer


def task_diff() -> Iterator[Task]:
    """Say what differs between two locks or built images."""
    chosen = plan().selection
    call = (answers.diff, chosen.compared, plan().layout, chosen.arches, chosen.form, say)
    yield answer("diff", "Say what differs between two locks or built images: a=… b=…", call)
