"""Searches what releases have left behind for secrets: the logs, histories, rows and alerts that many people may read."""

import json
import re
from collections.abc import Iterator

import canary

_SECRET = re.compile(rf"{canary.MARK}[\w-]*")

# What stands whole in rows of the ledger, and nowhere else.  SECURITY.md says so to those who let people read them.
_KEPT_WHOLE = {
    # Live tests: a release asks what it has read when it opened.
    canary.PACK_QUERY: "pack#",
    canary.PACK_PARAMETER.strip("/"): "pack#",
    # Revisions: a rollback registers again what ECS has lost.  Of a secret that is the name, and never the value.
    canary.ENVIRONMENT_VALUE: "revision#",
    canary.PARAMETER.strip("/"): "revision#",
}


def leaks(pipeline) -> list[str]:
    """Every place that holds a secret and must not, with the secret."""
    found = set()
    for kind, place, text in left_behind(pipeline):
        for secret in _SECRET.findall(text):
            if kind != "ledger" or not place.startswith(_KEPT_WHOLE.get(secret, "no row")):
                found.add(f"{kind}: {place}: {secret}")
        for token, release in pipeline.tokens.items():
            # Step Functions writes the token into the history of the release itself; SECURITY.md says what it is worth.
            allowed = (kind, place) == ("history", release) or place.endswith(f"/waiting#{release}")
            if token in text and not allowed:
                found.add(f"{kind}: {place}: the task token of {release}")
    return sorted(found)


def left_behind(pipeline) -> Iterator[tuple[str, str, str]]:
    """All that releases have left: the kind of place, the place, and a text that stands there."""
    cloud = pipeline.cloud
    yield from _logged(cloud.client("logs"))
    yield from _executed(cloud.client("stepfunctions"), pipeline.machine)
    for page in cloud.client("dynamodb").get_paginator("scan").paginate(TableName=pipeline.ledger):
        yield from (("ledger", f"{row['pk']['S']}/{row['sk']['S']}", json.dumps(row)) for row in page["Items"])
    told = pipeline.receivers.texts() if pipeline.receivers else []
    yield from (("alert", text[:80], text) for text in told)
    yield from (("alert", text.partition("\n")[0][:80], text) for text in pipeline.inbox.texts())


def _logged(logs) -> Iterator[tuple[str, str, str]]:
    """What the functions and the machine have logged; what a service logs is its own."""
    for groups in logs.get_paginator("describe_log_groups").paginate():
        names = [group["logGroupName"] for group in groups["logGroups"]]
        for name in (name for name in names if not name.startswith("/ecs/")):
            for page in logs.get_paginator("filter_log_events").paginate(logGroupName=name):
                yield from (("log", name, event["message"]) for event in page["events"])


def _executed(sfn, machine: str) -> Iterator[tuple[str, str, str]]:
    """The input, the end and the whole history of every execution, and of every item of its Maps."""
    for execution in _executions(sfn, stateMachineArn=machine):
        yield from _execution(sfn, execution)
        for run in sfn.list_map_runs(executionArn=execution)["mapRuns"]:
            for item in _executions(sfn, mapRunArn=run["mapRunArn"]):
                yield from _execution(sfn, item)


def _executions(sfn, **which) -> list[str]:
    pages = sfn.get_paginator("list_executions").paginate(**which)
    return [each["executionArn"] for page in pages for each in page["executions"]]


def _execution(sfn, execution: str) -> Iterator[tuple[str, str, str]]:
    name = execution.rsplit(":", 1)[-1]
    described = sfn.describe_execution(executionArn=execution)
    yield "execution", name, json.dumps(described, default=str)
    for page in sfn.get_paginator("get_execution_history").paginate(executionArn=execution):
        yield from (("history", name, json.dumps(event, default=str)) for event in page["events"])
