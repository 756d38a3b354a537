"""ECS: a large cluster is read in pages.

Plain ministack lists all services at once and describes as many as it is asked for, so that whoever forgets a
page would find it out on AWS.
"""

from ministack.core.responses import error_response_json, json_response
from ministack.services import ecs

from .wrap import Response, content, succeeded, wrap

_AT_ONCE = {"DescribeServices": ("services", 10), "DescribeTasks": ("tasks", 100)}
_PAGE = 10


@wrap(ecs, "_list_services")
def a_page(original, data: dict) -> Response:
    response = original(data)
    if not succeeded(response):
        return response
    arns, start = content(response)["serviceArns"], int(data.get("nextToken") or 0)
    end = start + int(data.get("maxResults") or _PAGE)
    return json_response({"serviceArns": arns[start:end], **({"nextToken": str(end)} if arns[end:] else {})})


@wrap(ecs, "_dispatch_action")
def not_too_many(original, action: str, data: dict) -> Response:
    field, most = _AT_ONCE.get(action, ("", 0))
    if len(data.get(field, [])) > most:
        message = f"{field.capitalize()} cannot have more than {most} elements"
        return error_response_json("InvalidParameterException", message, 400)
    return original(action, data)
