"""`doit diff`: the differences between two locks or two built images: files, images and bytes, by cause.

pairs     match names and versions of both sides
operands  resolve `a=` and `b=`
contents  read layers in one streaming pass
images    compare two built images by platform
locks     compare two locks
output    format the result as text or JSON
"""

from __future__ import annotations

from collections.abc import Callable

from clusterimage.plan.layout import Layout
from clusterimage.queries.diff import operands as named
from clusterimage.queries.diff import output
from clusterimage.values.errors import ConfigError


def show(
    sides: tuple[str, str], layout: Layout, arches: tuple[str, ...], form: str, say: Callable[[str], None]
) -> None:
    """Print the differences between `sides` (the values of a= and b=) for `arches`; differences are not a failure.

    `form` is text, json, or paths: the added and changed paths of b on a single platform, one per line.
    """
    a, b = (named.find(variable, text, layout) for variable, text in zip("ab", sides, strict=True))
    if isinstance(a, named.Pinned) and isinstance(b, named.Pinned):
        if form == "paths":
            raise ConfigError("format=paths: a lock has no paths", hint="compare two built images, or format=json")
        say(output.locks(a, b, arches, form))
    elif isinstance(a, named.Built) and isinstance(b, named.Built):
        known = {*a.platforms, *b.platforms}
        chosen = tuple(arch for arch in arches if arch in known)
        if not chosen:
            raise ConfigError(
                f"platform={','.join(arches)}: neither has it", hint=f"there is: {', '.join(sorted(known))}"
            )
        if form == "paths" and len(chosen) > 1:
            raise ConfigError("format=paths: the list is of one platform", hint=f"add platform={chosen[0]}")
        text = output.images(a, b, chosen, form)
        if text:
            say(text)
    else:
        lock, image = sides if isinstance(a, named.Pinned) else sides[::-1]
        raise ConfigError(f"{lock} is a lock, {image} is an image", hint="name two locks or two images")
