"""Addresses for tasks: 127.a.b.1 to 127.a.b.254; 127.a.b.255 is the one of an instance that tasks share.

On Linux all of 127.0.0.0/8 is the machine itself, so that every task can have an address of its own, as in an
awsvpc network. Each launcher draws its a and b and holds them by a name in the kernel (an abstract socket),
which no other launcher can take and which is free again when this one ends, however it ends.
"""

import random
import socket
import threading
from collections.abc import Container

_lock = threading.Lock()


class Network:
    """A range of loopback addresses that belongs to this launcher alone."""

    def __init__(self) -> None:
        while True:
            self.prefix = f"127.{random.randint(2, 254)}.{random.randint(0, 255)}"
            self._claim = socket.socket(socket.AF_UNIX)
            try:
                self._claim.bind(f"\0tidegate-network-{self.prefix}")
                break
            except OSError:
                self._claim.close()
        self.instance = f"{self.prefix}.255"
        self._last = 0

    def draw(self, taken: Container[str]) -> str:
        """The next address that is not taken; one just given back is the last to be drawn again."""
        with _lock:
            for _ in range(254):
                self._last = self._last % 254 + 1
                address = f"{self.prefix}.{self._last}"
                if address not in taken:
                    return address
        raise RuntimeError("no address left for another task: 254 are running")


network = Network()
