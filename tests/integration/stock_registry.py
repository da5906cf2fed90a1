"""A stock docker-registry that takes uploads: it can be killed and come back, and tells what it heard."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Self

from tests.conftest import run, tool
from tests.integration.ports import free_port, wait_for

_LINE = re.compile(r'^127\.0\.0\.1 \S+ \S+ \[[^]]*] "([A-Z]+) (\S+) [^"]*" (\d+)', re.MULTILINE)


class StockRegistry:
    """The registry while its context lasts; `extra` are more lines of its configuration, `http` of its http part."""

    def __init__(self, work: Path, *, extra: str = "", http: str = "") -> None:
        work.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.storage = work / "storage"
        self._config = work / "registry.yml"
        self._log = work / "registry.log"
        self._config.write_text(
            f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {self.storage}}}}}\n"
            f"http: {{addr: '{self.address}', secret: one-for-all-starts{http}}}\n{extra}"
        )

    def start(self) -> None:
        with self._log.open("ab") as log:
            command = [tool("docker-registry"), "serve", str(self._config)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_for(self.port, self._process)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(10)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def requests(self) -> list[tuple[str, str, int]]:
        """Every request that was answered: method, path, status."""
        return [(method, path, int(status)) for method, path, status in _LINE.findall(self._log.read_text())]

    def count(self, method: str, part: str = "", status: int = 0) -> int:
        return sum(one[0] == method and part in one[1] and status in (0, one[2]) for one in self.requests)

    def digest(self, name: str, *words: str | Path) -> str:
        """Return the digest that skopeo finds there."""
        image = f"docker://{self.address}/{name}"
        return run(tool("skopeo"), "inspect", "--format", "{{.Digest}}", "--no-tags", *words, image).strip()
