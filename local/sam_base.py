"""A stand-in for the base image of Lambda, from what this machine has, for where no image can be pulled."""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from engine import EngineError, docker

NAME = "tidegate/instead-of-provided.al2023"


def build(bootstraps: list[Path]) -> str:
    """Builds it out of busybox, the libraries that `ldd` lists, and certificates; returns its name."""
    if not (busybox := shutil.which("busybox")):
        raise EngineError("no base image can be pulled, and without busybox (Debian: busybox-static) none is built")
    with tempfile.TemporaryDirectory() as folder:
        root, command = Path(folder, "root"), ["ldd", busybox, *bootstraps]
        listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        for file in {busybox, "/etc/ssl/certs/ca-certificates.crt", *re.findall(r"(/\S+) \(", listed)}:
            (root / file[1:]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, root / file[1:])
        for name in ("bin/sh", "bin/mv", "bin/chmod"):
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).symlink_to(busybox)
        Path(folder, "Dockerfile").write_text("FROM scratch\nCOPY root /\nENV PATH=/bin\n")
        docker("build", "--quiet", "--tag", NAME, folder)
    return NAME
