"""How doit runs our tasks: threads in two pools, each task committed when it is done, one run at a time.

The only module (with its parts _engine_*) that knows doit's internals; written for doit 0.37. What stock doit does, and
why that is not enough here, is in CONTRIBUTING.md ("The engine").
"""

from __future__ import annotations

import fcntl
import functools
import gc
import os
import signal
import sys
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import IO, Any

import doit.cmd_base
import doit.cmd_run
from doit.exceptions import InvalidCommand, TaskFailed
from doit.runner import Runner

from clusterimage.engine import action, noop_cache
from clusterimage.engine.invocation import plan
from clusterimage.engine.reporter import LineReporter
from clusterimage.engine.state import ContentChecker, State
from clusterimage.engine.words import Words
from clusterimage.plan import formats
from clusterimage.storage import files
from clusterimage.values import stamp
from clusterimage.values.errors import ClusterImageError, from_os_error

_FETCHING_AT_ONCE = 8
_SENDING_AT_ONCE = 4
_ARGUMENTS_OF_RUNNER = 5  # doit gives the number of processes behind them
_TAKE_TASKS = ("run", "list", "info", "clean", "forget", "ignore", "reset-dep")
_AGAIN = "CLUSTERIMAGE_AGAIN"  # set for the second run of a command that made a lock


def config(default_tasks: list[str]) -> dict[str, Any]:
    """Put the engine in doit's place and return DOIT_CONFIG."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `doit list | head` ends as any other program does
    doit.cmd_base.Dependency = State
    for name in ("Runner", "MRunner", "MThreadRunner"):  # whatever -n and -P say
        setattr(doit.cmd_run, name, PoolRunner)
    doit.cmd_base.NamespaceTaskLoader.load_tasks = _with_meaning(doit.cmd_base.NamespaceTaskLoader.load_tasks)
    return {
        "default_tasks": default_tasks,
        "backend": "sqlite3",
        "dep_file": str(plan().layout.state),
        "check_file_uptodate": ContentChecker,
        "reporter": LineReporter,
        "par_type": "thread",
        "num_process": os.cpu_count() or 1,
        "verbosity": 2,
    }


class PoolRunner(Runner):  # type: ignore[misc]
    """Runs what fetches in one pool of threads and what computes in another; all bookkeeping is the main thread's."""

    def __init__(self, *args: Any) -> None:
        *common, cores = args if len(args) > _ARGUMENTS_OF_RUNNER else (*args, 1)
        super().__init__(*common)
        sizes = {"cpu": cores, "net": _FETCHING_AT_ONCE, "send": _SENDING_AT_ONCE}
        self._pools = {name: ThreadPoolExecutor(size) for name, size in sizes.items()}
        self._again = self._exhausted = False

    @staticmethod
    def available() -> bool:
        """Say that this machine can run it, which doit asks before it takes processes."""
        return True

    def run_all(self, task_dispatcher: Any) -> int:
        """Run under the lock of the build directory, which looking needs not; begin again when a build made a lock.

        A run ends the process: all is written then, and taking Python apart would take longer than doit's own work.
        """
        gc.freeze()
        gc.enable()
        signal.signal(signal.SIGTERM, _interrupt)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # a server that hangs up must not end a run
        held = None
        try:
            if not _only_looks(task_dispatcher):
                held = _hold(plan().layout.build / ".lock")
                formats.migrate(plan().layout.build)
                files.sweep(plan().layout.build, plan().layout.dist)
                for note in plan().notes:
                    action.tell(note)
            result = int(super().run_all(task_dispatcher))
            self._remember(task_dispatcher.nodes, result)
        except (ClusterImageError, OSError) as error:
            known = from_os_error(error) if isinstance(error, OSError) else error
            if known is None:
                raise
            self.reporter.runtime_error(str(known))
            return 2
        except KeyboardInterrupt:
            sys.stderr.write("interrupted; the same command goes on from here\n")
            # A thread that waits for a server cannot be interrupted, and nothing of it is needed.
            noop_cache.exit_now(130)
        finally:
            if held is not None:
                held.close()
        if result == 0 and self._again:
            return _begin_again()
        self.reporter.outstream.flush()
        noop_cache.exit_now(result)

    def _remember(self, nodes: dict[str, Any], result: int) -> None:
        """Have the next run of the same words find at once that there is nothing to do, as long as that is so."""
        ignored = any(node.run_status == "ignore" for node in nodes.values())
        if result or self._again or ignored or not noop_cache.name():
            return
        stamps = self.dep_manager.backend.stamps(name for name, node in nodes.items() if node.task.actions)
        if stamps is not None:
            count = self.reporter.ran + self.reporter.skipped
            said = f"{self.reporter.images()}0 tasks run, {count} up to date, 0.0 s\n"
            layout = plan().layout
            bases = (pack.package.base for pack in plan().packs)
            read = [str(layout.state), *(str(base.blobs.parent.parent / "index.json") for base in bases if base)]
            record = noop_cache.record(stamps[0], stamps[1], read, said)
            files.write(layout.build / noop_cache.DIRECTORY / noop_cache.name(), record)

    def run_tasks(self, task_dispatcher: Any) -> None:
        """Feed the pools from doit's dispatcher until nothing is left, or something failed."""
        running: dict[Future[Any], Any] = {}
        try:
            self._feed(task_dispatcher, None, running)
            while running:
                future = next(iter(wait(running, return_when=FIRST_COMPLETED).done))
                node = running.pop(future)
                self._finish(node, future.result())
                self._feed(task_dispatcher, node, running)
                if self._stop_running:
                    running = {future: node for future, node in running.items() if not future.cancel()}
        except BaseException:
            self.reporter.stopped = True
            action.stopping.set()
            raise
        finally:
            self.dep_manager.backend.restamp(self.dep_manager.checker.touched)
            for pool in self._pools.values():
                pool.shutdown(wait=not action.stopping.is_set(), cancel_futures=True)

    def _feed(self, task_dispatcher: Any, done: Any, running: dict[Future[Any], Any]) -> None:
        """Tell the dispatcher of `done` and start every task that is ready now."""
        while not (self._exhausted or self._stop_running):
            try:
                node = task_dispatcher.generator.send(done)
            except StopIteration:
                self._exhausted = True
                return
            if node == "hold on":
                return
            done = node
            if not self.select_task(node, task_dispatcher.tasks):
                continue
            if not node.task.actions:  # a group: it does nothing, so that nothing is to be kept of it
                node.run_status = "successful"
                self._note_again(node.task)
            else:
                running[self._submit(node.task)] = node
                done = None

    def _submit(self, task: Any) -> Future[Any]:
        # What is left of an earlier run is no longer true from here on, whatever happens to this one.
        self.dep_manager.remove(task.name)
        pool = self._pools[(task.meta or {}).get("pool", "cpu")]
        return pool.submit(self._execute, task)

    def _execute(self, task: Any) -> tuple[Any, dict[str, Any]]:
        before = {dep: stamp.at(dep) for dep in task.file_dep}
        return self.execute_task(task), before

    def _finish(self, node: Any, result: tuple[Any, dict[str, Any]]) -> None:
        failure, before = result
        if failure is None:
            changed = [dep for dep, stamped in before.items() if stamp.at(dep) != stamped]
            if changed:
                failure = TaskFailed(f"{changed[0]}: changed while it was used\n  hint: run the same command again")
        self.process_task_result(node, failure)
        self._note_again(node.task)

    def _note_again(self, task: Any) -> None:
        self._again = self._again or bool((task.meta or {}).get("again"))


def _with_meaning(load: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    """Have what loads tasks also look at the words that name them, for every command that takes some.

    Stock doit takes patterns for a run only, and one that matches nothing is a run of nothing that succeeds.
    """

    @functools.wraps(load)
    def wrapped(self: Any, cmd: Any, pos_args: list[str]) -> list[Any]:
        tasks = load(self, cmd, pos_args)
        if cmd.get_name() in _TAKE_TASKS and pos_args:
            runs = cmd.get_name() == "run"
            words = Words(
                tasks=[task.name for task in tasks],
                unlocked={task.name for task in tasks if (task.meta or {}).get("again")},
                targets={target for task in tasks for target in task.targets} if runs else (),
                commands=self.cmd_names if runs else (),
                runs=runs,
            )
            try:
                pos_args[:] = words.meant(pos_args)  # the list that doit goes on with
            except ClusterImageError as error:
                raise InvalidCommand(str(error)) from None
        return tasks

    return wrapped


def _only_looks(task_dispatcher: Any) -> bool:
    """Return whether all that is asked for is tasks that change nothing: they wait for nobody."""
    asked = (task_dispatcher.tasks[name].meta or {} for name in task_dispatcher.selected_tasks)
    return all(meta.get("answer") and not meta.get("alone") for meta in asked)


def _hold(path: Path) -> IO[str]:
    """Take the lock of the build directory, waiting for another doit that has it; it is let go with the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    stream = path.open("a+")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        stream.seek(0)
        sys.stderr.write(f"{path.parent}: another doit (process {stream.read().strip()}) builds here; waiting\n")
        fcntl.flock(stream, fcntl.LOCK_EX)
    stream.seek(0)
    stream.truncate()
    stream.write(str(os.getpid()))
    stream.flush()
    return stream


def _begin_again() -> int:
    """Run the same command once more: with the lock that was just made the graph is another one."""
    if os.environ.get(_AGAIN):
        hint = "leave the build context alone meanwhile, and run the same command again"
        sys.stderr.write(f"ERROR: {plan().unlocked[0].path}: what it pins changes all the time\n  hint: {hint}\n")
        return 2
    for locking in plan().unlocked:
        sys.stdout.write(f"locked {locking.name}: {locking.path}; building\n")
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, "-m", "doit", *sys.argv[1:]], {**os.environ, _AGAIN: "yes"})


def _interrupt(number: int, frame: Any) -> None:
    raise KeyboardInterrupt
