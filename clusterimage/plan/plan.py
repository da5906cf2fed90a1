"""Expand spec, selection and locks into the build plan: the distinct work items of every step, with all paths.

Reads the locks and the file lists of context/ and the overlay; writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from clusterimage.catalog import kubeadm_tags
from clusterimage.catalog.kubeadm_tags import KubeadmTags, OwnTags
from clusterimage.catalog.requirement import Demand
from clusterimage.catalog.spec import Spec
from clusterimage.context import imagelist
from clusterimage.locks import lock
from clusterimage.locks.lock import Lock
from clusterimage.plan import own_context
from clusterimage.plan.layout import Layout
from clusterimage.plan.recipe import Recipe
from clusterimage.plan.selection import Selection
from clusterimage.plan.work_items import (
    Download,
    Extraction,
    Import,
    Load,
    Locking,
    Merge,
    Pack,
    Pinning,
    Pull,
    Render,
    Save,
    Unlisted,
    Unpacking,
)
from clusterimage.values import text_file
from clusterimage.values.errors import ConfigError, NewerFormatError

if TYPE_CHECKING:
    from clusterimage.plan.application.recipe import ApplicationRecipe

T = TypeVar("T", Download, Extraction, Pull, Load)


@dataclass(frozen=True, slots=True)
class Plan:
    """The work items of one command line. A version without a complete lock has only a `locking`.

    `notes` are what a run says once: files that nothing reads.
    """

    selection: Selection
    layout: Layout
    lockings: tuple[Locking, ...]
    downloads: tuple[Download, ...]
    extractions: tuple[Extraction, ...]
    renders: tuple[Render, ...]
    merges: tuple[Merge, ...]
    pulls: tuple[Pull, ...]
    saves: tuple[Save, ...]
    loads: tuple[Load, ...]
    packs: tuple[Pack, ...]
    pinnings: tuple[Pinning, ...] = ()
    unpackings: tuple[Unpacking, ...] = ()
    imports: tuple[Import, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def unlocked(self) -> tuple[Locking | Pinning, ...]:
        """The versions and application images whose lock is missing or incomplete."""
        every: tuple[Locking | Pinning, ...] = (*self.lockings, *self.pinnings)
        return tuple(locking for locking in every if locking.missing)


def expand(spec: Spec, selection: Selection, layout: Layout, helm: Path | None = None) -> Plan:
    """Return the plan for `selection`; raises ConfigError if the spec or a lock lacks something.

    `helm` is the path of the helm program for the charts of an application image, or None.
    """
    if selection.application is not None:
        from clusterimage.plan.application.recipe import ApplicationRecipe  # a third of all imports, for kubefile= only

        return _application(ApplicationRecipe.read(selection, selection.application, layout, helm))
    notes = own_context.Readers.of(spec).check(layout.context)
    extra = imagelist.read(layout.context / "imageList")
    lockings, recipes = [], []
    flavors = tuple(dict.fromkeys(one.flavor for one in selection.combinations))
    for version in selection.versions:
        path = layout.lock(version)
        pins = _pins(layout, path)
        cris, cnis = selection.parts(version)
        demand = Demand(spec, version, extra, layout.root, flavors, selection.cris, cnis, _own_tags(layout))
        demand.refuse_too_old()
        tags, unlisted = _tags(demand, pins)
        needs = demand.requirements(tags)
        needed, any_flavor = demand.wanted(needs)
        built, _ = replace(demand, cris=cris).wanted(needs)
        missing = (sum(map(len, pins.lacks(built))) if pins else len(built.files) + len(built.images)) + (not tags)
        lockings.append(Locking(needed, any_flavor, path, missing, cris, demand.each(needs), tags, unlisted))
        if pins is not None and not missing:
            recipes += [Recipe(spec, spec.flavor(flavor), selection, layout, needs[flavor], pins) for flavor in flavors]
    chosen = [(recipe, one) for recipe in recipes for one in selection.combinations if recipe.makes(one)]
    return Plan(
        selection=selection,
        layout=layout,
        lockings=tuple(lockings),
        downloads=_distinct(thing for recipe, one in chosen for thing in recipe.downloads(one)),
        extractions=_distinct(thing for recipe, one in chosen for thing in recipe.extractions(one)),
        renders=tuple(recipe.render(one) for recipe, one in chosen),
        merges=tuple(recipe.merge(one) for recipe, one in chosen),
        pulls=_distinct(thing for recipe, one in chosen for thing in recipe.pulls(one)),
        saves=tuple(dict.fromkeys(thing for recipe, one in chosen for thing in recipe.saves(one))),
        loads=_distinct(thing for recipe in recipes for thing in recipe.loads()),
        packs=tuple(recipe.pack(one) for recipe, one in chosen),
        notes=notes,
    )


def _application(recipe: ApplicationRecipe) -> Plan:
    """Return the plan for an image of a user's Kubefile; until it is locked, only its build context and its lock."""
    is_locked = not recipe.missing
    return Plan(
        selection=recipe.selection,
        layout=recipe.layout,
        lockings=(),
        downloads=(),
        extractions=(),
        renders=(),
        merges=(recipe.merge(),),
        pulls=_distinct(recipe.pulls()) if is_locked else (),
        saves=tuple(recipe.saves()) if is_locked else (),
        loads=(),
        packs=(recipe.pack(),) if is_locked else (),
        pinnings=(recipe.pinning(),),
        unpackings=tuple(recipe.unpackings()),
        imports=tuple(recipe.imports()) if is_locked else (),
    )


def _own_tags(layout: Layout) -> OwnTags:
    """Return the image tags that context/kubeadm.yml sets."""
    path = layout.context / "kubeadm.yml"
    if not path.exists():
        return OwnTags()
    from clusterimage.catalog import kubeadm  # it parses YAML, for this file only

    try:
        return OwnTags(*kubeadm.image_tags(kubeadm.parse(text_file.read(path))))
    except ConfigError:
        return OwnTags()  # whoever renders it says what is wrong with it


def _tags(demand: Demand, pins: Lock | None) -> tuple[KubeadmTags | None, Unlisted | None]:
    """Return the tags of kubeadm's images, None if nobody knows them yet, and where to find those that no table has."""
    table = demand.root / demand.spec.kubeadm_images
    tags = kubeadm_tags.find(table, demand.kubernetes)
    if tags is not None:
        return tags, None
    constants = demand.spec.constants
    if constants is None or not constants.kubernetes.holds(demand.kubernetes):
        raise kubeadm_tags.unknown(table, demand.kubernetes)
    return (pins.constants.tags if pins and pins.constants else None), Unlisted(constants, demand)


def _pins(layout: Layout, path: Path) -> Lock | None:
    """Return the lock at `path`; that of the stand-ins is made by us and made again when it is damaged."""
    try:
        return lock.load(path)
    except NewerFormatError:
        raise
    except ConfigError:
        if layout.stand_in:
            return None
        raise


def _distinct(things: Iterable[T]) -> tuple[T, ...]:
    """Return `things` without duplicates, in order; different pins of one name get a part of the digest appended."""
    by_name: dict[str, T] = {}
    for thing in things:
        name = thing.name if by_name.get(thing.name, thing) == thing else f"{thing.name}@{thing.pinned}"
        by_name.setdefault(name, replace(thing, name=name))
    return tuple(by_name.values())
