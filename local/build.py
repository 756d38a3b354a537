"""Builds what runs on the local AWS: the functions' stack, and images of the demo service."""

import json
import os
import platform
import subprocess
from contextlib import suppress
from functools import cache
from pathlib import Path
from urllib.error import HTTPError

import registry
import stack

ROOT = Path(__file__).resolve().parent.parent
BINARIES = ROOT / "target/debug"

# What this process has built and pushed: the digest, and the repository.
_pushed: dict[tuple, tuple[str, str]] = {}


class BuildError(Exception):
    """Why something was not built, in a sentence."""


def build() -> None:
    """Builds the functions and the tools, and the demo service as one self-contained binary."""
    _cargo("build", "--workspace")
    static = {"RUSTFLAGS": "-C target-feature=+crt-static -C strip=symbols"}
    _cargo("build", "-p", "demo-service", "--target", _host(), "--target-dir", "target/demo", **static)


def deploy(cloud, tree: Path, clusters: str, repositories: str, binaries: Path = BINARIES) -> dict[str, str]:
    """Lays the bootstraps out as a SAM build would and deploys that tree; returns the stack's outputs."""
    stack.lay_out(binaries, tree)
    return stack.deploy(cloud, tree, parameters(clusters, repositories))


def parameters(clusters: str, repositories: str) -> dict[str, str]:
    """The template's parameters on this machine."""
    architecture = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
    functions = "arn:aws:lambda:*:*:function:accept-*"
    return {
        "Clusters": clusters,
        "RepositoryPrefix": repositories,
        "Architecture": architecture,
        "TestFunctionArns": functions,
        "SweepMinutes": "0",  # whoever wants a sweep here starts it
    }


def push(
    cloud, repository: str, tag: str, version: str, behaviour="good", multi_arch=False, commit=""
) -> dict:
    """Pushes an image of the demo service; returns its digest, and those of an index's children."""
    # The label says the tag where it has no commit to say.
    image = (cloud.registry, version, behaviour, commit or tag)
    if image in _pushed and not multi_arch:
        digest, source = _pushed[image]
        # Somebody may have deleted it there since.
        with suppress(HTTPError):
            registry.copy(cloud.registry, digest, source, repository, tag)
            return {"digest": digest}
    label = ["--revision", commit] if commit else []
    command = push_command(cloud, repository, tag, version, behaviour) + label
    pushed = json.loads(_run(command + ["--multi-arch"] * multi_arch))
    if not multi_arch:
        _pushed[image] = pushed["digest"], repository
    return pushed


def push_command(cloud, repository: str, tag: str, version: str, behaviour: str) -> list[str]:
    """The command line, for the project's root, that builds an image of the demo service and pushes it."""
    options = {
        "--registry": cloud.registry,
        "--repository": repository,
        "--tag": tag,
        "--binary": f"target/demo/{_host()}/debug/demo-service",
        "--version": version,
        "--behaviour": behaviour,
    }
    return ["target/debug/image", "push", *(word for option in options.items() for word in option)]


def _cargo(*arguments: str, **environment: str) -> None:
    command, environment = ["cargo", *arguments, "--quiet"], os.environ | environment
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False)
    if done.returncode:
        raise BuildError(f"cargo {' '.join(arguments)} failed; what it says is above")


@cache
def _host() -> str:
    return _run(["rustc", "--print", "host-tuple"]).strip()


def _run(command: list[str]) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"{Path(command[0]).name} failed: {done.stderr.strip()}")
    return done.stdout
