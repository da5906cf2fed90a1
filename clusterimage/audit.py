"""Checking what was built: every byte against its digest, and the image list against kubeadm's own."""

from __future__ import annotations

from pathlib import Path

from clusterimage import package
from clusterimage.package import Package


def audit(wanted: Package, dest: Path) -> None:
    """Verify the package at `dest`; raises ClusterImageError naming the first thing that is not as it should be."""
    package.verify(dest)
