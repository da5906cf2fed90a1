"""verify: hash everything of the built images again, follow every saved tag, and ask kubeadm for its own list.

dist/<image>/ + _build/cache/sha256/<kubeadm>  ->  nothing, or an error that names what is wrong
"""

from collections.abc import Iterator

from clusterimage import audit
from tasks._plan import kubeadm, plan
from tasks._step import Task, always, group


def task_verify() -> Iterator[Task]:
    """Check the built images, byte by byte."""
    yield group("verify", "Check the built images, byte by byte")
    for one in plan().packs:
        yield always(f"verify:{one.name}", (audit.audit, one.dest, kubeadm(one)))
