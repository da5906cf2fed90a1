"""The tags of a git repository over HTTP, by protocol version 2: one request, whose answer has nothing but the tags.

https://git-scm.com/docs/protocol-v2 (ls-refs), https://git-scm.com/docs/gitprotocol-common (pkt-line)
"""

from __future__ import annotations

from clusterimage.transport.network import Call, Network, chunks
from clusterimage.transport.retry import retry
from clusterimage.values.errors import FetchError

_LIMIT = 16 << 20
_PREFIX = "refs/tags/"
_FLUSH, _DELIMITER, _LENGTH = b"0000", b"0001", 4


def tags(network: Network, repository: str, prefix: str = "v") -> tuple[str, ...]:
    """Return the tags of `repository` (a URL) that begin with `prefix`, in the order of the server.

    Raises FetchError for a server that does not answer, or that speaks no protocol version 2.
    """
    lines = (_line("command=ls-refs\n"), _DELIMITER, _line(f"ref-prefix {_PREFIX}{prefix}\n"), _FLUSH)
    headers = (
        ("Content-Type", "application/x-git-upload-pack-request"),
        ("Accept", "application/x-git-upload-pack-result"),
        ("Git-Protocol", "version=2"),
    )
    call = Call("POST", headers, b"".join(lines), expected=(200,))
    data = bytearray()

    def read(url: str) -> bool:
        data.clear()
        with network.send(url, call) as response:
            for piece in chunks(response):
                data.extend(piece)
                if len(data) > _LIMIT:
                    raise FetchError(f"{repository}: its list of tags is larger than {_LIMIT >> 20} MiB")
        return True

    url = f"{repository.rstrip('/')}/git-upload-pack"
    network.ask(url, network.file_places(url), lambda place, attempts: retry(url, attempts, lambda: read(place)))
    return tuple(_names(bytes(data), repository))


def _line(text: str) -> bytes:
    return f"{len(text) + _LENGTH:04x}{text}".encode()


def _names(data: bytes, repository: str) -> list[str]:
    """Read `<object id> refs/tags/<name>` of every packet up to the flush packet."""
    names, place = [], 0
    try:
        while (head := data[place : place + _LENGTH]) != _FLUSH:
            length = int(head, 16)
            packet = data[place + _LENGTH : place + length].decode()
            if length <= _LENGTH or place + length > len(data):
                raise ValueError(f"a packet of {length} bytes")
            _, _, ref = packet.rstrip("\n").partition(" ")
            names.append(ref.partition(" ")[0].removeprefix(_PREFIX))
            place += length
    except ValueError as error:
        raise FetchError(
            f"{repository}: its list of tags makes no sense: {error}", hint="check that address"
        ) from error
    return names
