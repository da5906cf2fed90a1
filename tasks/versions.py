"""versions: which Kubernetes releases are known, locked, and published.

data/kubeadm-images.toml + locks/ + upstream's tags  ->  a line each
"""

from collections.abc import Iterator

from clusterimage.engine.action import say, upstreams
from clusterimage.engine.invocation import plan, spec, variables
from clusterimage.engine.step import Task, answer
from clusterimage.queries import commands


def task_versions() -> Iterator[Task]:
    """Say which Kubernetes releases are known, locked and published."""
    call = (
        commands.versions,
        spec(),
        plan().layout,
        upstreams(),
        variables().get("k8s", ""),
        plan().selection.form,
        say,
    )
    yield answer("versions", "Say which Kubernetes releases are known, locked and published", call)
