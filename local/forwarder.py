"""Lets containers reach what listens on 127.0.0.1: a way from the address of Docker's bridge, while the block lasts.

with Forwarder("172.17.0.1") as forwarder:
    forwarder.url(4566)

It listens on that one address, which the machine and its containers can reach, and nobody else.
"""

import asyncio
import socket
import threading
from contextlib import suppress


class Forwarder:
    """Copies bytes both ways, one port here for one port of 127.0.0.1."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._servers: list[asyncio.Server] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def __enter__(self) -> "Forwarder":
        return self

    def __exit__(self, *_) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        connected = asyncio.all_tasks() - {asyncio.current_task()}
        for task in connected:
            task.cancel()
        await asyncio.gather(*connected, return_exceptions=True)

    def url(self, port: int) -> str:
        """Where a container finds what listens on this port of 127.0.0.1."""
        serving = asyncio.start_server(lambda *streams: _connect(port, *streams), self._address, 0)
        server = asyncio.run_coroutine_threadsafe(serving, self._loop).result()
        self._servers.append(server)
        return f"http://{self._address}:{server.sockets[0].getsockname()[1]}"


async def _connect(port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        to_reader, to_writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        writer.close()
        return
    await asyncio.gather(_copy(reader, to_writer), _copy(to_reader, writer))
    to_writer.close()
    writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copies one way until that ends; the other may still have something to say."""
    with suppress(ConnectionError):
        while read := await reader.read(65536):
            writer.write(read)
            await writer.drain()
        writer.write_eof()


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]
