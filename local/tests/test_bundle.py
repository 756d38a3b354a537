"""What failed tasks left behind is noted with the verdict: how they ended, and what they logged last."""

import pytest

import permissions
import stack


@pytest.fixture
def service(pipeline, name):
    """An environment of the test's own."""
    return pipeline.service(name)


def test_a_crash_leaves_its_exit_code_and_its_last_line(pipeline, service):
    run = rolled_back(pipeline, service, "crashes")
    bundle = pipeline.row(run, "move#0#0")["bundle"]
    crashed = "(EssentialContainerExited); app exit code 1"
    assert any(line.endswith(crashed) for line in bundle["stopped"]), bundle
    assert any(line.endswith("fatal: crashes as baked in") for line in bundle["logs"]), bundle
    assert permissions.unpermitted(pipeline.cloud, stack.STACK) == []


def test_a_wrong_answer_leaves_what_was_logged(pipeline, service):
    run = rolled_back(pipeline, service, "answers-500")
    logs = pipeline.row(run, "move#0#0")["bundle"]["logs"]
    assert logs and not logs[0].startswith("logs: "), logs
    assert len(logs) <= 10 and max(map(len, logs)) <= 200


def rolled_back(pipeline, service, behaviour: str):
    """Pushes a bad image and makes sure that the good one answers again."""
    run = pipeline.push(service, f"{service.environment}-1", "v2", behaviour=behaviour).run
    assert run.outcome == "RolledBack", run.cause
    assert list(service.answers().values()) == ["hello from v1"] * 2
    return run
