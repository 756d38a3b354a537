"""The Runtime API of Lambda, for one process: what a function asks for its calls, and tells its answers.

It has no thread: it waits for the next request of the function, and the time at which that came is what the bench is
about.
"""

import json
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

_PREFIX = "/2018-06-01/runtime"
_FAR = 60_000
_PATIENCE = 60
_LOOK = 1


class PeerError(Exception):
    """What a function did wrong, in a sentence."""


@dataclass
class Request:
    """What the function asked."""

    path: str
    body: bytes
    connection: socket.socket
    at: float


class RuntimeStub:
    """The end that one function talks to; `wait` says which of some sockets can be read, `runs` whether it lives."""

    def __init__(
        self, wait: Callable[[list[socket.socket], float], list[socket.socket]], runs: Callable[[], bool]
    ) -> None:
        self._runs = runs
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: dict[socket.socket, bytes] = {}
        self._wait = wait
        self._waits: Request | None = None

    @property
    def address(self) -> str:
        """What the function finds in `AWS_LAMBDA_RUNTIME_API`."""
        return "127.0.0.1:{1}".format(*self._listening.getsockname())

    def ready(self) -> float:
        """Returns when the function asks for its next call."""
        if self._waits is None:
            self._waits = self._next()
        if not self._waits.path.endswith("/invocation/next"):
            raise PeerError(f"it began with {self._waits.path}: {self._waits.body.decode()}")
        return self._waits.at

    def call(self, name: str, event: bytes) -> tuple[float, dict]:
        """Gives it a call; returns how many seconds the answer took, and the answer."""
        self.ready()
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": name,
            "Lambda-Runtime-Deadline-Ms": str(int(time.time() * 1000) + _FAR),
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:123456789012:function:release",
            "Lambda-Runtime-Trace-Id": "Root=1-00000000-000000000000000000000000;Sampled=0",
        }
        connection, self._waits = self._waits.connection, None
        start = time.monotonic()
        _send(connection, "200 OK", headers, event)
        said = self._next()
        if said.path != f"{_PREFIX}/invocation/{name}/response":
            raise PeerError(f"it answered {said.path}: {said.body.decode()}")
        _send(said.connection, "202 Accepted", {}, b"")
        return said.at - start, json.loads(said.body)

    def _next(self) -> Request:
        """The next request, over whichever connection it comes."""
        deadline = time.monotonic() + _PATIENCE
        while (left := deadline - time.monotonic()) > 0:
            found = self._wait([self._listening, *self._open], min(left, _LOOK))
            if not found and not self._runs():
                raise PeerError("it has ended")
            for readable in found:
                at = time.monotonic()
                if readable is self._listening:
                    connection, _ = readable.accept()
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self._open[connection] = b""
                elif request := self._read(readable, at):
                    return request
        raise PeerError(f"it said nothing for {_PATIENCE} s")

    def _read(self, connection: socket.socket, at: float) -> Request | None:
        """Takes what has come; a request once it is complete."""
        some = connection.recv(1 << 16)
        if not some:
            del self._open[connection]
            connection.close()
            return None
        so_far = self._open[connection] + some
        head, found, body = so_far.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines if ": " in line)
        length = int(headers.get("content-length", 0))
        is_complete = found and len(body) >= length
        if found and headers.get("transfer-encoding") == "chunked":
            is_complete, body = body.endswith(b"0\r\n\r\n"), _of_chunks(body)
        self._open[connection] = b"" if is_complete else so_far
        return Request(first.split()[1], body, connection, at) if is_complete else None

    def close(self) -> None:
        """Closes everything."""
        for each in [self._listening, *self._open]:
            each.close()


def _of_chunks(body: bytes) -> bytes:
    joined = b""
    while b"\r\n" in body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size, 16)
        joined, body = joined + rest[:length], rest[length + 2 :]
    return joined


def _send(connection: socket.socket, status: str, headers: dict[str, str], body: bytes) -> None:
    headers = {**headers, "Content-Length": str(len(body))}
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers.items())]
    connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
