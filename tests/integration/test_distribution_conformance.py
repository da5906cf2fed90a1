"""`doit serve` before the conformance suite of the OCI distribution specification, read-only: pull, tags, referrers.

https://github.com/opencontainers/distribution-spec/blob/main/conformance/README.md
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Project
from tests.integration.real import go_programs
from tests.integration.test_serve import curl, served

__all__ = ["served"]  # the fixture
REPOSITORY, TAG = "pause", "3.5"
PARTS = {
    *("ping", "empty/tag list", "empty/referrers", "missing-manifest/by-digest", "missing-manifest/by-tag"),
    *("read-only/tag-list", "read-only/referrers", "read-only/head/manifest-head-by-tag", "read-only/head/blob-head"),
    *("read-only/head/manifest-head-by-digest", "read-only/pull/manifest-by-tag", "read-only/pull/blob-get"),
}


def data_of(address: str) -> dict[str, list[str]]:
    """Return what the suite is to ask for: a tag, its index and manifests, their blobs."""
    base = f"http://{address}/v2/{REPOSITORY}"
    top = curl("--head", f"{base}/manifests/{TAG}").lower().partition("docker-content-digest: ")[2].split()[0]
    children = [
        entry["digest"]
        for entry in json.loads(curl(f"{base}/manifests/{top}"))["manifests"]
        if entry["platform"]["architecture"] in ("amd64", "arm64")
    ]
    manifests = [json.loads(curl(f"{base}/manifests/{child}")) for child in children]
    blobs = [blob["digest"] for one in manifests for blob in (one["config"], *one["layers"])]
    everything = [top, *children]
    return {"TAGS": [TAG], "MANIFESTS": everything, "BLOBS": sorted(set(blobs)), "REFERRERS": everything}


@pytest.mark.slow
def test_serve_conforms_to_the_distribution_specification(built: Project, served: str, tmp_path: Path) -> None:
    suite = go_programs.program(go_programs.CONFORMANCE)
    settings = {"REGISTRY": served, "TLS": "disabled", "REPO1": REPOSITORY, "RESULTS_DIR": str(tmp_path)}
    data = data_of(served)
    settings |= {f"RO_DATA_{name}": " ".join(values) for name, values in data.items()}
    settings |= {f"API_{name}": "false" for name in ("PUSH", "BLOBS_DELETE", "MANIFESTS_DELETE", "TAGS_DELETE")}
    environment = {**os.environ, **{f"OCI_{name}": value for name, value in settings.items()}, "NO_PROXY": "127.0.0.1"}

    # Without pushing, this version of the suite crashes once it has told everything, in a report that nobody asked for.
    done = subprocess.run([suite], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)

    results = re.findall(r"^ *OCI Conformance Test/(\S.*): (\w+)$", done.stdout, re.MULTILINE)
    told = done.stdout + done.stderr
    assert results and {outcome for _, outcome in results} <= {"Pass", "Disabled", "Skip"}, told
    passed = [name for name, outcome in results if outcome == "Pass"]
    assert set(passed) >= PARTS, told
    assert passed.count("read-only/pull/blob-get") == len(data["BLOBS"])
    assert passed.count("read-only/pull/manifest-by-digest") == len(data["MANIFESTS"])
