"""A stand-in for the Docker SDK, which switches on ministack's own life cycle of ECS tasks.

Without a Docker client plain ministack calls every deployment COMPLETED at once, even of an image that does
not exist. With this one a container is a process of the image's own files, with an address of its own: it
truly answers HTTP, crashes, or starts slowly. There is no isolation beyond that: no root of its own, no
limits.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import types
import uuid
from collections.abc import Iterator
from pathlib import Path

from . import images, processes
from .network import network

# The label of containers that have the address of their instance.
ON_INSTANCE = "tidegate.on-instance"

_HOST_PATH = os.environ.get("PATH", os.defpath)


class Container:
    """A process in the shape of a Docker container."""

    def __init__(
        self, image: images.Image, address: str, labels: dict, command: list[str], env: dict, cwd: Path
    ):
        self.id = uuid.uuid4().hex + uuid.uuid4().hex
        self.image, self.address, self.labels = image, address, labels
        self.attrs = _at(address)
        self._log = Path(tempfile.mkstemp(prefix="task-", suffix=".log")[1])
        with self._log.open("wb") as log:
            self._process = processes.spawn(
                command,
                env=env,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def status(self) -> str:
        return "running" if self._process.poll() is None else "exited"

    def reload(self) -> None:
        """Does nothing: the status is never cached."""

    def wait(self, **_) -> dict:
        code = self._process.wait()
        return {"StatusCode": code if code >= 0 else 128 - code}

    def stop(self, timeout: float = 10) -> None:
        processes.end(self._process, timeout)

    def kill(self, **_) -> None:
        processes.end(self._process, 0)

    def remove(self, **_) -> None:
        self.kill()
        client.containers.forget(self)
        self._log.unlink(missing_ok=True)

    def logs(self, stream: bool = False, follow: bool = False, tail: int | None = None, **_):
        """The output so far; as a stream, line by line until the process has ended."""
        if stream:
            return self._lines(follow)
        return b"".join(self._log.read_bytes().splitlines(keepends=True)[-(tail or 0) :])

    def _lines(self, follow: bool) -> Iterator[bytes]:
        with self._log.open("rb") as log:
            while True:
                # Asked before reading: what a process wrote before it ended is then read for certain.
                ended = self.status == "exited"
                line = log.readline()
                if line.endswith(b"\n") or (line and ended):
                    yield line
                elif ended or not follow:
                    return
                else:
                    log.seek(-len(line), os.SEEK_CUR)
                    time.sleep(0.05)


class Containers:
    """`client.containers`."""

    def __init__(self) -> None:
        self._all: dict[str, Container] = {}
        self._lock = threading.Lock()
        # ministack looks its own container up to learn at which address tasks reach it.
        self._launcher = types.SimpleNamespace(attrs=_at("127.0.0.1"))

    def run(self, reference: str, *, environment: dict, labels: dict, command=None, entrypoint=None, **_):
        image = images.find(reference)
        with self._lock:
            shares = ON_INSTANCE in labels
            address = network.instance if shares else self._address_of(labels["com.amazonaws.ecs.task-arn"])
            path = f"{image.root}/bin:{image.root}/usr/bin:{_HOST_PATH}"
            env = {"PATH": path, **_image_environment(image), **environment, "TASK_ADDRESS": address}
            arguments = _command(image, entrypoint, command, path)
            cwd = image.root / image.config.get("WorkingDir", "").lstrip("/")
            container = Container(image, address, labels, arguments, env, cwd)
            self._all[container.id] = container
        return container

    def get(self, container_id: str):
        return self._all[container_id] if container_id else self._launcher

    def list(self, **_) -> list[Container]:
        return list(self._all.values())

    def forget(self, container: Container) -> None:
        self._all.pop(container.id, None)

    def _address_of(self, task: str) -> str:
        """Containers of one task share its address, as they share its network interface."""
        alive = [container for container in self.list() if container.status == "running"]
        for container in alive:
            if container.labels["com.amazonaws.ecs.task-arn"] == task:
                return container.address
        return network.draw({container.address for container in alive})


class Images:
    """`client.images`: nothing is ever copied, so a pull only makes sure that the image is there."""

    def pull(self, reference: str, **_):
        images.find(reference)
        return types.SimpleNamespace(tag=lambda *_, **__: True)

    def get(self, reference: str) -> images.Image:
        return images.find(reference)

    def get_registry_data(self, reference: str, **_):
        return types.SimpleNamespace(id=images.find(reference).pinned)


def _at(address: str) -> dict:
    return {"NetworkSettings": {"Networks": {"tidegate": {"IPAddress": address}}}}


def _image_environment(image: images.Image) -> dict:
    pairs = (entry.partition("=") for entry in image.config.get("Env") or [])
    return {name: value for name, _, value in pairs if name != "PATH"}


def _command(image: images.Image, entrypoint, command, path: str) -> list[str]:
    """What to execute: a file of the image, or else the machine's own file of that name (such as /bin/sh)."""
    words = list(entrypoint or image.config.get("Entrypoint") or [])
    words += list(command or ([] if entrypoint else image.config.get("Cmd") or []))
    if not words:
        raise RuntimeError("CannotStartContainerError: the image has neither an entrypoint nor a command")
    program = words[0]
    inside = image.root / program.lstrip("./") if "/" in program else None
    found = str(inside) if inside and inside.exists() else shutil.which(program, path=path)
    if found is None:
        raise RuntimeError(f"CannotStartContainerError: no such file: {program}")
    return [found, *words[1:]]


def _no_docker(*_, **__):
    raise RuntimeError("the local AWS uses no Docker")


# ministack imports the SDK for its exceptions, and would otherwise tidy up in a Docker that runs here.
_errors = types.ModuleType("docker.errors")
_errors.ImageNotFound = images.ImageNotFound
_docker = types.ModuleType("docker")
_docker.errors, _docker.from_env = _errors, _no_docker
sys.modules.update({"docker": _docker, "docker.errors": _errors})

client = types.SimpleNamespace(containers=Containers(), images=Images())
