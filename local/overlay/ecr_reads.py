"""ECR: images answered under the tag that was asked for.

Plain ministack keeps one tag beside a digest, the last written, and answers it whatever was asked; it takes a
digest *or* a tag where AWS wants both to agree, and finds nothing wrong in describing what is not there.
"""

import re

from ministack.core.responses import error_response_json, get_account_id, json_response
from ministack.services import ecr

from .wrap import Response, content, need, succeeded, wrap

need(ecr, "_images", "_repositories")

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_AT_ONCE = 100


@wrap(ecr, "_find_image")
def find_both(original, repo_name: str, image_id: dict) -> dict | None:
    """Finds by digest and tag together, where both are given."""
    image = original(
        repo_name, {"imageDigest": image_id["imageDigest"]} if image_id.get("imageDigest") else image_id
    )
    tag = image_id.get("imageTag")
    return image if image and (not tag or tag in image["imageTags"]) else None


@wrap(ecr, "_batch_get_image")
def get(original, data: dict) -> Response:
    repository = data.get("repositoryName", "")
    if repository not in ecr._repositories:
        return original(data)
    if len(data.get("imageIds", [])) > _AT_ONCE:
        message = f"Invalid parameter at 'imageIds': expected at most {_AT_ONCE} elements"
        return error_response_json("InvalidParameterException", message, 400)
    images, failures = [], []
    for wanted in data.get("imageIds", []):
        image = ecr._find_image(repository, wanted)
        if image is None:
            failures.append({"imageId": wanted, **_failure(repository, wanted)})
            continue
        images.append(
            {
                "registryId": get_account_id(),
                "repositoryName": repository,
                "imageId": _id(image, wanted.get("imageTag")),
                "imageManifest": image["imageManifest"],
                "imageManifestMediaType": image["imageManifestMediaType"],
            }
        )
    return json_response({"images": images, "failures": failures})


def _id(image: dict, tag: str | None) -> dict:
    return {"imageDigest": image["imageDigest"], **({"imageTag": tag} if tag else {})}


def _failure(repository: str, wanted: dict) -> dict:
    digest, tag = wanted.get("imageDigest"), wanted.get("imageTag")
    if not digest and not tag:
        code, reason = "MissingDigestAndTag", "Invalid request parameters: both tag and digest cannot be null"
    elif digest and not _DIGEST.fullmatch(digest):
        code, reason = (
            "InvalidImageDigest",
            "Invalid request parameters: image digest should satisfy the regex",
        )
    elif digest and tag and ecr._find_image(repository, {"imageDigest": digest}):
        code, reason = "ImageTagDoesNotMatchDigest", "Requested tag does not match the digest"
    else:
        code, reason = "ImageNotFound", "Requested image not found"
    return {"failureCode": code, "failureReason": reason}


@wrap(ecr, "_list_images")
def list_each_tag(original, data: dict) -> Response:
    repository = data.get("repositoryName", "")
    if repository not in ecr._repositories:
        return original(data)
    status = data.get("filter", {}).get("tagStatus", "ANY")
    ids = [
        _id(image, tag) for image in ecr._images.get(repository, []) for tag in image["imageTags"] or [None]
    ]
    return json_response(
        {"imageIds": [i for i in ids if status == "ANY" or ("imageTag" in i) == (status == "TAGGED")]}
    )


@wrap(ecr, "_describe_images")
def describe_what_is_there(original, data: dict) -> Response:
    repository = data.get("repositoryName", "")
    for wanted in data.get("imageIds") or [] if repository in ecr._repositories else []:
        if ecr._find_image(repository, wanted) is None:
            message = f"The image with imageId {wanted} does not exist within the repository '{repository}'"
            return error_response_json("ImageNotFoundException", message, 400)
    status = data.get("filter", {}).get("tagStatus", "ANY")
    response = original(data)
    if status == "ANY" or not succeeded(response):
        return response
    details = content(response)["imageDetails"]
    return json_response(
        {"imageDetails": [one for one in details if bool(one["imageTags"]) == (status == "TAGGED")]}
    )
