"""What failed tasks left behind is noted with the verdict: how they ended, and what they logged last."""

import pytest
from boto3.dynamodb.types import TypeDeserializer

import permissions
import stack


@pytest.fixture
def scene(pipeline, name):
    """An environment of the test's own."""
    return pipeline.scene(name)


def test_a_crash_leaves_its_exit_code_and_its_last_line(pipeline, scene):
    run = undone(pipeline, scene, "crashes")
    bundle = noted(pipeline, run)
    crashed = "(EssentialContainerExited); app exit code 1"
    assert any(line.endswith(crashed) for line in bundle["stopped"]), bundle
    assert any(line.endswith("fatal: crashes as baked in") for line in bundle["logs"]), bundle
    assert permissions.unpermitted(pipeline.cloud, stack.STACK) == []


def test_a_wrong_answer_leaves_what_was_logged(pipeline, scene):
    run = undone(pipeline, scene, "answers-500")
    logs = noted(pipeline, run)["logs"]
    assert logs and not logs[0].startswith("logs: "), logs
    assert len(logs) <= 10 and max(map(len, logs)) <= 200


def undone(pipeline, scene, behaviour: str):
    """Pushes a bad image and makes sure that the good one answers again."""
    run = pipeline.push(scene, f"{scene.environment}-1", "v2", behaviour=behaviour).run
    assert run.outcome == "RolledBack", run.cause
    assert list(scene.answers().values()) == ["hello from v1"] * 2
    return run


def noted(pipeline, run) -> dict:
    """The bundle in the row of the release's one move."""
    described = pipeline.cloud.client("cloudformation").describe_stacks(StackName=stack.STACK)["Stacks"][0]
    [table] = [out["OutputValue"] for out in described["Outputs"] if out["OutputKey"] == "LedgerTable"]
    key = {"pk": {"S": f"release#{run.name}"}, "sk": {"S": "move#0#0"}}
    row = pipeline.cloud.client("dynamodb").get_item(TableName=table, Key=key)["Item"]
    return TypeDeserializer().deserialize(row["bundle"])
