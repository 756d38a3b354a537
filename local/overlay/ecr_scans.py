"""ECR: what scans have found, from a table that a test sets.

Plain ministack does not know the action at all, and nothing here scans. Whoever plays the scanner writes the file
`scans.json` of the local AWS: by digest the status and the findings of an image. An image that is not there has not
been scanned.
"""

import json

from ministack.core.responses import error_response_json, json_response
from ministack.services import ecr

from .ecr_tables import Table, about, no_image, no_repository
from .wrap import Response, wrap

_KINDS = ("findings", "enhancedFindings")
_PAGE, _LONGEST_PAGE = 100, 1000
table = Table()


@wrap(ecr, "handle_request")
async def with_scans(original, method, path, headers, body, query_params) -> Response:
    if headers.get("x-amz-target", "").endswith(".DescribeImageScanFindings"):
        return _findings(json.loads(body))
    return await original(method, path, headers, body, query_params)


def _findings(data: dict) -> Response:
    if refused := no_repository(data) or _no_page(data) or no_image(data):
        return refused
    repository, image_id = data["repositoryName"], data.get("imageId", {})
    image = ecr._find_image(repository, image_id)
    scan = table.of(image)
    if scan is None:
        message = f"Image scan does not exist for the image with '{image_id}' in the repository '{repository}'"
        return error_response_json("ScanNotFoundException", message, 400)
    status = {"status": scan["status"], "description": scan.get("description", "")}
    answer = {**about(data, image), "imageScanStatus": status}
    # AWS tells of findings only once there is a result.
    if scan["status"] in ("COMPLETE", "ACTIVE"):
        answer |= _page(scan, int(data.get("nextToken", 0)), data.get("maxResults", _PAGE))
    return json_response(answer)


def _no_page(data: dict) -> Response | None:
    if 1 <= data.get("maxResults", _PAGE) <= _LONGEST_PAGE and data.get("nextToken", "0").isdigit():
        return None
    message = f"Invalid parameter: expected 1 to {_LONGEST_PAGE} results and a token"
    return error_response_json("InvalidParameterException", message, 400)


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
