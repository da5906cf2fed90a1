"""Pushing where something goes wrong in the middle: what may pass is outlived, what may not is said."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from clusterimage.catalog.spec import Mirror
from clusterimage.locks.lock import Descriptor
from clusterimage.oci import image, layer, push, upload
from clusterimage.storage import compression, files
from clusterimage.transport.network import Network
from clusterimage.values.errors import ClusterImageError, FetchError
from clusterimage.values.reference import Reference
from tests.integration.flaky_proxy import BUSY, LOST, REFUSED, FlakyProxy
from tests.integration.stock_registry import StockRegistry


def layout_of(root: Path, size: int) -> Path:
    """Write a layout with one layer of `size` bytes that nothing compresses."""
    blob = os.urandom(size)
    written = layer.Layer((layer.Member("noise", 0o644, len(blob), data=blob),))
    made = layer.write(written, compression.installed("gzip"), root / "layer.tar.gz")
    built = image.BuiltLayer(made, root / "layer.tar.gz", "noise")
    image.write((image.Image("amd64", (built,), (), (), 0),), Reference.parse("tests/noise:v1"), root / "layout")
    return root / "layout"


def network_to(registry: StockRegistry, moved: Callable[[int], None]) -> Network:
    return Network(Mirror("push", plain_http=(registry.address,)), attempts=6, timeout=10, moved=moved)


def after(chunks: int, act: Callable[[], None]) -> Callable[[int], None]:
    """Return what does `act` once, when that many chunks were sent."""
    seen: list[int] = []

    def moved(size: int) -> None:
        seen.append(size)
        if len(seen) == chunks:
            act()

    return moved


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(upload, "CHUNK", 1 << 20)
    return 1 << 20


def test_a_registry_that_is_restarted_in_the_middle_goes_on_where_it_was(
    registry: StockRegistry, tmp_path: Path, small_chunks: int
) -> None:
    layout = layout_of(tmp_path, 6 * small_chunks)
    said: list[str] = []

    def restart() -> None:
        registry.kill()
        registry.start()

    reference = Reference.parse(f"{registry.address}/team/noise:v1")
    push.push(network_to(registry, after(3, restart)), layout, reference, "", said.append)

    assert registry.digest("team/noise:v1", "--tls-verify=false") in said[0]
    assert registry.count("PATCH", "", 202) == 7 + 1  # the layer in seven chunks, the config in one: none twice


def test_an_upload_that_the_registry_has_forgotten_begins_again(
    registry: StockRegistry, tmp_path: Path, small_chunks: int
) -> None:
    layout = layout_of(tmp_path, 6 * small_chunks)
    said: list[str] = []

    def forget() -> None:
        registry.kill()
        files.remove(registry.storage / "docker/registry/v2/repositories/team/noise/_uploads")
        registry.start()

    reference = Reference.parse(f"{registry.address}/team/noise:v1")
    push.push(network_to(registry, after(3, forget)), layout, reference, "", said.append)

    assert registry.digest("team/noise:v1", "--tls-verify=false") in said[0]


def test_a_registry_that_stays_away_is_an_error_and_no_tag(registry: StockRegistry, tmp_path: Path) -> None:
    layout = layout_of(tmp_path, 1 << 20)
    network = network_to(registry, after(1, registry.kill))
    network.attempts = 2

    with pytest.raises(FetchError):
        push.push(network, layout, Reference.parse(f"{registry.address}/team/noise:v1"), "", print)

    registry.start()
    assert not (registry.storage / "docker/registry/v2/repositories/team/noise/_manifests/tags").exists()


def test_a_damaged_blob_is_refused_by_the_registry_and_said(registry: StockRegistry, tmp_path: Path) -> None:
    layout = layout_of(tmp_path, 1 << 20)
    largest = max((layout / "blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    data = bytearray(largest.read_bytes())
    data[1000] ^= 1
    largest.chmod(0o644)
    largest.write_bytes(data)

    with pytest.raises(ClusterImageError) as caught:
        reference = Reference.parse(f"{registry.address}/team/noise:v1")
        push.push(network_to(registry, lambda size: None), layout, reference, "", print)

    assert "DIGEST_INVALID" in caught.value.problem and "doit verify" in caught.value.hint


def test_an_upload_goes_on_from_what_the_registry_says_it_has(
    registry: StockRegistry, tmp_path: Path, small_chunks: int
) -> None:
    """A client that does not know whether its last chunk arrived asks, and sends the rest only."""
    path = tmp_path / "blob"
    path.write_bytes(os.urandom(3 * small_chunks))
    from clusterimage.values import digest

    blob = Descriptor(digest.of_file(path), path.stat().st_size, "application/octet-stream")
    repository = upload.Repository(
        network_to(registry, lambda size: None), Reference.parse(f"{registry.address}/a/b"), ""
    )
    sending = upload._Upload(repository, blob, path)
    sending._begin()
    sending._send_chunk()
    sending.unsure, sending.offset = True, 0

    assert sending.step() and sending.way == upload.UPLOADED
    assert registry.count("PATCH", "", 202) == 3 and registry.count("GET", "/blobs/uploads/", 204) == 1


@pytest.mark.parametrize("fate", [LOST, REFUSED, BUSY])
@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT"])
def test_one_spoiled_answer_is_outlived(
    registry: StockRegistry,
    tmp_path: Path,
    small_chunks: int,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    fate: str,
) -> None:
    monkeypatch.setattr(push, "_AT_ONCE", 1)
    layout = layout_of(tmp_path, 4 * small_chunks)
    said: list[str] = []
    nth = 4 if method == "PATCH" else 2  # in the middle of the layer; the config goes first

    with FlakyProxy(registry.address, {(method, nth): fate}) as proxy:
        network = Network(Mirror("push", plain_http=(proxy.address,)), attempts=3, timeout=10)
        push.push(network, layout, Reference.parse(f"{proxy.address}/team/noise:v1"), "", said.append)

    assert registry.digest("team/noise:v1", "--tls-verify=false") in said[0]
    # Stock docker-registry 2.8 forgets an upload of which an answer was lost: the three chunks go there again.
    again = 3 if (method, fate) == ("PATCH", LOST) else 0
    assert registry.count("PATCH", "", 202) == 5 + 1 + again  # the layer in five chunks, the config in one
