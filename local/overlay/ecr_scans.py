"""ECR: what scans have found, from a table that a test sets.

Plain ministack does not know the action at all, and nothing here scans. Whoever plays the scanner writes the file
`scans.json` of the local AWS: by digest the status and the findings of an image. An image that is not there has not
been scanned.
"""

import json
from pathlib import Path

from ministack.core.responses import error_response_json, get_account_id, json_response
from ministack.services import ecr

from .wrap import Response, need, wrap

need(ecr, "_images", "_repositories", "_find_image")

_KINDS = ("findings", "enhancedFindings")
_PAGE, _LONGEST_PAGE = 100, 1000
_table_of: list[Path] = []


def read_from(file: Path) -> None:
    """Says where the table is."""
    _table_of[:] = [file]


@wrap(ecr, "handle_request")
async def with_scans(original, method, path, headers, body, query_params) -> Response:
    if headers.get("x-amz-target", "").endswith(".DescribeImageScanFindings"):
        return _findings(json.loads(body))
    return await original(method, path, headers, body, query_params)


def _findings(data: dict) -> Response:
    repository, image_id = data.get("repositoryName", ""), data.get("imageId", {})
    if refused := _refused(data, repository, image_id):
        return error_response_json(*refused, 400)
    image = ecr._find_image(repository, image_id)
    scan = _table().get(image["imageDigest"])
    if scan is None:
        message = f"Image scan does not exist for the image with '{image_id}' in the repository '{repository}'"
        return error_response_json("ScanNotFoundException", message, 400)
    answer = {
        "registryId": get_account_id(),
        "repositoryName": repository,
        "imageId": {"imageDigest": image["imageDigest"], **image_id},
        "imageScanStatus": {"status": scan["status"], "description": scan.get("description", "")},
    }
    # AWS tells of findings only once there is a result.
    if scan["status"] in ("COMPLETE", "ACTIVE"):
        answer |= _page(scan, int(data.get("nextToken", 0)), data.get("maxResults", _PAGE))
    return json_response(answer)


def _refused(data: dict, repository: str, image_id: dict) -> tuple[str, str] | None:
    if data.get("registryId", get_account_id()) != get_account_id() or repository not in ecr._repositories:
        return "RepositoryNotFoundException", f"The repository with name '{repository}' does not exist"
    if not 1 <= data.get("maxResults", _PAGE) <= _LONGEST_PAGE or not data.get("nextToken", "0").isdigit():
        return "InvalidParameterException", f"Invalid parameter: expected 1 to {_LONGEST_PAGE} results and a token"
    if ecr._find_image(repository, image_id) is None:
        message = f"The image with imageId {image_id} does not exist within the repository '{repository}'"
        return "ImageNotFoundException", message
    return None


def _page(scan: dict, start: int, most: int) -> dict:
    """So many findings from a place on, and where the next ones begin; each page counts all of them."""
    [kind] = [kind for kind in _KINDS if kind in scan] or ["findings"]
    all_of_them, counts = scan.get(kind, []), {}
    for finding in all_of_them:
        counts[finding["severity"]] = counts.get(finding["severity"], 0) + 1
    more = {"nextToken": str(start + most)} if start + most < len(all_of_them) else {}
    return {
        "imageScanFindings": {kind: all_of_them[start : start + most], "findingSeverityCounts": counts},
        **more,
    }


def _table() -> dict:
    [file] = _table_of
    return json.loads(file.read_text()) if file.exists() else {}
