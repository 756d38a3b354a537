"""ECR: with which profiles images are signed, from a table that a test sets.

Plain ministack does not know the action at all, and nothing here signs. Whoever plays the signer writes the file
`signatures.json` of the local AWS: by digest the statuses of an image, one for each profile. An image that is not there
matches no rule for signing.
"""

import json
from pathlib import Path

from ministack.core.responses import error_response_json, get_account_id, json_response
from ministack.services import ecr

from .wrap import Response, need, wrap

need(ecr, "_images", "_repositories", "_find_image")

_table_of: list[Path] = []


def read_from(file: Path) -> None:
    """Says where the table is."""
    _table_of[:] = [file]


@wrap(ecr, "handle_request")
async def with_signatures(original, method, path, headers, body, query_params) -> Response:
    if headers.get("x-amz-target", "").endswith(".DescribeImageSigningStatus"):
        return _statuses(json.loads(body))
    return await original(method, path, headers, body, query_params)


def _statuses(data: dict) -> Response:
    repository, image_id = data.get("repositoryName", ""), data.get("imageId", {})
    if data.get("registryId", get_account_id()) != get_account_id() or repository not in ecr._repositories:
        message = f"The repository with name '{repository}' does not exist"
        return error_response_json("RepositoryNotFoundException", message, 400)
    if (image := ecr._find_image(repository, image_id)) is None:
        message = f"The image with imageId {image_id} does not exist within the repository '{repository}'"
        return error_response_json("ImageNotFoundException", message, 400)
    [file] = _table_of
    table = json.loads(file.read_text()) if file.exists() else {}
    return json_response(
        {
            "registryId": get_account_id(),
            "repositoryName": repository,
            "imageId": {"imageDigest": image["imageDigest"], **image_id},
            "signingStatuses": table.get(image["imageDigest"], []),
        }
    )
