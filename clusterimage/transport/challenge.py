"""What a server asks for with 401: the challenges of its WWW-Authenticate headers.

https://www.rfc-editor.org/rfc/rfc9110 §11.6.1: several headers, several challenges in one, in any order; schemes and
names of parameters in any case, values quoted or not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

_PART = re.compile(r'([^\s,="]+)(?:\s*=\s*("(?:[^"\\]|\\.)*"|[^\s,"]*))?')


@dataclass(frozen=True, slots=True)
class Challenge:
    """A scheme and its parameters; scheme and names are in lower case."""

    scheme: str
    parameters: dict[str, str] = field(default_factory=dict)


def parse(headers: Iterable[str]) -> tuple[Challenge, ...]:
    """Return the challenges of all `headers`, in their order; what makes no sense is passed over.

    >>> [one.scheme for one in parse(['Negotiate, bearer Realm="https://t/a,b"', "Basic"])]
    ['negotiate', 'bearer', 'basic']
    >>> parse(['bearer Realm="https://t/a,b"'])[0].parameters
    {'realm': 'https://t/a,b'}
    """
    found: list[Challenge] = []
    for header in headers:
        own: list[Challenge] = []
        for part in _PART.finditer(header):
            name, value = part.groups()
            if value is None:
                own.append(Challenge(name.lower()))
            elif own:
                text = re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
                own[-1].parameters.setdefault(name.lower(), text)
        found += own
    return tuple(found)
