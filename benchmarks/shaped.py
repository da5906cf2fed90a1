"""A slow line on loopback: a TCP proxy that adds a round trip and limits the rate of each connection and of all.

    python -m benchmarks.shaped PORT TARGET_PORT [RTT_MS PER_CONNECTION_MBPS TOTAL_MBPS]

A new connection costs one round trip before its first byte, and every request one more; what comes back is limited,
what goes out is not. It is a proxy in the path: on loopback without it, the clients speak to the source itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from dataclasses import dataclass

_PIECE = 64 * 1024
_SLACK = 0.02  # seconds that an idle line may catch up
_WINDOW = 512  # pieces that are on their way on one connection


@dataclass(frozen=True, slots=True)
class Shape:
    """A line: its round trip in seconds, and bytes a second of one connection and of all."""

    rtt: float = 0.040
    each: float = 30e6
    total: float = 120e6

    def __str__(self) -> str:
        return f"{self.rtt * 1000:.0f} ms, {self.each / 1e6:.0f} MB/s a connection, {self.total / 1e6:.0f} MB/s in all"


class Bucket:
    """Says when bytes may pass at a rate."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.free = 0.0

    def book(self, size: int, now: float) -> float:
        """Return the time at which `size` more bytes have passed."""
        self.free = max(self.free, now - _SLACK) + size / self.rate
        return self.free


class Line:
    """A shaped line to a port of this machine."""

    def __init__(self, target: int, shape: Shape) -> None:
        self.target = target
        self.shape = shape
        self.total = Bucket(shape.total)

    async def serve(self, port: int) -> asyncio.Server:
        """Listen on loopback; port 0 chooses one."""
        return await asyncio.start_server(self._connect, "127.0.0.1", port, limit=4 * _PIECE)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(self.shape.rtt)  # the handshake
        try:
            upstream, downstream = await asyncio.open_connection("127.0.0.1", self.target, limit=4 * _PIECE)
        except OSError:
            writer.close()
            return
        bucket = Bucket(self.shape.each)
        await asyncio.gather(self._pump(reader, downstream, None), self._pump(upstream, writer, bucket))
        for end in (writer, downstream):
            end.close()
            with contextlib.suppress(ConnectionError):
                await end.wait_closed()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, bucket: Bucket | None) -> None:
        """Pass bytes on, each half a round trip after it came, and limited when there is a bucket."""
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_WINDOW)
        delivering = asyncio.create_task(self._deliver(queue, writer))
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(_PIECE):
                now = time.monotonic()
                due = now
                if bucket is not None:
                    due = max(bucket.book(len(data), now), self.total.book(len(data), now))
                    if due - now > 0.002:
                        await asyncio.sleep(due - now)
                await queue.put((due + self.shape.rtt / 2, data))
        await queue.put((0.0, b""))
        await delivering

    @staticmethod
    async def _deliver(queue: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
        broken = False
        while True:
            due, data = await queue.get()
            if not data:
                break
            wait = due - time.monotonic()
            if wait > 0.0005:
                await asyncio.sleep(wait)
            try:
                if not broken:
                    writer.write(data)
                    await writer.drain()
            except ConnectionError:
                broken = True  # go on emptying the queue, so that the other side comes to its end
        with contextlib.suppress(OSError, RuntimeError):
            writer.write_eof()


async def _run(port: int, target: int, shape: Shape) -> None:
    server = await Line(target, shape).serve(port)
    async with server:
        await server.serve_forever()


def main(words: list[str]) -> None:
    """Serve until killed."""
    port, target, *rest = words
    numbers = [float(word) for word in rest] or [40.0, 30.0, 120.0]
    shape = Shape(numbers[0] / 1e3, numbers[1] * 1e6, numbers[2] * 1e6)
    asyncio.run(_run(int(port), int(target), shape))


if __name__ == "__main__":
    main(sys.argv[1:])
