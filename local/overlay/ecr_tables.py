"""ECR: what a test says of images, by digest, in a file of the local AWS, and what is said of images that are not there."""

import json
from pathlib import Path

from ministack.core.responses import error_response_json, get_account_id
from ministack.services import ecr

from .wrap import Response, need

need(ecr, "_images", "_repositories", "_find_image")


class Table:
    """A file that whoever plays a part of AWS writes."""

    def __init__(self) -> None:
        self._file: Path | None = None

    def read_from(self, file: Path) -> None:
        """Says where the table is."""
        self._file = file

    def of(self, image: dict):
        """What is said of an image; none if nothing is."""
        there = self._file is not None and self._file.exists()
        return json.loads(self._file.read_text()).get(image["imageDigest"]) if there else None


def no_repository(data: dict) -> Response | None:
    """The refusal of a repository that does not exist."""
    repository = data.get("repositoryName", "")
    if data.get("registryId", get_account_id()) == get_account_id() and repository in ecr._repositories:
        return None
    message = f"The repository with name '{repository}' does not exist"
    return error_response_json("RepositoryNotFoundException", message, 400)


def no_image(data: dict) -> Response | None:
    """The refusal of an image that does not exist."""
    repository, image_id = data["repositoryName"], data.get("imageId", {})
    if ecr._find_image(repository, image_id) is not None:
        return None
    message = f"The image with imageId {image_id} does not exist within the repository '{repository}'"
    return error_response_json("ImageNotFoundException", message, 400)


def about(data: dict, image: dict) -> dict:
    """What every answer about an image begins with."""
    return {
        "registryId": get_account_id(),
        "repositoryName": data["repositoryName"],
        "imageId": {"imageDigest": image["imageDigest"], **data.get("imageId", {})},
    }
