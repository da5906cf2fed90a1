"""Reads corpus.toml: shapes of manifests and charts as people write them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Shape:
    """Files of an image by path; `images` are needed, `unclear` lines say that something cannot be told."""

    seen_at: str
    files: dict[str, str]
    images: tuple[str, ...]
    unclear: int

    def __str__(self) -> str:
        return self.seen_at

    @property
    def is_chart(self) -> bool:
        return any(place.endswith("/Chart.yaml") for place in self.files)


def _shapes() -> tuple[Shape, ...]:
    rows = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))["shape"]
    return tuple(Shape(row["seen_at"], row["files"], tuple(row["images"]), row.get("unclear", 0)) for row in rows)


SHAPES = _shapes()
CHARTS = tuple(shape for shape in SHAPES if shape.is_chart)
