"""Images, from the local ECR to files and a command.

Plain ministack leaves pulling to Docker. Here an image is found in ministack's own ECR by the reference that
stands in the task definition, an index is resolved to its linux/amd64 child, and layers are unpacked once.
"""

import io
import json
import re
import shutil
import tarfile
import tempfile
import threading
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from ministack.core.responses import request_scope
from ministack.services import ecr

from .wrap import need

need(ecr, "_find_image", "_layer_blobs")

_ECR_HOST = re.compile(r"^(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.")
_unpacked: dict[str, Path] = {}
_unpacking = threading.Lock()


class ImageNotFound(Exception):
    """An image, or a part of it, that the local ECR does not hold."""


@dataclass(frozen=True)
class Image:
    """An image that can run: what the reference meant, what runs, and its files."""

    pinned: str
    """The digest that the reference resolves to: of the index, if it is one."""
    digest: str
    """The digest of the manifest that runs."""
    config: dict
    root: Path


def find(reference: str) -> Image:
    """Finds and unpacks the image of a reference such as `<registry>/shop/users@sha256:...`."""
    registry, repository, wanted = _parse(reference)
    account = _ECR_HOST.match(registry)
    with request_scope(*account.groups()) if account else nullcontext():
        pinned = _lookup(repository, wanted)
        manifest = json.loads(pinned["imageManifest"])
        runs = pinned
        if "manifests" in manifest:
            runs = _lookup(repository, {"imageDigest": _for_this_platform(manifest, reference)})
            manifest = json.loads(runs["imageManifest"])
        blobs = ecr._layer_blobs.get(repository, {})
        config = json.loads(_blob(blobs, manifest["config"]["digest"])).get("config") or {}
        layers = [layer["digest"] for layer in manifest["layers"]]
        with _unpacking:
            digest = runs["imageDigest"]
            if digest not in _unpacked:
                _unpacked[digest] = _unpack([_blob(blobs, layer) for layer in layers])
    return Image(pinned["imageDigest"], digest, config, _unpacked[digest])


def _parse(reference: str) -> tuple[str, str, dict]:
    name, _, digest = reference.partition("@")
    first, _, rest = name.partition("/")
    registry, name = (first, rest) if rest and ("." in first or ":" in first) else ("", name)
    repository, _, tag = name.partition(":")
    return registry, repository, {"imageDigest": digest} if digest else {"imageTag": tag or "latest"}


def _lookup(repository: str, wanted: dict) -> dict:
    image = ecr._find_image(repository, wanted)
    if image is None:
        raise ImageNotFound(f"{repository}: {next(iter(wanted.values()))}: not found")
    return image


def _for_this_platform(index: dict, reference: str) -> str:
    for child in index["manifests"]:
        platform = child.get("platform", {})
        if (platform.get("os"), platform.get("architecture")) == ("linux", "amd64"):
            return child["digest"]
    raise ImageNotFound(f"{reference}: no manifest for linux/amd64")


def _blob(blobs: dict, digest: str) -> bytes:
    if digest not in blobs:
        raise ImageNotFound(f"layer or config {digest}: not found")
    return blobs[digest]


def _unpack(layers: list[bytes]) -> Path:
    root = Path(tempfile.mkdtemp(prefix="image-"))
    for layer in layers:
        with tarfile.open(fileobj=io.BytesIO(layer)) as archive:
            members = archive.getmembers()
            for member in members:
                _hide(root, member.name)
            archive.extractall(root, members, filter=_inside)
    return root


def _hide(root: Path, name: str) -> None:
    """Removes what a layer deletes from those below it: `.wh.name` stands for `name`."""
    path = root / name
    if not path.name.startswith(".wh.") or ".." in path.parts:
        return
    hidden = path.with_name(path.name.removeprefix(".wh."))
    if hidden.is_dir() and not hidden.is_symlink():
        shutil.rmtree(hidden)
    else:
        hidden.unlink(missing_ok=True)


def _inside(member: tarfile.TarInfo, root: str) -> tarfile.TarInfo | None:
    """Leaves out what must not be unpacked outside a container: devices, links and paths that lead out."""
    if Path(member.name).name.startswith(".wh."):
        return None
    try:
        return tarfile.data_filter(member, root)
    except tarfile.FilterError:
        return None
