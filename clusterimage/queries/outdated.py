"""`doit outdated`: which rows of versions.toml have a newer release, and which lines have ended."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass

from clusterimage.catalog.component import ENDED
from clusterimage.catalog.spec import Spec
from clusterimage.transport import git_tags
from clusterimage.transport.network import Network
from clusterimage.transport.parallel import parallel_map
from clusterimage.values import formatting
from clusterimage.values.errors import ClusterImageError, ConfigError, FetchError, FindingsError

_RELEASE = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?")
_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Row:
    """A version row: `patch` is the newest release of its line, `newest` of all; "" where that is not known.

    `until` is the end of its line, `ended` whether that is over, `vulnerable` the CVEs that it is known to have.
    """

    component: str
    kubernetes: str
    version: str
    patch: str
    newest: str
    until: str
    ended: bool
    vulnerable: tuple[str, ...]
    why: str

    @property
    def outdated(self) -> bool:
        """Whether its line has a newer release."""
        return bool(self.patch) and _number(self.patch) > _number(self.version)


def show(spec: Spec, network: Network | None, form: str, say: Callable[[str], None]) -> None:
    """Print a line for every row; `network` is None to ask nobody, `form` is text or json.

    Repositories that do not answer raise FindingsError, after the output of what is known; FetchError if none does.
    """
    if form == "paths":
        raise ConfigError("format=paths: is of doit diff", hint="format=json")
    lists, problems = _lists(spec, network)
    found = rows(spec, lists, datetime.date.today())
    if form == "json":
        say(json.dumps({"kind": "outdated", "rows": [asdict(one) | {"outdated": one.outdated} for one in found]}))
    else:
        head = ("component", "kubernetes", "version", "line", "newest", "note")
        for line in formatting.columns([head, *map(_cells, found)]):
            say(line)
    if problems and not lists:
        raise FetchError(
            f"outdated: no upstream answered: {problems[0]}", hint="mend the network; offline=yes asks nobody"
        )
    if problems:
        raise FindingsError("outdated", tuple(problems), hint="offline=yes asks nobody")


def rows(spec: Spec, lists: dict[str, tuple[str, ...]], today: datetime.date) -> list[Row]:
    """Return the rows of versions.toml; `lists` are the tags of every component whose repository answered."""
    found = []
    for component in spec.components:
        for row in component.versions:
            flavor = f" ({row.flavor})" if row.flavor else ""
            tags = lists.get(component.name, ())
            patch, newest = _newest(row.version, tags)
            over = row.until == ENDED or bool(row.until) and row.until < today.isoformat()
            held = (row.until, over, row.vulnerable, row.why)
            found.append(Row(component.name, f"{row.kubernetes.text}{flavor}", row.version, patch, newest, *held))
    for cni in spec.cnis:
        for release in cni.versions:
            patch, newest = _newest(release.version, lists.get(cni.name, ()))
            found.append(Row(cni.name, release.kubernetes.text, release.version, patch, newest, "", False, (), ""))
    return found


def _lists(spec: Spec, network: Network | None) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Return the tags by component, and a line for every repository that did not answer."""
    places = {component.name: component.releases for component in spec.components if component.releases}
    places |= {cni.name: cni.releases for cni in spec.cnis if cni.releases}
    if network is None:
        return {}, []
    asked = network

    def read(name: str) -> tuple[str, ...] | str:
        try:
            return git_tags.tags(asked, places[name])
        except ClusterImageError as error:
            return f"{name}: {error.problem}"

    answers = dict(zip(places, parallel_map(read, tuple(places), _AT_ONCE), strict=True))
    lists = {name: answer for name, answer in answers.items() if isinstance(answer, tuple)}
    return lists, [answer for answer in answers.values() if isinstance(answer, str)]


def _newest(version: str, tags: tuple[str, ...]) -> tuple[str, str]:
    """Return the newest release of the line (major and minor) of `version`, and of all; pre-releases do not count."""
    releases = sorted({tag.removeprefix("v") for tag in tags if _RELEASE.fullmatch(tag)}, key=_number)
    line = [one for one in releases if _number(one)[:2] == _number(version)[:2]]
    return (line or [""])[-1], (releases or [""])[-1]


def _number(text: str) -> tuple[int, ...]:
    match = _RELEASE.match(text)
    return tuple(int(part or 0) for part in match.groups()) if match else ()


def _cells(one: Row) -> tuple[str, ...]:
    notes = [f"line ended{'' if one.until == ENDED else f' {one.until}'}"] if one.ended else []
    notes += [f"line ends {one.until}"] if one.until and not one.ended else []
    notes += [f"known CVEs: {len(one.vulnerable)}"] if one.vulnerable else []
    line = one.patch if one.outdated else "newest" if one.patch else "not known"
    newest = one.newest or "not known"
    said = "; ".join((*notes, one.why) if one.why else notes)
    return one.component, one.kubernetes or "every", one.version, line, newest, said
