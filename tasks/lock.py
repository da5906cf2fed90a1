"""lock: pin every byte of a Kubernetes version, or of an application image.

versions.toml + context/imageList + upstream       ->  locks/<version>.toml
_build/context/<image>/ + Kubefile + upstream      ->  locks/apps/<image>.toml
"""

from collections.abc import Iterator

from clusterimage import resolve
from tasks._plan import ROOT, plan, spec
from tasks._step import NETWORK, Task, always, asked_for, group


def task_lock() -> Iterator[Task]:
    """Resolve and pin: files and images of a version."""
    yield group("lock", "Resolve and pin: files and images of a version")
    own_bytes = plan().layout.mirror.own_bytes
    witnesses = None if own_bytes else ROOT / spec().checksums
    for locking in plan().lockings:
        # Asked for by name everything is resolved anew; a build only adds what its lock lacks.
        act = resolve.write if asked_for("lock") else resolve.complete
        call = (act, NETWORK, locking, witnesses, plan().layout.store)
        refusal = (resolve.refuse, locking.path, locking.missing)
        yield always(f"lock:{locking.name}", refusal if plan().selection.locked else call)
    for one in plan().pinnings:
        from clusterimage.application import pinning  # for kubefile= only

        find = pinning.renew if asked_for("lock") else pinning.complete
        order = (pinning.refuse if plan().selection.locked else find, NETWORK, one.order)
        yield always(f"lock:{one.name}", order, inputs=one.inputs)
