"""Finds a Docker engine, or runs a command beside one that lasts no longer than it.

    python local/engine.py --within 170 make test-sam
    python local/engine.py --for "make test-sam"

The second only says whether one runs.  With the first, an engine that runs already is used as it is.  Where none does,
one is started with files of its own; where its programs are missing, they are unpacked into .local/engine, and nothing
is installed.  Where that cannot be done, the command is not run, and a line says why.
"""

import argparse
import contextlib
import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MISSING = (
    "needs a Docker engine, and none answers `docker info`: install one (on Debian and Ubuntu `apt-get install "
    "docker.io`, elsewhere see https://docs.docker.com/engine/install/) and start it; `make test` needs none"
)
_UNPACKED = ROOT / ".local/engine"
_PACKAGES = ["docker.io", "busybox-static"]
_PATIENCE = 30
_SIOCGIFADDR = 0x8915


class EngineError(Exception):
    """Why there is no engine, in a sentence."""


def runs() -> bool:
    """Whether an engine answers."""
    if not shutil.which("docker"):
        return False
    ask = ["docker", "info", "--format", "{{.ServerVersion}}"]
    try:
        done = subprocess.run(ask, capture_output=True, text=True, check=False, timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0 and bool(done.stdout.strip())


def docker(*arguments: str, within: float = 60) -> str:
    """What a command of Docker's client prints."""
    command = ["docker", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=within)
    except subprocess.TimeoutExpired as slow:
        raise EngineError(f"docker {arguments[0]} took longer than {within:.0f} s") from slow
    if done.returncode:
        raise EngineError(f"docker {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout.strip()


def bridge() -> str:
    """The address of this machine on the bridge that joins containers."""
    name = '{{index .Options "com.docker.network.bridge.name"}}'
    interface = docker("network", "inspect", "bridge", "--format", name)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            answer = fcntl.ioctl(asking, _SIOCGIFADDR, struct.pack("256s", interface.encode()[:15]))
        except OSError as why:
            # As with Docker Desktop, and with an engine that is not root's.
            raise EngineError(f"containers cannot reach this machine: it has no bridge {interface} ({why})") from why
    return socket.inet_ntoa(answer[20:24])


@contextmanager
def started() -> Iterator[None]:
    """An engine that ends with the block; what it keeps is gone then, too."""
    if os.geteuid():
        raise EngineError("none runs, and only root can start one")
    _find()
    bridges = {name for _, name in socket.if_nameindex()}
    with tempfile.TemporaryDirectory(prefix="engine-") as state:
        address = f"unix://{state}/docker.sock"
        # It reaches no further than its bridge: neither a rule of the firewall nor a route is changed for it.
        options = ["--iptables=false", "--ip-forward=false", "--ip-masq=false", "--ip6tables=false"]
        places = {"--data-root": "data", "--exec-root": "exec", "--pidfile": "pid"}
        places = [f"{option}={state}/{name}" for option, name in places.items()]
        log = Path(state, "log")
        with log.open("w") as into:
            command = ["dockerd", f"--host={address}", *options, *places]
            engine = subprocess.Popen(command, stdout=into, stderr=into, start_new_session=True)
        try:
            os.environ["DOCKER_HOST"] = address
            deadline = time.monotonic() + _PATIENCE
            while not runs():
                if engine.poll() is not None or time.monotonic() > deadline:
                    raise EngineError(f"one was started and did not come up: {_last(log)}")
                time.sleep(0.2)
            yield
        finally:
            _end(engine)
            _unmount(state)
            if "docker0" not in bridges and shutil.which("ip"):
                subprocess.run(["ip", "link", "delete", "docker0"], capture_output=True, check=False)


def _find() -> None:
    """Makes sure that `dockerd` can be run, without an installation that would start it for good."""
    if shutil.which("dockerd"):
        return
    if not shutil.which("apt-get"):
        raise EngineError("none is installed, and only packages of Debian and Ubuntu are unpacked here")
    packages = _UNPACKED / "packages"
    (packages / "partial").mkdir(parents=True, exist_ok=True)
    fetch = ["install", "--yes", "--download-only", "--no-install-recommends", *_PACKAGES]
    fetch = ["--option", f"Dir::Cache::archives={packages}", *fetch]
    if _apt_get(*fetch):
        _apt_get("update")
        if problem := _apt_get(*fetch):
            raise EngineError(f"none is installed, and none can be fetched: {problem}")
    for package in packages.glob("*.deb"):
        subprocess.run(["dpkg", "--extract", package, _UNPACKED], check=True)
    folders = [_UNPACKED / name for name in ("usr/local/bin", "usr/sbin", "usr/bin", "sbin", "bin")]
    os.environ["PATH"] = os.pathsep.join([os.environ["PATH"], *map(str, folders)])
    libraries = {str(each.parent) for each in _UNPACKED.rglob("*.so*")}
    os.environ["LD_LIBRARY_PATH"] = os.pathsep.join(sorted(libraries))
    if not shutil.which("dockerd"):
        raise EngineError(f"none is installed, and {', '.join(_PACKAGES)} did not bring one")


def _apt_get(*arguments: str) -> str:
    """Why it failed, if so."""
    command = ["apt-get", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        return f"apt-get took longer than {_PATIENCE} s"
    said = done.stderr.strip().splitlines() or ["apt-get failed"]
    return said[-1] if done.returncode else ""


def _end(engine: subprocess.Popen) -> None:
    engine.send_signal(signal.SIGTERM)
    try:
        engine.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(engine.pid, signal.SIGKILL)
        engine.wait()


def _unmount(state: str) -> None:
    """An engine that was killed leaves mounts, below which nothing can be deleted."""
    mounted = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for place in sorted((each for each in mounted if each.startswith(f"{state}/")), reverse=True):
        subprocess.run(["umount", "--lazy", place], check=False)


def _last(log: Path) -> str:
    lines = log.read_text().strip().splitlines()
    return lines[-1] if lines else "it says nothing"


def main() -> int:
    """Runs a command beside an engine; 0 if there is none, for which nobody is to blame."""
    parser = argparse.ArgumentParser(prog="engine.py", description="Runs a command beside a Docker engine.")
    parser.add_argument("--for", dest="whom", help="only says whether an engine runs, which this needs")
    parser.add_argument("--within", type=float, help="after so many seconds the command is ended")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    if options.whom:
        return 0 if runs() else _said(f"{options.whom} {MISSING}", 1)
    # Whoever ends this process means the engine, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    end = time.monotonic() + options.within if options.within else None
    if runs():
        return _run(options.command, end)
    try:
        with started():
            return _run(options.command, end)
    except EngineError as why:
        return _said(f"not run: {' '.join(options.command)} needs a Docker engine: {why}", 0)


def _run(command: list[str], end: float | None) -> int:
    running = subprocess.Popen(command, start_new_session=True)
    try:
        return running.wait(max(end - time.monotonic(), 1) if end else None)
    except subprocess.TimeoutExpired:
        return _said(f"{' '.join(command)} took too long and was ended", 1)
    finally:
        if running.poll() is None:
            # With time to take back what it has started.
            os.killpg(running.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.wait(_PATIENCE)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)


def _said(text: str, code: int) -> int:
    print(text, file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
