"""ECR: an event for every push, and one store for both APIs.

Plain ministack emits no ECR events, so that nothing would ever start a release; and a manifest written by
PutImage cannot be pulled by its digest. A push that changes nothing emits nothing.
"""

import json

from ministack.services import ecr

from . import events
from .ecr_errors import exists
from .wrap import Response, content, need, succeeded, wrap

need(ecr, "_images", "_manifest_blobs", "_image_digest")


@wrap(ecr, "_put_image")
def announce(original, data: dict) -> Response:
    response = original(data)
    if not succeeded(response):
        return response
    repository, tag = data["repositoryName"], data.get("imageTag")
    manifest = data["imageManifest"].encode()
    digest = ecr._image_digest(manifest)
    ecr._manifest_blobs.setdefault(repository, {})[digest] = manifest
    image = content(response)["image"]
    _publish(repository, digest, tag, image["imageManifestMediaType"])
    image["imageId"] = {"imageDigest": digest, **({"imageTag": tag} if tag else {})}
    return response[0], response[1], json.dumps({"image": image}).encode()


@wrap(ecr, "_v2_put_manifest")
def announce_push(original, name: str, ref: str, headers: dict, body: bytes) -> Response:
    tag = None if ref.startswith("sha256:") else ref
    digest = ecr._image_digest(body)
    known = exists(name, digest, tag)
    response = original(name, ref, headers, body)
    if succeeded(response) and not known:
        _publish(name, digest, tag, headers.get("content-type", ""))
    return response


def _publish(repository: str, digest: str, tag: str | None, media_type: str) -> None:
    detail = {
        "result": "SUCCESS",
        "repository-name": repository,
        "image-digest": digest,
        "action-type": "PUSH",
        # A push by digest has no tag: the field is missing then, not empty.
        **({"image-tag": tag} if tag else {}),
        "manifest-media-type": media_type,
    }
    events.publish("aws.ecr", "ECR Image Action", detail, [])
