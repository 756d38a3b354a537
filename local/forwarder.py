"""Lets containers reach what listens on 127.0.0.1: a way from the address of Docker's bridge, while the block lasts.

with Forwarder("172.17.0.1") as forwarder:
    forwarder.url(4566)

It listens on that one address, which this machine has for its containers, and on no other.
"""

import contextlib
import socket
import socketserver
import threading


class Forwarder:
    """Copies bytes both ways, one port here for one port of 127.0.0.1."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._servers: list[socketserver.TCPServer] = []

    def __enter__(self) -> "Forwarder":
        return self

    def __exit__(self, *_) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def url(self, port: int) -> str:
        """Where a container finds what listens on this port of 127.0.0.1."""
        server = _Server((self._address, 0), _Way)
        server.port = port
        self._servers.append(server)
        threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
        return f"http://{self._address}:{server.server_address[1]}"


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    port: int


class _Way(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.server.port)) as there:
            back = threading.Thread(target=_copy, args=[there, self.request], daemon=True)
            back.start()
            _copy(self.request, there)
            back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    """Copies one way until that ends; the other may still have something to say."""
    with contextlib.suppress(OSError):
        while read := source.recv(65536):
            target.sendall(read)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]
