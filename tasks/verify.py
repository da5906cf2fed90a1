"""verify: hash the built images again, hold each against its consumer's contract, ask kubeadm for its own list.

dist/<image>/ + _build/cache/sha256/<kubeadm>  ->  nothing, or an error that names what is wrong
"""

from collections.abc import Iterator

from clusterimage.engine.invocation import kubeadm, plan
from clusterimage.engine.step import Task, always, group
from clusterimage.verify import audit


def task_verify() -> Iterator[Task]:
    """Check the built images: every byte, every contract."""
    yield group("verify", "Check the built images: every byte, every contract")
    for one in plan().packs:
        yield always(f"verify:{one.name}", (audit.audit, one.dest, one.expected, kubeadm(one), one.package.command))
