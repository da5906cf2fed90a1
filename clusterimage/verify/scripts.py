"""Static checks of shell scripts: `bash -n`, and that the image has the paths that they reference."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence

from clusterimage.verify.rootfs import Rootfs

# "$ROOTFS/etc/daemon.json", "$SCRIPTS/check.sh", and application/… relative to the rootfs after a `cd`.
_REFERENCE = re.compile(
    r"(?:\$\{?ROOTFS\}?\"?/|(?P<scripts>\$\{?SCRIPTS\}?\"?/)|(?<=[\s\"'])(?=applications?/))([\w./*$-]+)"
)
_TEST = re.compile(r"-[efrsx] +\"?\$\{?(?:ROOTFS|SCRIPTS)\}?\"?/([\w./*$-]+)")
# Created on the node by sealer or sealos before the script runs.
_RUN_TIME_FILES = ("certs", "etc/registry_htpasswd")
# Optional references of shared scripts: prefix -> the file without which the image does not need them.
_OPTIONAL = {"etc/cri-docker.": "cri/cri-dockerd.tar.gz"}


_UPSTREAM = "bin/"  # upstream scripts, whose references are not checked


def check(rootfs: Rootfs, cri: str) -> Iterator[str]:
    """Yield the findings for the scripts of the image."""
    for path, file in sorted(rootfs.files.items()):
        if not path.endswith(".sh") or not file.text:
            continue
        if not file.mode & 0o111:
            yield f"{path}: is a script and not executable"
        yield from (f"{path}: {problem}" for problem in _syntax(file.text))
        if path.startswith(_UPSTREAM):
            continue
        for name in sorted(mentioned(file.text, cri)):
            if not _exists(rootfs, name) and not _is_optional(rootfs, name):
                yield f"{path}: names {name}, which the image does not hold"


_FUNCTION = re.compile(r"^(\w+)\(\) *\{(?:([^\n]+)\}|\n(.*?)^\}) *$", re.MULTILINE | re.DOTALL)
_NAMED = re.compile(r"([\w-]+\.sh)\b")


def running(rootfs: Rootfs, paths: Sequence[str], cri: str) -> str:
    """Return what runs when the scripts at `paths` run: their code, what they source or start, functions they call.

    Quotes and comments are left out.
    """
    code, todo = "", list(paths)
    functions: dict[str, str] = {}
    seen: set[str] = set()
    while todo:
        path = todo.pop()
        if path in seen:
            continue
        seen.add(path)
        text = _code(rootfs.text(path), cri).replace('"', "")
        functions |= {match[1]: match[2] or match[3] for match in _FUNCTION.finditer(text)}
        code += _FUNCTION.sub("", text)
        todo += [f"scripts/{name}" for name in _NAMED.findall(text)]
    called: set[str] = set()
    while found := {name for name in functions if name not in called and re.search(rf"\b{name}\b", code)}:
        called |= found
        code += "".join(functions[name] for name in found)
    return code


def _code(text: str, cri: str) -> str:
    lines = text.replace("$RUNTIME", cri).splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith("#"))


def mentioned(text: str, cri: str) -> set[str]:
    """Return the image paths that a script references, without those that it tests for (`[ -f …`)."""
    code = _code(text, cri)
    tested = {match[1] for match in _TEST.finditer(code)}
    found = set()
    for match in _REFERENCE.finditer(code):
        name = match[2].rstrip(".")
        if name not in tested:
            found.add(f"scripts/{name}" if match["scripts"] else name)
    return {name for name in found if not name.startswith(_RUN_TIME_FILES)}


def _exists(rootfs: Rootfs, name: str) -> bool:
    """Return whether the image has `name`; for a path with `$` or `*` only the directory before it is checked."""
    whole = re.split(r"[$*]", name)[0]
    return rootfs.has(whole) if whole == name else rootfs.has(whole.rpartition("/")[0] or whole)


def _is_optional(rootfs: Rootfs, name: str) -> bool:
    return any(name.startswith(prefix) and not rootfs.has(other) for prefix, other in _OPTIONAL.items())


@functools.cache
def _syntax(text: str) -> tuple[str, ...]:
    bash = shutil.which("bash")
    if not text.startswith("#!"):
        return ("does not begin with #!",)
    if bash is None:
        return ()
    done = subprocess.run([bash, "-n"], input=text, capture_output=True, text=True, timeout=60, check=False)
    return () if done.returncode == 0 else (f"bash: {' '.join(done.stderr.split())}",)
