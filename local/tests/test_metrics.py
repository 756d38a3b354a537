"""The lines of which CloudWatch makes metrics, as the functions of real releases have logged them."""

import json

import stack
from service import eventually


def _lines(pipeline, function: str, release: str) -> list[dict]:
    """The lines of a function that are about a release, as they stand in its log."""
    described = pipeline.cloud.client("cloudformation").describe_stack_resource(
        StackName=stack.STACK, LogicalResourceId=function
    )
    name, logs = described["StackResourceDetail"]["PhysicalResourceId"], pipeline.cloud.client("logs")
    group = pipeline.cloud.client("lambda").get_function_configuration(FunctionName=name)["LoggingConfig"]["LogGroup"]
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
    texts = [event["message"] for page in pages for event in page["events"] if '"_aws"' in event["message"]]
    return [line for line in map(json.loads, texts) if line["release"] == release]


def _metrics(line: dict) -> dict:
    """What CloudWatch makes of a line: each metric by its dimensions and its name."""
    found = {}
    for directive in line["_aws"]["CloudWatchMetrics"]:
        assert directive["Namespace"] == "Tidegate"
        [dimensions] = directive["Dimensions"]
        where = tuple(line[each] for each in dimensions)
        found |= {(*where, each["Name"]): line[each["Name"]] for each in directive["Metrics"]}
    return found


def test_a_release_is_measured_once(pipeline):
    users = pipeline.service("measured")
    good = pipeline.push(users, "measured-2", "v2").run.name
    [line] = eventually(lambda: _lines(pipeline, "ReleaseFunction", good), "the metrics came")
    metrics = _metrics(line)
    assert metrics["measured", "Deployed", "Releases"] == 1 and line["services"] == ["measured"]
    assert metrics["measured", "Changes"] == metrics["measured", "Deployments"] == 1
    assert metrics["measured", "MovesDeployed"] == 1 and metrics["measured", "FailedChanges"] == 0
    assert 0 <= metrics["measured", "RolloutSeconds"] <= metrics["measured", "ReleaseSeconds"] < 60
    told = eventually(lambda: _lines(pipeline, "AlertFunction", good), "the metrics of its alerts came")
    assert "sns" in [line["channel"] for line in told if _metrics(line) == {("AlertsDelivered",): 1}]

    bad = pipeline.push(users, "measured-3", "v3", behaviour="wrong-content").run.name
    [line] = eventually(lambda: _lines(pipeline, "ReleaseFunction", bad), "the metrics came")
    metrics = _metrics(line)
    assert metrics["measured", "RolledBack", "Releases"] == metrics["measured", "FailedChanges"] == 1
    assert metrics["measured", "MovesUndone"] == 1 and metrics["measured", "RecoverySeconds"] < 60
    assert metrics["measured", "Deployments"] == 0
