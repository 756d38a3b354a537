"""What happens outside of releases, from the event or the line of a log to what people hear, and to its end."""

import json
import time

import alarm
import pytest
from service import eventually, put

QUICK = {
    "resolveAfterSeconds": 1,
    "routes": [{"severity": "warning", "to": ["sns"]}],
    "alarms": [{"name": "disk-*", "environment": "quick", "service": "users", "severity": "critical"}],
    "logs": [{"name": "panic", "match": "*panicked at*", "environment": "quick", "service": "{container}", "count": 5}],
}


@pytest.fixture(scope="module")
def quick(pipeline):
    """The end of something has to hold for a second alone."""
    ssm = pipeline.cloud.client("ssm")
    before = json.loads(ssm.get_parameter(Name="/tidegate/alerts")["Parameter"]["Value"])
    put(pipeline.cloud, "alerts", QUICK)
    time.sleep(10)  # for so long a warm function goes by what it has read
    yield pipeline
    put(pipeline.cloud, "alerts", before)


def test_an_alarm_is_told_and_so_is_its_end(quick):
    disk = alarm.create(quick.cloud, "disk-users")
    disk("ALARM", "9 of 10 requests failed")
    told = quick.inbox.topic("ALARM users in quick: ")
    assert told.startswith("ALARM users in quick: alarm disk-users: 9 of 10 requests failed. Act now."), told
    time.sleep(0.1)  # CloudWatch tells milliseconds
    disk("OK")
    told = quick.inbox.topic("RESOLVED ALARM users in quick: ")
    assert told.startswith("RESOLVED ALARM users in quick: the alarm disk-users is OK again; it has lasted "), told
    row = quick.known("alert#alarm/disk-users", "state")
    assert (row["edition"], row["seq"], row["sent"], row["count"]) == ("resolved", 2, 2, 1)
    # One that no environment and no rule names is somebody else's.
    alarm.create(quick.cloud, "billing")("ALARM")
    assert not quick.inbox.topic("ALARM alarm billing", seconds=1)


def test_somebody_who_deploys_a_bad_image_past_the_pipeline_is_told_of_it(quick):
    name = "past"
    service = quick.service(name)
    service.distrust()
    bad = service.define(service.push("bad", "v2", behaviour="crashes")["digest"])
    service.ecs.update_service(cluster=name, service=name, taskDefinition=bad)
    # Whichever of its events comes first opens the alert; all others are counted.
    told = eventually(
        lambda: quick.inbox.topic(f"TASK DIED {name} in {name}: ", 0.5)
        or quick.inbox.topic(f"DEPLOYMENT FAILED {name} in {name}: ", 0.5),
        "somebody was told",
    )
    assert told.partition("\n")[0].endswith(" Look when you can."), told
    # The breaker of ECS goes back, and the service is steady again.
    resolved = f"RESOLVED {told.partition(':')[0]}: the service is steady again; "
    eventually(lambda: quick.inbox.topic(resolved, 0.5), "its end was told", 60)
    count = quick.known(f"alert#ecs/{name}/{name}", "state")["count"]
    assert count > 1, "several tasks died, and it was told once"


def test_many_equal_lines_of_a_log_are_one_alert(quick, name):
    logs, group = quick.cloud.client("logs"), f"/ecs/{name}"
    function = quick.cloud.client("ssm").get_parameter(Name="/tidegate/signals/tidegate")["Parameter"]["Value"]
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="app/users/1")
    logs.put_subscription_filter(
        logGroupName=group, filterName="errors", filterPattern="?ERROR ?panicked", destinationArn=function
    )

    def log(*lines: str) -> None:
        events = [{"timestamp": int(time.time() * 1000), "message": line} for line in lines]
        logs.put_log_events(logGroupName=group, logStreamName="app/users/1", logEvents=events)

    log("thread 'main' panicked at src/main.rs:7:5", "ERROR slow", "INFO fine")
    assert not quick.inbox.topic("LOG users in quick: ", seconds=1), "one line is too few"
    for batch in range(20):
        log(*(f"thread 'main' panicked at src/main.rs:{line}:5" for line in range(batch, batch + 10)))
    told = quick.inbox.topic("LOG users in quick: ")
    assert told.startswith("LOG users in quick: thread 'main' panicked at src/main.rs:"), told

    def rows() -> list[dict]:
        scanned = quick.cloud.client("dynamodb").scan(TableName=quick.ledger)["Items"]
        return [row for row in scanned if row["pk"]["S"].startswith("alert#log/panic/") and row["sk"]["S"] == "state"]

    eventually(lambda: [row["count"]["N"] for row in rows()] == ["201"], "each line was counted once")


def test_a_document_that_cannot_be_read_is_told_until_it_can(quick):
    put(quick.cloud, "environments/typo", {"cluster": "typo", "tg": "typo"})
    told = quick.inbox.topic("SETTINGS INVALID /tidegate/environments/typo: ")
    assert 'unknown field `tg`' in told, told
    put(quick.cloud, "environments/typo", {"cluster": "typo", "tag": "typo"})
    assert quick.inbox.topic("RESOLVED SETTINGS INVALID /tidegate/environments/typo: ")
    quick.cloud.client("ssm").delete_parameter(Name="/tidegate/environments/typo")
