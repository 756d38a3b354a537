"""What is compared: how each peer is started, and what its package holds."""

import io
import os
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

# Where `make bench` puts what it installs and builds.
BUILT = Path(__file__).resolve().parent.parent / ".local/bench"
_EPOCH = (1980, 1, 1, 0, 0, 0)


class NoPeer(Exception):
    """Why there is nothing to start, in a sentence."""


@dataclass(frozen=True)
class Peer:
    """One implementation of the function."""

    name: str
    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    package: Path
    """The file or the folder that is deployed."""

    def megabytes(self) -> float:
        """The size of its package as a zip."""
        buffer = io.BytesIO()
        files = [self.package] if self.package.is_file() else sorted(self.package.rglob("*"))
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in files:
                # What Python compiled here is not deployed.
                if file.is_file() and "__pycache__" not in file.parts:
                    name = file.name if file == self.package else str(file.relative_to(self.package))
                    archive.writestr(zipfile.ZipInfo(name, _EPOCH), file.read_bytes(), zipfile.ZIP_DEFLATED)
        return buffer.tell() / 1e6


def rust(name: str, bootstrap: Path) -> Peer:
    """The function itself, as it is deployed."""
    if not bootstrap.is_file():
        raise NoPeer(f"{bootstrap} does not exist: make package ARCH={os.uname().machine.replace('aarch64', 'arm64')}")
    return Peer(name, (str(bootstrap.resolve()),), (), bootstrap)


def python() -> Peer:
    """A handler with boto3, started by the runtime client of AWS."""
    task, runtime = BUILT / "python/task", BUILT / "python/runtime"
    # The interpreter itself, not the one of the bench's own environment.
    interpreter = getattr(sys, "_base_executable", sys.executable)
    paths = (("PYTHONPATH", f"{task}:{runtime}"), ("LAMBDA_TASK_ROOT", str(task)))
    return Peer("Python", (interpreter, "-m", "awslambdaric", "handler.handle"), paths, task)


def node() -> Peer:
    """A handler with the SDK of AWS, in one file as a bundler makes it."""
    task, runtime = BUILT / "node/task", Path(__file__).with_name("peers") / "node/runtime.mjs"
    return Peer("Node", ("node", str(runtime), str(task / "handler.js")), (("PATH", os.environ["PATH"]),), task)
