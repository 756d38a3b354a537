"""An alarm that goes red after a release has ended, from CloudWatch's event to the rollback and its alert."""

import json

import pytest

import watch
from alarm import create
from service import eventually


@pytest.fixture
def alarm(pipeline, name):
    """An alarm that is quiet, and is set by its name."""
    to = create(pipeline.cloud, name)
    to("OK")
    yield to
    pipeline.cloud.client("cloudwatch").delete_alarms(AlarmNames=[name])


def started_by(pipeline, alarm: str) -> list[str]:
    """The executions that an alarm has started, newest first."""
    sfn = pipeline.cloud.client("stepfunctions")
    found = [
        execution
        for page in sfn.get_paginator("list_executions").paginate(stateMachineArn=pipeline.machine)
        for execution in page["executions"]
    ]
    found.sort(key=lambda each: each["startDate"], reverse=True)
    described = [sfn.describe_execution(executionArn=each["executionArn"]) for each in found]
    return [
        each["executionArn"]
        for each in described
        if json.loads(each["input"]).get("detail", {}).get("alarmName") == alarm
    ]


def test_an_alarm_after_a_release_rolls_it_back_once(pipeline, name, alarm):
    service = pipeline.service(name, guardMinutes=5, alarms={"*": [name]})
    before = service.digests()
    released = pipeline.push(service, f"{name}-1", "v2")
    assert released.faults() == []
    alarm("ALARM")
    [execution] = eventually(lambda: started_by(pipeline, name), "the alarm started an execution")
    back = pipeline.ended(execution)
    assert back.outcome == "Deployed", back.cause
    assert set(service.answers().values()) == {"hello from v1"} and service.digests() == before
    assert "Approve" not in back.states
    text, posted = pipeline.inbox.about(back.name)
    assert text.startswith(f"ROLLED BACK BY AN ALARM {name} in {name}: "), text
    assert released.run.name in text and "Nothing to do now." in text
    assert posted["severity"] == "critical"
    assert pipeline.known(f"release#{released.run.name}", "guard")["by"] == back.name

    # What is back is not guarded by the rows of what it has replaced.
    alarm("OK")
    alarm("ALARM")
    again = eventually(lambda: started_by(pipeline, name)[:-1], "the alarm started another execution")
    declined = watch.follow(pipeline.cloud, again[0])
    assert declined.outcome == "Superseded"
    assert "GUARD DECLINED" in pipeline.inbox.about(declined.name)[0]
    assert set(service.answers().values()) == {"hello from v1"}


def test_an_alarm_that_guards_nothing_is_ignored(pipeline, name, alarm):
    alarm("ALARM")
    [execution] = eventually(lambda: started_by(pipeline, name), "the alarm started an execution")
    run = watch.follow(pipeline.cloud, execution)
    assert (run.outcome, run.states) == ("Ignored", ["OpenRelease", "IsAccepted", "Ignored"])
    assert run.output["because"] == f"no release is guarded by the alarm {name}"
