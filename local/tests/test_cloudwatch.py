"""CloudWatch: what a filter finds in logs, and what GetMetricData computes."""

import json
import time

import botocore.exceptions
import pytest

LINES = [
    "INFO ready on port 8080",
    "ERROR no connection to 10.0.0.7",
    "WARN error budget is low",
    "thread 'main' panicked at src/main.rs:42",
    json.dumps({"level": "error", "took": 1500, "user": {"name": "anna"}}),
]


@pytest.fixture
def logged(cloud, name):
    """Searches a stream with these lines; returns the numbers of those that are found."""
    logs = cloud.client("logs")
    logs.create_log_group(logGroupName=name)
    logs.create_log_stream(logGroupName=name, logStreamName="app/app/1")
    now = int(time.time() * 1000)
    events = [{"timestamp": now, "message": line} for line in LINES]
    logs.put_log_events(logGroupName=name, logStreamName="app/app/1", logEvents=events)

    def search(pattern: str, streams=("app/app/1",)) -> list[int]:
        found = logs.filter_log_events(logGroupName=name, filterPattern=pattern, logStreamNames=list(streams))
        return [LINES.index(event["message"]) for event in found["events"]]

    yield search
    logs.delete_log_group(logGroupName=name)


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("", [0, 1, 2, 3, 4]),
        ("ERROR", [1]),
        ("?ERROR ?panicked", [1, 3]),
        ("?ERROR ?nothing", [1]),
        ("error -budget", [4]),
        ('"no connection"', [1]),
        ('"connection no"', []),
        ("connection no", [1]),
        ("%panicked at .*:[0-9]+%", [3]),
        ("?%port [0-9]+% ?WARN", [0, 2]),
        ('{ $.level = "error" }', [4]),
        ('{ $.level = "info" }', []),
        ('{ $.user.name = "an*" && $.took > 1000 }', [4]),
        ('{ $.took < 1000 || $.level != "error" }', []),
        ("{ $.level = %^err% }", [4]),
    ],
)
def test_a_filter_finds_what_it_says(logged, pattern, found):
    assert logged(pattern) == found


def test_a_stream_that_does_not_exist_fails_the_search(logged):
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        logged("ERROR", ("app/app/1", "app/app/2"))
    assert refused.value.response["Error"]["Code"] == "ResourceNotFoundException"
    with pytest.raises(botocore.exceptions.ClientError):
        logged("ERROR", [f"app/app/{number}" for number in range(101)])


def test_a_metric_is_computed_from_others_and_the_newest_period_comes_first(cloud, name):
    cloudwatch, begins = cloud.client("cloudwatch"), int(time.time()) // 60 * 60 - 600

    def put(metric: str, values: list[float | None]) -> None:
        points = [(begins + 60 * n, value) for n, value in enumerate(values) if value is not None]
        data = [{"MetricName": metric, "Timestamp": at, "Value": value} for at, value in points]
        cloudwatch.put_metric_data(Namespace=name, MetricData=data)

    def query(identity: str, metric: str) -> dict:
        read = {"Metric": {"Namespace": name, "MetricName": metric}, "Period": 60, "Stat": "Sum"}
        return {"Id": identity, "MetricStat": read, "ReturnData": False}

    def asked(expression: str, **more) -> dict:
        queries = [{"Id": "share", "Expression": expression}, query("errors", "Errors"), query("all", "All")]
        queries += [{"Id": "double", "Expression": "errors * 2", "ReturnData": False}]
        span = {"StartTime": begins, "EndTime": begins + 300}
        [result] = cloudwatch.get_metric_data(MetricDataQueries=queries, **span, **more)["MetricDataResults"]
        assert result["Id"] == "share"
        return result

    put("Errors", [1, 2, 3, None])
    put("All", [10, 10, 0, 10])
    share = asked("errors / all")
    assert (share["StatusCode"], share["Values"]) == ("Complete", [0.2, 0.1])
    assert [at.timestamp() for at in share["Timestamps"]] == [begins + 60, begins]
    assert asked("errors / all", ScanBy="TimestampAscending")["Values"] == [0.1, 0.2]
    assert asked("100 * (double - 1) + -all")["Values"] == [500, 290, 90]
    assert asked("nothing + 1")["Values"] == []
    for expression in ("FILL(errors, 0)", "share + 1", "errors +"):
        assert asked(expression)["StatusCode"] == "InternalError"
