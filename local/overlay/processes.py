"""Child processes that never outlive the launcher.

Tasks and Lambda bootstraps are real processes. The kernel kills each of them when the launcher dies, however
it dies; a launcher that ends in order stops them all first, those orphaned by their own parents too.
"""

import ctypes
import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None)

# The kernel ties a child to the *thread* that forked it, so all are forked by one thread that never ends.
_forker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="overlay-forker")


def adopt_orphans() -> None:
    """Makes grandchildren whose parent ended children of this process, so that `end_all` finds them."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def spawn(*arguments, **options) -> subprocess.Popen:
    """Starts a process as `subprocess.Popen` does, tied to the life of the launcher."""
    options["preexec_fn"] = _die_with_launcher
    return _forker.submit(subprocess.Popen, *arguments, **options).result()


def _die_with_launcher() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def end(process: subprocess.Popen, patience: float) -> None:
    """Ends a process and its group: asks first, then kills."""
    for request, wait in ((signal.SIGTERM, patience), (signal.SIGKILL, 5)):
        try:
            os.killpg(process.pid, request)
        except ProcessLookupError:
            return
        try:
            process.wait(wait)
        except subprocess.TimeoutExpired:
            continue


def end_all(patience: float = 1.0) -> None:
    """Ends every process that descends from this one."""
    for request, wait in ((signal.SIGTERM, patience), (signal.SIGKILL, patience)):
        deadline = time.monotonic() + wait
        for pid in _descendants():
            with suppress(ProcessLookupError):
                os.kill(pid, request)
        while _descendants() and time.monotonic() < deadline:
            time.sleep(0.02)


def _descendants() -> list[int]:
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, rest = stat.parent.name, stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if rest[0] != "Z":
            children.setdefault(int(rest[1]), []).append(int(pid))
    found, open_ends = [], [os.getpid()]
    while open_ends:
        born = children.get(open_ends.pop(), [])
        found += born
        open_ends += born
    return found
