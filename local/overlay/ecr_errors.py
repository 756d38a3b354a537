"""ECR: the refusals of PutImage, and tags that cannot move.

Plain ministack accepts a manifest that is no JSON, one that is not what `imageDigest` says and one that is
already there, and forgets the exclusion filters of immutable tags. Retagging depends on these answers.
"""

import fnmatch
import json

from ministack.core.responses import error_response_json, get_account_id
from ministack.services import ecr

from .wrap import Response, need, succeeded, wrap

need(ecr, "_images", "_repositories", "_image_digest", "_registry_error")


@wrap(ecr, "_put_image")
def refuse(original, data: dict) -> Response:
    repository = data.get("repositoryName", "")
    if repository not in ecr._repositories:
        return original(data)
    try:
        manifest = json.loads(data.get("imageManifest", ""))
        media_type = data.get("imageManifestMediaType") or manifest["mediaType"]
    except (ValueError, TypeError, KeyError):
        return _error(
            "InvalidParameterException", "Invalid parameter at 'ImageManifest': not a known manifest"
        )
    digest, tag = ecr._image_digest(data["imageManifest"]), data.get("imageTag")
    if data.get("imageDigest", digest) != digest:
        return _error("ImageDigestDoesNotMatchException", f"The image digest is {digest}, not as given")
    if exists(repository, digest, tag):
        return _error(
            "ImageAlreadyExistsException", f"Image with digest '{digest}' and tag '{tag}' already exists"
        )
    if tag and _owner(repository, tag) and immutable(repository, tag):
        message = f"The image tag '{tag}' already exists in '{repository}' and cannot be overwritten"
        return _error("ImageTagAlreadyExistsException", message)
    for child in manifest.get("manifests", []):
        if not exists(repository, child.get("digest")):
            return _error(
                "ReferencedImagesNotFoundException", f"The image {child.get('digest')} does not exist"
            )
    return original({**data, "imageManifestMediaType": media_type})


@wrap(ecr, "_v2_put_manifest")
def refuse_push(original, name: str, ref: str, headers: dict, body: bytes) -> Response:
    moves = name in ecr._repositories and _owner(name, ref) not in (None, ecr._image_digest(body))
    if moves and immutable(name, ref):
        return ecr._registry_error(400, "TAG_INVALID", f"tag '{ref}' is immutable", {"tag": ref})
    return original(name, ref, headers, body)


def exists(repository: str, digest: str, tag: str | None = None) -> bool:
    """Whether the repository holds this digest, under this tag if one is given."""
    images = [image for image in ecr._images.get(repository, []) if image["imageDigest"] == digest]
    return any(tag is None or tag in image["imageTags"] for image in images)


def immutable(repository: str, tag: str) -> bool:
    """Whether a tag that exists must stay where it is."""
    settings = ecr._repositories[repository]
    mutability = settings.get("imageTagMutability", "MUTABLE")
    filters = (
        settings.get("imageTagMutabilityExclusionFilters", []) if mutability.endswith("EXCLUSION") else []
    )
    excluded = any(fnmatch.fnmatchcase(tag, entry["filter"]) for entry in filters)
    return mutability.startswith("IMMUTABLE") != excluded


def _owner(repository: str, tag: str) -> str | None:
    images = ecr._images.get(repository, [])
    return next((image["imageDigest"] for image in images if tag in image["imageTags"]), None)


def _error(code: str, message: str) -> Response:
    return error_response_json(code, message, 400)


@wrap(ecr, "_create_repository")
def keep_filters(original, data: dict) -> Response:
    response = original(data)
    if succeeded(response):
        response = _remember_filters(data, response)
    return response


@wrap(ecr, "_put_image_tag_mutability")
def replace_filters(original, data: dict) -> Response:
    response = original(data)
    return _remember_filters(data, response) if succeeded(response) else response


def _remember_filters(data: dict, response: Response) -> Response:
    filters = data.get("imageTagMutabilityExclusionFilters", [])
    ecr._repositories[data["repositoryName"]]["imageTagMutabilityExclusionFilters"] = filters
    document = json.loads(response[2])
    document.get("repository", document)["imageTagMutabilityExclusionFilters"] = filters
    return response[0], response[1], json.dumps(document).encode()


@wrap(ecr, "_repo_shape")
def show_filters(original, repo: dict) -> dict:
    filters = repo.get("imageTagMutabilityExclusionFilters")
    return {**original(repo), **({"imageTagMutabilityExclusionFilters": filters} if filters else {})}


def _in_our_registry(original, data: dict) -> Response:
    if data.get("registryId", get_account_id()) != get_account_id():
        message = f"The repository does not exist in the registry with id '{data['registryId']}'"
        return _error("RepositoryNotFoundException", message)
    return original(data)


for _action in ("_put_image", "_batch_get_image", "_describe_images", "_list_images", "_batch_delete_image"):
    wrap(ecr, _action)(lambda original, *call: _in_our_registry(original, *call))
