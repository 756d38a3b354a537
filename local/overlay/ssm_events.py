"""SSM: an event for every parameter that is created, changed or deleted.

Plain ministack publishes none.
"""

from ministack.services import ssm

from . import events
from .wrap import Response, need, wrap

need(ssm, "_lookup_parameter")


@wrap(ssm, "_put_parameter")
def after_put(original, data: dict) -> Response:
    _, before = ssm._lookup_parameter(str(data.get("Name", "")))
    response = original(data)
    _announce(response, data, "Update" if before else "Create")
    return response


@wrap(ssm, "_delete_parameter")
def after_delete(original, data: dict) -> Response:
    response = original(data)
    _announce(response, data, "Delete")
    return response


def _announce(response: Response, data: dict, operation: str) -> None:
    if response[0] < 300:
        name = data["Name"]
        detail = {"name": name, "operation": operation, "type": data.get("Type", "String")}
        events.publish("aws.ssm", "Parameter Store Change", detail, [f"parameter{name}"])
