"""Image names in command lines.

--agent-image=nginx:1.25  -image=nginx:1.25     a flag with the word image in its name
--image, nginx:1.25                             the same in two words
--reloader=quay.io/a/reloader:v0.75.0           any flag, if the value can hardly be anything but an image
AGENT_IMAGE=nginx:1.25                          a variable of the shell
sh -c "exec /x --image=nginx:1.25"              a line of a shell is taken apart into words
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from clusterimage.discover.keys import holds_image, words
from clusterimage.discover.names import Named, certain_name, exact_name

_FLAG = re.compile(r"-{1,2}([A-Za-z][\w.-]*)")
_ASSIGNED = re.compile(r"(-{0,2})([A-Za-z][\w.-]*)=(.+)", re.DOTALL)
_TOKEN = re.compile(r"[^\s\"'`;|&()<>\\]+")
_COMMENT = re.compile(r"(?:^|(?<=\s))#.*$", re.MULTILINE)


def line(text: str) -> Iterator[Named]:
    """Yield the images in a line of a shell, or in a script."""
    yield from arguments(_TOKEN.findall(_COMMENT.sub("", text)))


def arguments(given: Sequence[str]) -> Iterator[Named]:
    """Yield the images in a list of words."""
    for number, word in enumerate(given):
        following = given[number + 1] if number + 1 < len(given) else ""
        if found := _ASSIGNED.fullmatch(word):
            yield from _assigned(found[2], found[3], flag=bool(found[1]))
        elif (found := _FLAG.fullmatch(word)) and _of_image(found[1]):
            yield from _each(following, exact_name)
        else:
            yield from _each(word, certain_name)


def _assigned(name: str, value: str, *, flag: bool) -> Iterator[Named]:
    is_image = _of_image(name) if flag else holds_image(name)
    yield from _each(value.strip("\"'"), exact_name if is_image else certain_name)


def _of_image(name: str) -> bool:
    return bool({"image", "images"} & set(words(name)))


def _each(value: str, read: Callable[[str], Named | None]) -> Iterator[Named]:
    """Yield the images of a list separated by commas, each maybe with a name before it (NAME=IMAGE)."""
    for one in value.split(","):
        named = read(one.rpartition("=")[2])
        if named is not None:
            yield named
