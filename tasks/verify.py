"""verify: hash everything of the built images again, and compare the image list with kubeadm's own."""

from collections.abc import Iterator

from clusterimage import audit
from tasks._plan import plan
from tasks._step import Task, always, group


def task_verify() -> Iterator[Task]:
    """Hash the built images again, and ask kubeadm for its list."""
    yield group("verify", "Hash the built images again, and ask kubeadm for its list")
    for one in plan().packs:
        yield always(f"verify:{one.name}", (audit.audit, one.package, one.dest))
