"""What a run says: one line for every task that ran, one live bar on a terminal, and the images at the end."""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import Any, TextIO

from clusterimage.engine import action
from clusterimage.engine.invocation import plan
from clusterimage.plan.work_items import Pack
from clusterimage.values import formatting


class LineReporter:
    """A doit reporter: `step  name  bytes  seconds`, failures with their cause and what to do, a count at the end."""

    desc = "one line for every task that ran"

    def __init__(self, outstream: TextIO, options: dict[str, Any]) -> None:
        self.outstream = outstream
        self.started = time.monotonic()
        self.begun: dict[str, float] = {}
        self.ran = self.skipped = self.failed = 0
        self.selected: set[str] = set()
        self.stopped = self.answered = False
        self.bar: Any = None
        self._lock = threading.Lock()

    def initialize(self, tasks: dict[str, Any], selected_tasks: list[str]) -> None:
        """Hear of what is to be done."""
        self.selected = set(selected_tasks)

    def _write(self, text: str) -> None:
        with self._lock:
            if self.bar is not None:
                self.bar.clear()
            self.outstream.write(text)
            self.outstream.flush()
            if self.bar is not None:
                self.bar.refresh()

    def _show_bar(self) -> None:
        """Show the bar when the first task that fetches begins, on a terminal only."""
        if self.bar is not None or not sys.stderr.isatty():
            return
        from tqdm import tqdm

        self.bar = tqdm(total=self._to_fetch(), unit="B", unit_scale=True, leave=False, desc="fetch", file=sys.stderr)
        action.moved_total.append(self._advance)

    def _advance(self, size: int) -> None:
        with self._lock:
            self.bar.update(size)

    @staticmethod
    def _to_fetch() -> int:
        """Return the bytes that are not in the store yet."""
        store = plan().layout.store
        wanted = {download.pin.digest: download.pin.size for download in plan().downloads}
        for pull in plan().pulls:
            platform = pull.image.platform(pull.arch)
            blobs = (pull.image.top, platform.manifest, *platform.blobs)
            wanted |= {blob.digest: blob.size for blob in blobs}
        return sum(size for digest, size in wanted.items() if not store.path(digest).exists())

    def get_status(self, task: Any) -> None:
        """Hear that a task is looked at."""

    def execute_task(self, task: Any) -> None:
        """Hear that a task begins; called in the thread that runs it."""
        if task.actions:
            with self._lock:
                self.begun[task.name] = time.monotonic()
                if (task.meta or {}).get("pool") == "net":
                    self._show_bar()

    def add_success(self, task: Any) -> None:
        """Hear that a task is done."""
        if (task.meta or {}).get("answer"):
            self.answered = True  # it said all there is to say
        elif task.actions:
            self.ran += 1
            made = (task.values or {}).get("made", {}).values()
            size = sum(stamp[0] for stamp in made if stamp)
            seconds = time.monotonic() - self.begun.get(task.name, self.started)
            step, _, name = task.name.partition(":")
            self._write(f"{step:<17} {name:<58} {formatting.size(size):>9} {seconds:>6.1f} s\n")

    def skip_uptodate(self, task: Any) -> None:
        """Hear that a task has nothing to do."""
        if task.actions:
            self.skipped += 1

    def skip_ignore(self, task: Any) -> None:
        """Hear that the user has a task ignored."""
        self._write(f"ignored           {task.name}\n")

    def add_failure(self, task: Any, fail: Any) -> None:
        """Hear that a task failed: an error of the user's in its words, a bug with its traceback."""
        if type(fail).__name__ == "UnmetDependency":
            return
        text = f"FAILED {task.name}: {fail.get_msg().strip()}\n"
        if (task.meta or {}).get("answer"):
            self.answered = True
            sys.stderr.write(text)  # what reads the answer is not to take this for it
            return
        self.failed += 1
        self._write(text)

    def cleanup_error(self, exception: Any) -> None:
        """Hear of an error after the end."""
        self._write(exception.get_msg())

    def runtime_error(self, msg: str) -> None:
        """Hear of an error of no task."""
        self.failed += 1
        sys.stderr.write(f"ERROR: {msg}\n")

    def teardown_task(self, task: Any) -> None:
        """Hear of a teardown; there are none."""

    def images(self) -> str:
        """Return the lines that name the images which were asked for, and of verified ones what runs them."""
        packs = plan().packs
        made = [one for one in packs if self.selected & {"build", "package", f"package:{one.name}"}]
        held = [one for one in packs if self.selected & {"verify", f"verify:{one.name}"}]
        return "".join((*map(_image, made), *map(_client, held)))

    def complete_run(self) -> None:
        """Say what was done, and where the images are."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None
        if self.stopped:
            return
        self._write("" if self.failed else self.images())
        if self.answered and not (self.ran or self.skipped or self.failed):
            return
        self._write("".join(f"{line}\n" for line in action.served()))
        seconds = time.monotonic() - self.started
        failed = f", {self.failed} failed" if self.failed else ""
        self._write(f"{self.ran} tasks run, {self.skipped} up to date{failed}, {seconds:.1f} s\n")


def _image(pack: Pack) -> str:
    """Return the lines that name an image, its platforms and its place."""
    index = json.loads((pack.dest / "index.json").read_text())
    digest = index["manifests"][0]["digest"]
    lines = [f"{pack.package.reference}  {digest}\n"]
    for arch, _ in pack.package.registries:
        tag = f"{pack.package.reference.tag}-{arch}"
        lines.append(f"  linux/{arch:<6} oci:{pack.dest.as_posix()}:{tag}\n")
    return "".join(lines)


def _client(pack: Pack) -> str:
    """Return the line that says what runs a cluster image."""
    return f"{pack.package.reference}  is for {pack.expected.client}\n" if pack.expected else ""
