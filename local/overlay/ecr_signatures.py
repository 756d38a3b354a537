"""ECR: with which profiles images are signed, from a table that a test sets.

Plain ministack does not know the action at all, and nothing here signs. Whoever plays the signer writes the file
`signatures.json` of the local AWS: by digest the statuses of an image, one for each profile. An image that is not there
matches no rule for signing.
"""

import json

from ministack.core.responses import json_response
from ministack.services import ecr

from .ecr_tables import Table, about, no_image, no_repository
from .wrap import Response, wrap

table = Table()


@wrap(ecr, "handle_request")
async def with_signatures(original, method, path, headers, body, query_params) -> Response:
    if headers.get("x-amz-target", "").endswith(".DescribeImageSigningStatus"):
        return _statuses(json.loads(body))
    return await original(method, path, headers, body, query_params)


def _statuses(data: dict) -> Response:
    if refused := no_repository(data) or no_image(data):
        return refused
    image = ecr._find_image(data["repositoryName"], data.get("imageId", {}))
    return json_response({**about(data, image), "signingStatuses": table.of(image) or []})
