"""A share of a CPU for one process, as Lambda gives it: so much time of every 20 ms, over all of its threads.

The scheduler of Linux does it where a control group may be made (version 2 or 1, as root).  Elsewhere the process is
stopped for the rest of every 20 ms, which is cruder: it is stopped while it waits, too.
"""

import os
import select
import signal
import socket
import time
from contextlib import suppress
from pathlib import Path

_PERIOD_MS = 20
# Version 1 has the first two, version 2 has the last.  What else the machine does comes after the group.
_SETTINGS = {"cpu.cfs_period_us": _PERIOD_MS * 1000, "cpu.shares": 262144, "cpu.weight": 10000}
_NAME = f"tidegate-bench-{os.getpid()}"


def best() -> "ControlGroup | Signals":
    """The best way that this machine allows."""
    groups = Path("/sys/fs/cgroup")
    # What looks like a group of version 2 on a machine without it would be an ordinary folder.
    if (groups / "cgroup.controllers").exists():
        ways = [(groups / _NAME, "cpu.max", "{quota} {period}", "max")]
    else:
        ways = [(groups / "cpu" / _NAME, "cpu.cfs_quota_us", "{quota}", "-1")]
    for way in ways:
        with suppress(OSError):
            return ControlGroup(*way)
    return Signals()


class ControlGroup:
    """A limit that the scheduler holds."""

    def __init__(self, folder: Path, file: str, written: str, none: str) -> None:
        self.how = f"a control group ({file}, {_PERIOD_MS} ms)"
        self._folder, self._file, self._written, self._none = folder, folder / file, written, none
        folder.mkdir()
        try:
            for name, value in _SETTINGS.items():
                if (folder / name).exists():
                    (folder / name).write_text(str(value))
            self.limit(None)
        except OSError:
            folder.rmdir()
            raise

    def enter(self) -> None:
        """Puts the process that calls this under the limit."""
        (self._folder / "cgroup.procs").write_text(str(os.getpid()))

    def limit(self, cpus: float | None) -> None:
        """Sets how much of a CPU its process has from now on; as much as there is if that is none."""
        quota = self._none if cpus is None else str(round(cpus * _PERIOD_MS * 1000))
        self._file.write_text(self._written.format(quota=quota, period=_PERIOD_MS * 1000))

    def of(self, process: int) -> None:
        """Says which process it is: the group knows."""

    def wait(self, sockets: list[socket.socket], seconds: float) -> list[socket.socket]:
        """Returns the sockets that can be read."""
        return select.select(sockets, [], [], seconds)[0]

    def close(self) -> None:
        """Removes the group, which what has ended leaves a moment later."""
        deadline = time.monotonic() + 2
        while self._folder.exists() and time.monotonic() < deadline:
            with suppress(OSError):
                self._folder.rmdir()
            time.sleep(0.01)


class Signals:
    """A limit by SIGSTOP and SIGCONT."""

    how = f"SIGSTOP and SIGCONT ({_PERIOD_MS} ms)"

    def __init__(self) -> None:
        self._cpus, self._process = None, None

    def enter(self) -> None:
        """Puts the process that calls this under the limit: `of` does."""

    def limit(self, cpus: float | None) -> None:
        """Sets how much of a CPU the process has from now on; one CPU is not told from many."""
        self._cpus = cpus if cpus is not None and cpus < 1 else None

    def of(self, process: int) -> None:
        """Says which process it is."""
        self._process = process

    def wait(self, sockets: list[socket.socket], seconds: float) -> list[socket.socket]:
        """Returns the sockets that can be read; meanwhile the process runs for its share of each period."""
        if self._cpus is None:
            return select.select(sockets, [], [], seconds)[0]
        deadline, period = time.monotonic() + seconds, _PERIOD_MS / 1000
        while time.monotonic() < deadline:
            os.kill(self._process, signal.SIGCONT)
            if readable := select.select(sockets, [], [], period * self._cpus)[0]:
                return readable
            os.kill(self._process, signal.SIGSTOP)
            time.sleep(period * (1 - self._cpus))
        return []

    def close(self) -> None:
        """Nothing is left."""
