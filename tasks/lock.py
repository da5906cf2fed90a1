"""lock: pin every byte of a Kubernetes version, or of an application image.

versions.toml + context/imageList + upstream       ->  locks/<version>.toml
_build/context/<image>/ + Kubefile + upstream      ->  locks/apps/<image>.toml
"""

from collections.abc import Iterator

from clusterimage.engine.action import NETWORK
from clusterimage.engine.invocation import ROOT, plan, spec
from clusterimage.engine.step import Task, always, asked_for, group
from clusterimage.resolve import kubernetes
from clusterimage.resolve.kubernetes import Facts


def task_lock() -> Iterator[Task]:
    """Resolve and pin: files and images of a version."""
    yield group("lock", "Resolve and pin: files and images of a version")
    files, images, fits = (
        ROOT / path if path else None for path in (spec().checksums, spec().image_witnesses, spec().compatibility)
    )
    facts = Facts(compatibility=fits) if plan().layout.mirror.own_bytes else Facts(files, images, fits)
    for locking in plan().lockings:
        # Asked for by name everything is resolved anew; a build only adds what its lock lacks.
        act = kubernetes.write if asked_for("lock") else kubernetes.complete
        call = (act, NETWORK, locking, facts, plan().layout.store)
        refusal = (kubernetes.refuse, locking.path, locking.missing)
        yield always(f"lock:{locking.name}", refusal if plan().selection.locked else call)
    for one in plan().pinnings:
        from clusterimage.resolve import application  # for kubefile= only

        find = application.renew if asked_for("lock") else application.complete
        order = (application.refuse if plan().selection.locked else find, NETWORK, one.order)
        yield always(f"lock:{one.name}", order, inputs=one.inputs)
