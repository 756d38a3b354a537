"""Copies an image from one repository of a registry to another, as a build server that builds it once does."""

import json
import urllib.request


def copy(registry: str, digest: str, source: str, repository: str, tag: str = "") -> None:
    """Copies an image with its blobs; without a tag it is there by its digest alone, which starts no release."""
    there = f"http://{registry}/v2/{repository}"
    manifest, media_type = _get(f"http://{registry}/v2/{source}/manifests/{digest}")
    document = json.loads(manifest)
    for blob in [document["config"], *document["layers"]]:
        content, _ = _get(f"http://{registry}/v2/{source}/blobs/{blob['digest']}")
        _send("POST", f"{there}/blobs/uploads/?digest={blob['digest']}", content, "application/octet-stream")
    _send("PUT", f"{there}/manifests/{tag or digest}", manifest, media_type)


def _get(url: str) -> tuple[bytes, str]:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read(), answer.headers["Content-Type"]


def _send(method: str, url: str, content: bytes, media_type: str) -> None:
    request = urllib.request.Request(url, content, {"Content-Type": media_type}, method=method)
    urllib.request.urlopen(request, timeout=10).close()
