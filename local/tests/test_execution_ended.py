"""Releases that are stopped from outside, and alerts that cannot be delivered."""

import json
import socket

import pytest
import canary
import stack
import watch
from inbox import webhook
from service import eventually, put


def test_a_release_that_is_stopped_is_told_from_outside(pipeline, name):
    service = pipeline.service(name)
    digest = service.push(f"{name}-1", "v2", behaviour="never-ready")["digest"]
    execution = watch.started_by_push(pipeline.cloud, pipeline.machine, digest, f"{name}-1")
    release = watch.release_of(execution)
    eventually(lambda: "S" in _move(pipeline, release).get("deployment", {}), "the service was updated")
    pipeline.cloud.client("stepfunctions").stop_execution(executionArn=execution)

    text, posted = pipeline.inbox.about(release)
    assert text is not None and posted is not None, "nobody was told"
    assert text.startswith(f"Needs a human: {name} in {name}\nits Step Functions execution was stopped (ABORTED)\n")
    row = _move(pipeline, release)
    before = row["restore"]["M"]
    assert f"  deployment: {row['deployment']['S']}, {digest} on {row['registered']['S']}\n" in text
    assert f"  restore point: {before['digest']['S']} on {before['taskDefinition']['S']}\n" in text
    assert (posted["outcome"], posted["severity"], posted["dedupKey"]) == ("NeedsHuman", "critical", release)
    [told] = posted["moves"]
    assert (told["service"], told["fate"], told["to"]) == (name, "needs-human", digest)

    # That this request does what it says is for test_rollback.py to show.
    request = {"environment": name, "mode": "rollback", "release": release}
    assert [json.loads(line) for line in text.splitlines() if line.startswith("{")] == [request]


def test_what_told_its_end_itself_is_not_told_again(pipeline, name):
    service = pipeline.service(name)
    before = _looks(pipeline)
    refused = pipeline.run({"environment": name, "repositry": service.repository, "image": "v1"})
    bad = pipeline.push(service, f"{name}-1", "v2", behaviour="wrong-content").run
    assert (refused.outcome, bad.outcome) == ("Refused", "RolledBack")
    eventually(lambda: _looks(pipeline) >= before + 4, "both the machine and the rule have asked for each")
    for run in (refused, bad):
        text, posted = pipeline.inbox.about(run.name)
        assert posted["outcome"] == run.outcome and "Step Functions execution" not in text


def test_the_rule_takes_this_machines_executions_and_no_items_of_their_maps(pipeline):
    events = pipeline.cloud.client("events")
    pattern = events.describe_rule(Name=f"{stack.STACK}-release-died")["EventPattern"]

    def taken(machine: str, status: str) -> bool:
        event = {
            "id": "1",
            "source": "aws.states",
            "detail-type": "Step Functions Execution Status Change",
            "account": pipeline.cloud.account,
            "time": "2026-01-01T00:00:00Z",
            "region": pipeline.cloud.region,
            "resources": [],
            "detail": {"stateMachineArn": machine, "status": status},
        }
        return events.test_event_pattern(EventPattern=pattern, Event=json.dumps(event))["Result"]

    machine = pipeline.machine
    assert all(taken(machine, status) for status in ("FAILED", "TIMED_OUT", "ABORTED"))
    assert not any(taken(machine, status) for status in ("RUNNING", "SUCCEEDED", "PENDING_REDRIVE"))
    assert not any(taken(other, "FAILED") for other in (f"{machine}/Wave", f"{machine}-2"))


@pytest.fixture
def dead_webhook(pipeline):
    """A webhook at a port that nobody listens to."""
    ssm = pipeline.cloud.client("ssm")
    before = json.loads(ssm.get_parameter(Name="/tidegate/alerts")["Parameter"]["Value"])
    with socket.socket() as closed:
        # Bound and not listening: whoever connects is refused, and nobody else gets the port meanwhile.
        closed.bind(("127.0.0.1", 0))
        put(pipeline.cloud, "alerts", webhook(closed.getsockname()[1]))
        yield
    put(pipeline.cloud, "alerts", before)


def test_a_webhook_that_is_dead_changes_no_outcome_and_the_alert_is_kept(pipeline, name, dead_webhook):
    service = pipeline.service(name)
    digest = service.push(f"{name}-1", "v2")["digest"]
    execution = watch.started_by_push(pipeline.cloud, pipeline.machine, digest, f"{name}-1")
    run = watch.follow(pipeline.cloud, execution)
    assert (run.outcome, run.states[-3:]) == ("Deployed", ["Undelivered", "WhichOutcome", "Deployed"])
    assert set(service.digests()) == {digest}
    assert pipeline.inbox.about(run.name, seconds=1)[0].startswith("Deployed: ")

    queue = _outputs(pipeline)["UndeliveredQueueUrl"]
    got = pipeline.cloud.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    [kept] = [json.loads(message["Body"]) for message in got]
    assert (kept["release"], kept["outcome"]) == (run.name, "Deployed")
    assert canary.MARK not in json.dumps(kept)


def _move(pipeline, release: str) -> dict:
    """The first move of a release as the ledger has it."""
    key = {"pk": {"S": f"release#{release}"}, "sk": {"S": "move#0#0"}}
    table = _outputs(pipeline)["LedgerTable"]
    return pipeline.cloud.client("dynamodb").get_item(TableName=table, Key=key).get("Item", {})


def _outputs(pipeline) -> dict[str, str]:
    described = pipeline.cloud.client("cloudformation").describe_stacks(StackName=stack.STACK)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}


def _looks(pipeline) -> int:
    """How often the alert function has read a release, by two queries each time that it was asked."""
    return len(pipeline.cloud.calls(agent="tidegate-alert", operation="Query")) // 2
