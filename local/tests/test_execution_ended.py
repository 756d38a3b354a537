"""Releases that are stopped from outside."""

import json

import stack
import watch
from service import eventually


def test_a_release_that_is_stopped_is_told_from_outside(pipeline, name):
    service = pipeline.service(name)
    digest = service.push(f"{name}-1", "v2", behaviour="never-ready")["digest"]
    execution = watch.started_by_push(pipeline.cloud, pipeline.machine, digest, f"{name}-1")
    release = watch.release_of(execution)
    eventually(lambda: "S" in _move(pipeline, release).get("deployment", {}), "the service was updated")
    pipeline.cloud.client("stepfunctions").stop_execution(executionArn=execution)

    text, posted = pipeline.inbox.about(release)
    assert text is not None and posted is not None, "nobody was told"
    assert text.startswith(f"NEEDS A HUMAN {name} in {name}: its Step Functions execution was")
    assert "\nits Step Functions execution was stopped (ABORTED)\n" in text
    row = _move(pipeline, release)
    before = row["restore"]["M"]
    assert f"  deployment: {row['deployment']['S']}, {digest} on {row['registered']['S']}\n" in text
    assert f"  restore point: {before['digest']['S']} on {before['taskDefinition']['S']}\n" in text
    assert (posted["outcome"], posted["severity"], posted["id"]) == ("NeedsHuman", "critical", f"release/{release}")
    [told] = posted["moves"]
    assert (told["service"], told["fate"], told["to"]) == (name, "needs-human", digest)

    # That this request does what it says is for test_rollback.py to show.
    request = {"environment": name, "mode": "rollback", "release": release}
    assert [json.loads(line) for line in text.splitlines() if line.startswith("{")] == [request]


def test_what_told_its_end_itself_is_not_told_again(pipeline, name):
    service = pipeline.service(name)
    before = _asked(pipeline)
    refused = pipeline.run({"environment": name, "repositry": service.repository, "image": "v1"})
    bad = pipeline.push(service, f"{name}-1", "v2", behaviour="wrong-content").run
    assert (refused.outcome, bad.outcome) == ("Refused", "RolledBack")
    eventually(lambda: _asked(pipeline) >= before + 2, "the rule has asked for each")
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


def _move(pipeline, release: str) -> dict:
    """The first move of a release as the ledger has it."""
    key = {"pk": {"S": f"release#{release}"}, "sk": {"S": "move#0#0"}}
    table = _outputs(pipeline)["LedgerTable"]
    return pipeline.cloud.client("dynamodb").get_item(TableName=table, Key=key).get("Item", {})


def _outputs(pipeline) -> dict[str, str]:
    described = pipeline.cloud.client("cloudformation").describe_stacks(StackName=stack.STACK)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}


def _asked(pipeline) -> int:
    """How often the alert function was told of the end of an execution: it looks at that each time."""
    return len(pipeline.cloud.calls(agent="tidegate-alert", operation="DescribeExecution"))
