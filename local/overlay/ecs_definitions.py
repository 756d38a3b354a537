"""ECS: task definitions come back as they were registered.

Plain ministack drops members it does not know (`enableFaultInjection`) and shows those never given as "" or
null. Deploying copies a definition field by field, so a lost one must be our loss, not the emulator's.
"""

import json

from ministack.services import ecs

from .wrap import Response, content, need, succeeded, wrap

need(ecs, "_task_defs")


@wrap(ecs, "_register_task_definition")
def keep_all(original, data: dict) -> Response:
    response = original(data)
    if not succeeded(response):
        return response
    document = content(response)
    shown = document["taskDefinition"]
    stored = ecs._task_defs[f"{shown['family']}:{shown['revision']}"]
    for name in [name for name, value in stored.items() if value in ("", None) and name not in data]:
        del stored[name]
    for name in data.keys() - stored.keys() - {"tags"}:
        stored[name] = data[name]
    return response[0], response[1], json.dumps({**document, "taskDefinition": stored}).encode()


@wrap(ecs, "_describe_task_definition")
def tags_when_asked(original, data: dict) -> Response:
    response = original(data)
    if not succeeded(response) or "TAGS" in data.get("include", []):
        return response
    document = content(response)
    document.pop("tags", None)
    return response[0], response[1], json.dumps(document).encode()
