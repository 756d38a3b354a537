"""ECS: tasks that somebody runs beside a service, once for each token.

Plain ministack ignores the token, so that a call that comes twice starts two tasks, and takes what AWS refuses.
"""

import json
import threading

from ministack.core.responses import error_response_json
from ministack.services import ecs

from .wrap import Response, content, need, succeeded, wrap

need(ecs, "_task_defs", "_resolve_td_key")

_LONGEST_OVERRIDES = 8192
_LONGEST_TOKEN = 64
_LONGEST_STARTED_BY = 128

_by_token: dict[str, tuple[str, Response]] = {}
_lock = threading.Lock()


@wrap(ecs, "_run_task")
def once_for_each_token(original, data: dict) -> Response:
    if data.get("_deploymentId"):
        return original(data)
    if problem := _problem(data):
        return error_response_json(*problem, 400)
    token = data.get("clientToken")
    if not token:
        return original(data)
    asked = json.dumps(data, sort_keys=True)
    with _lock:
        if token in _by_token:
            before, response = _by_token[token]
            return response if before == asked else _conflict(response)
        response = original(data)
        if succeeded(response) and content(response)["tasks"]:
            _by_token[token] = (asked, response)
        return response


def _conflict(response: Response) -> Response:
    arns = [task["taskArn"] for task in content(response)["tasks"]]
    status, headers, body = error_response_json("ConflictException", "The token was used for another request.", 400)
    return status, headers, json.dumps({**json.loads(body), "resourceIds": arns}).encode()


def _problem(data: dict) -> tuple[str, str] | None:
    definition = ecs._task_defs[ecs._resolve_td_key(data["taskDefinition"])]
    told = data.get("overrides", {})
    names = {container["name"] for container in definition["containerDefinitions"]}
    unknown = [each["name"] for each in told.get("containerOverrides", []) if each["name"] not in names]
    if unknown:
        return "InvalidParameterException", f"Override for container named {unknown[0]} is not a container in the TaskDefinition."
    if len(json.dumps(told)) > _LONGEST_OVERRIDES:
        return "InvalidParameterException", f"Container overrides length must be at most {_LONGEST_OVERRIDES}"
    if definition.get("networkMode") == "awsvpc" and not data.get("networkConfiguration"):
        return "InvalidParameterException", "Network Configuration must be provided when networkMode 'awsvpc' is specified."
    if len(data.get("clientToken", "")) > _LONGEST_TOKEN:
        return "InvalidParameterException", f"clientToken can be at most {_LONGEST_TOKEN} characters."
    if len(data.get("startedBy", "")) > _LONGEST_STARTED_BY:
        return "InvalidParameterException", f"startedBy can be at most {_LONGEST_STARTED_BY} characters."
    return None
