"""Builds and pushes tiny images whose entrypoint is a real HTTP server."""

import gzip
import hashlib
import io
import json
import tarfile
import urllib.request

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"

SERVER = """#!/usr/bin/env python3
import http.server, os, pathlib, sys, urllib.request

here = pathlib.Path(__file__).parent
version = (here / "version").read_text()
if (here / "deleted").exists() or (here / "leads-out").is_symlink():
    sys.exit("the layers were not unpacked as they must be")
print("starting", version, flush=True)
if "crash" in version:
    sys.exit(3)


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if "curious" in version:
            urllib.request.urlopen(os.environ["AWS_ENDPOINT_URL"] + "/_ministack/health").close()
        self.send_response(500 if "sick" in version else 200)
        self.end_headers()
        self.wfile.write(version.encode())


http.server.HTTPServer((os.environ["TASK_ADDRESS"], int(os.environ["PORT"])), Answer).serve_forever()
"""


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def push(cloud, repository: str, version: str, reference: str | None = None) -> str:
    """Pushes an image that answers with its version; returns its digest."""
    layers = [_layer({"server": SERVER, "deleted": "", "leads-out": None})]
    layers.append(_layer({".wh.deleted": "", "version": version}))
    config = json.dumps(
        {"architecture": "amd64", "os": "linux", "config": {"Entrypoint": ["/app/server"]}}
    ).encode()
    for blob in (*layers, config):
        request(cloud, "POST", f"{repository}/blobs/uploads/?digest={digest_of(blob)}", blob)
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": _descriptor("application/vnd.oci.image.config.v1+json", config),
        "layers": [_descriptor("application/vnd.oci.image.layer.v1.tar+gzip", layer) for layer in layers],
    }
    return put(cloud, repository, json.dumps(manifest).encode(), MANIFEST, reference)


def push_index(cloud, repository: str, child: str, reference: str) -> str:
    """Pushes an index over a child that is there already; returns the digest of the index."""
    platform = {"os": "linux", "architecture": "amd64"}
    other = {
        "mediaType": MANIFEST,
        "digest": child,
        "size": 1,
        "platform": {"os": "linux", "architecture": "s390x"},
    }
    children = [other, {"mediaType": MANIFEST, "digest": child, "size": 1, "platform": platform}]
    # Odd spacing: an index must come back as these very bytes.
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": children}, indent=3).encode()
    return put(cloud, repository, index, INDEX, reference)


def put(cloud, repository: str, manifest: bytes, media_type: str, reference: str | None) -> str:
    digest = digest_of(manifest)
    request(cloud, "PUT", f"{repository}/manifests/{reference or digest}", manifest, media_type)
    return digest


def request(cloud, method: str, path: str, body: bytes | None = None, media_type="application/octet-stream"):
    headers = {"Content-Type": media_type}
    call = urllib.request.Request(f"http://{cloud.registry}/v2/{path}", body, headers, method=method)
    with urllib.request.urlopen(call, timeout=10) as answer:
        return answer.read()


def _descriptor(media_type: str, blob: bytes) -> dict:
    return {"mediaType": media_type, "digest": digest_of(blob), "size": len(blob)}


def _layer(files: dict[str, str | None]) -> bytes:
    """A layer of files in /app; one without a text is a link that leads out of the image."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(f"app/{name}")
            if text is None:
                member.type, member.linkname, text = tarfile.SYMTYPE, "/etc/passwd", ""
            member.size, member.mode = len(text), 0o755
            tar.addfile(member, io.BytesIO(text.encode()))
    return gzip.compress(archive.getvalue(), mtime=0)
