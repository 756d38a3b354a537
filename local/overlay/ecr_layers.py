"""ECR: a layer, or a configuration, can be fetched from where it is said to be.

Plain ministack gives out the address of a registry that is not there, for a layer that is not there, too.
"""

import json
import os

from ministack.core.responses import error_response_json
from ministack.services import ecr

from .wrap import Response, content, need, succeeded, wrap

need(ecr, "_layer_blobs")


@wrap(ecr, "_get_download_url_for_layer")
def from_this_registry(original, data: dict) -> Response:
    response = original(data)
    if not succeeded(response):
        return response
    repository, digest = data["repositoryName"], data.get("layerDigest", "")
    if digest not in ecr._layer_blobs.get(repository, {}):
        return error_response_json("LayersNotFoundException", f"The layer {digest} could not be found", 400)
    here = os.environ.get("TIDEGATE_SEEN_AT", os.environ["AWS_ENDPOINT_URL"])
    url = f"{here}/v2/{repository}/blobs/{digest}"
    return response[0], response[1], json.dumps({**content(response), "downloadUrl": url}).encode()
