"""Running an action: its log file, the network it uses, and user errors turned into doit's failures."""

from __future__ import annotations

import contextvars
import functools
import logging
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from doit.exceptions import TaskFailed

from clusterimage.catalog.spec import EMBEDDED, Mirror
from clusterimage.engine import invocation
from clusterimage.transport.network import Network
from clusterimage.values.errors import ClusterImageError, FetchError, from_os_error

if TYPE_CHECKING:
    from io import TextIOWrapper


@dataclass(frozen=True, slots=True)
class _Placeholder:
    """Stands for a network among the arguments of an action: it is made when the first action needs it."""

    of: str


NETWORK = _Placeholder("upstreams")
REGISTRY = _Placeholder("the registry")
stopping = threading.Event()
moved_total: list[Callable[[int], None]] = []
_lock = threading.RLock()
_log: contextvars.ContextVar[TextIOWrapper | None] = contextvars.ContextVar("log", default=None)


def run(task: str, function: Callable[..., None], arguments: tuple[Any, ...]) -> TaskFailed | None:
    """Call `function`; an error that the user can mend is a failure of the task, any other keeps its traceback."""
    connect = {NETWORK: network, REGISTRY: registry}
    started = time.monotonic()
    try:
        path = invocation.plan().layout.log(task)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w") as stream:
            _prepare_logging()
            token = _log.set(stream)
            logger = logging.getLogger("clusterimage")
            try:
                logger.info("%s: begins", task)
                function(*(connect[one]() if one is NETWORK or one is REGISTRY else one for one in arguments))
                logger.info("%s: done in %.2f s", task, time.monotonic() - started)
            except ClusterImageError as error:
                logger.error("%s", error)
                raise
            finally:
                _log.reset(token)
    except ClusterImageError as error:
        return TaskFailed(str(error))
    except OSError as error:
        known = from_os_error(error)
        if known is None:
            raise
        return TaskFailed(str(known))
    return None


@functools.cache
def _prepare_logging() -> None:
    handler = _TaskHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("clusterimage")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    if invocation.plan().selection.debug:
        logger.addHandler(logging.StreamHandler(sys.stderr))


class _TaskHandler(logging.Handler):
    """Writes a record to the log file of the task that is running in this thread."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write `record`; a record of no task, or of one whose log can no longer be written, is dropped."""
        if getattr(record, "notice", False):
            tell(record.getMessage())
        stream = _log.get()
        if stream is not None:
            with suppress(ValueError, OSError):
                stream.write(self.format(record) + "\n")
                stream.flush()


@functools.cache
def tell(text: str) -> None:
    """Tell the user on the terminal, once however often it is said."""
    sys.stderr.write(f"note: {text}\n")


def network() -> Network:
    """Return the network of this run, made on first use; `mirror=embedded` starts its server then."""
    with _lock:
        return _network()


def registry() -> Network:
    """Return the network by which images are pushed, made on first use; the login may be asked for then."""
    with _lock:
        return _registry()


def say(line: str) -> None:
    """Tell the user what a task found out, on a line of its own."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def upstreams() -> _Placeholder | None:
    """Return what stands for the network among the arguments of a question, None where upstreams are not to be asked.

    The embedded upstream has no releases of its own.
    """
    chosen = invocation.plan().selection
    return None if chosen.offline or chosen.mirror.name == EMBEDDED else NETWORK


def served() -> list[str]:
    """Return who served what in this run, a line each, if there was a choice."""
    return _network().health.lines() if _network.cache_info().currsize else []


@functools.cache
def _registry() -> Network:
    pushing = invocation.plan().selection.pushing
    mirror = Mirror("push", ca=str(pushing.ca or ""), plain_http=pushing.plain_http)
    return Network(mirror, login=invocation.login(), moved=_sent, **_settings())


@functools.cache
def _network() -> Network:
    mirror = invocation.plan().layout.mirror
    mirror = _embedded() if mirror.name == EMBEDDED else mirror
    mirror = replace(mirror, plain_http=(*mirror.plain_http, *invocation.plan().selection.pushing.plain_http))
    return Network(mirror, sources=dict(invocation.spec().sources), moved=_moved, **_settings())


def _settings() -> dict[str, Any]:
    timeout, attempts = (invocation.environment(f"CLUSTERIMAGE_{name}") for name in ("TIMEOUT", "ATTEMPTS"))
    return {
        "docker_config": invocation.docker_config(),
        "offline": invocation.plan().selection.offline,
        "timeout": float(timeout or 60),
        "attempts": int(attempts or 5),
    }


def _moved(size: int) -> None:
    _sent(size)
    for hear in moved_total:
        hear(size)


def _sent(_: int) -> None:
    if stopping.is_set():
        raise FetchError("interrupted", hint="run the same command again: it goes on from here")


def _applications() -> list[str]:
    """Return the images that application images need."""
    from clusterimage.resolve import application

    pulled = [str(pull.image.reference) for pull in invocation.plan().pulls if not pull.image.reference.local]
    return pulled or [name for one in invocation.plan().pinnings for name in application.mentioned(one.order)]


def _embedded() -> Mirror:
    """Start the embedded upstream for all that this command line needs; it ends with the process."""
    from clusterimage.upstream import Upstream, checksums, constants, published, releases

    table = invocation.ROOT / invocation.spec().kubeadm_images
    needed, sources = [], []
    for one in invocation.plan().lockings:
        tags = one.tags or releases.tags(table, one.requirement.kubernetes)
        if one.unlisted is None or tags is None:
            needed.append(one.requirement)
        else:
            needed.append(one.unlisted.demand.wanted(one.unlisted.demand.requirements(tags))[0])
            sources.append(constants(one.unlisted.url, tags))
    facts = checksums.load(invocation.ROOT / "data" / "published-checksums.toml")
    files, images = published(needed, _applications(), facts)
    upstream = Upstream([*files, *sources], images).__enter__()
    return Mirror(
        EMBEDDED,
        files=(("", upstream.url),),
        registries=(("*", f"{upstream.registry}/{{host}}"),),
        plain_http=(upstream.registry,),
        own_bytes=True,
    )
