"""Whole releases: the real bootstraps, the real state machine and the real template, on a local AWS."""

import difflib
import os
from collections import Counter
from pathlib import Path

import pytest

import build
import stack
from leaks import left_behind
from pipeline import written

GOLDEN = Path(__file__).with_name("golden") / "calls.txt"
FUNCTIONS = ["release", "retag", "deploy", "health-test", "rollback", "alert"]
FORWARD = "TakeLeases TellStarted ReserveStart Register PreTest Deploy Judge Alert Deployed".split()
BACK = "Deploy TellRollingBack RollbackWave Rollback RollbackTest RestoreTag CloseRelease Alert RolledBack".split()
IGNORED = ["OpenRelease", "IsAccepted", "Ignored"]


@pytest.fixture(scope="module")
def dev(pipeline):
    """An environment that both habits of build servers deploy to, and its service."""
    return pipeline.service("dev", deployOn=["main-*"])


def test_a_tag_per_build(pipeline, dev):
    proof = pipeline.push(dev, "main-1", "v2")
    assert proof.faults() == []
    assert [state for state in proof.run.states if state in FORWARD] == FORWARD


def test_a_tag_per_environment(pipeline, dev):
    assert pipeline.push(dev, "dev", "v3").faults() == []


def test_a_typed_request(pipeline, dev):
    digest = dev.push("kept-for-later", "v4")["digest"]
    assert pipeline.request(dev, digest, "v4").faults() == []


def test_an_index_whose_tasks_report_a_child(pipeline, dev):
    proof = pipeline.push(dev, "main-index", "v5", multi_arch=True)
    assert proof.run.outcome == "Deployed"
    assert proof.tagged == proof.digest
    assert proof.digest not in proof.running and len(set(proof.running)) == 1
    assert set(proof.answers.values()) == {"hello from v5"}


def test_a_plan_writes_nothing(pipeline, dev):
    digest = dev.push("kept-for-a-plan", "v6")["digest"]
    with pipeline.calls() as calls:
        planned = pipeline.request(dev, "kept-for-a-plan", "v6", mode="plan").run
    assert planned.states == ["OpenRelease", "IsAccepted", "Planned"]
    [move] = planned.output["plan"]
    assert (move["service"], move["to"]) == ("dev", digest)
    assert written(calls) == [] and {call["agent"] for call in calls} == {"tidegate-release"}


def test_an_event_that_comes_twice(pipeline, dev):
    first = pipeline.push(dev, "main-twice", "v7").run
    with pipeline.calls() as calls:
        second = pipeline.run(pipeline.event(first))
    assert second.states == IGNORED
    assert first.name in second.output["because"]
    assert written(calls) == [] and {call["agent"] for call in calls} == {"tidegate-release"}


def test_our_own_retag(pipeline, dev):
    pushed = pipeline.push(dev, "main-retag", "v8")
    ours = pipeline.of_our_retag(dev, pushed.digest)
    assert ours.states == IGNORED
    assert "this push is our own" in ours.output["because"]
    with pipeline.calls() as calls:
        again = pipeline.run(pipeline.event(ours))
    assert again.states == IGNORED
    assert written(calls) == [] and {call["agent"] for call in calls} == {"tidegate-release"}


def test_a_typing_error(pipeline, dev):
    before = dev.described()["taskDefinition"]
    with pipeline.calls() as calls:
        refused = pipeline.run({"environment": "dev", "repositry": dev.repository, "image": "main-1"})
    assert refused.states == ["OpenRelease", "IsAccepted", "Alert", "WhichOutcome", "Refused"]
    assert refused.error == "Refused"
    assert '"repositry"' in refused.cause and "`repository`" in refused.cause
    assert dev.described()["taskDefinition"] == before
    assert written([call for call in calls if call["agent"] == "tidegate-release"]) == []


def test_a_bad_image_is_rolled_back(pipeline):
    service = pipeline.service("bad-image")
    before, [baseline] = service.described(), set(service.digests())
    proof = pipeline.push(service, "bad-image-1", "v2", behaviour="wrong-content")
    run = proof.run
    assert (run.outcome, run.error) == ("RolledBack", "RolledBack"), run.cause
    assert "goodbye from v2" in run.cause
    assert [state for state in dict.fromkeys(run.states) if state in BACK] == BACK

    after = service.described()
    assert after["taskDefinition"] == before["taskDefinition"]
    [deployment] = after["deployments"]
    assert deployment["id"] != before["deployments"][0]["id"]
    row = pipeline.row(run, "move#0#0")
    assert (row["undo"], row["undoVerdict"]) == (deployment["id"], "Healthy")

    assert (set(proof.running), proof.tagged) == ({baseline}, baseline)
    assert list(proof.answers.values()) == ["hello from v1"] * 2
    assert proof.by_topic.startswith("ROLLED BACK bad-image in bad-image: ")
    assert proof.by_webhook["outcome"] == "RolledBack"

    # Where secrets are searched for once all tests are over: each of these places tells of this release.
    places = {kind for kind, place, text in left_behind(pipeline) if run.name in place + text}
    assert places == {"log", "execution", "history", "ledger", "alert"}


def test_the_calls_of_a_good_release(pipeline):
    """Whoever adds a call sees it here; `UPDATE_GOLDEN=1` takes what is."""
    service = pipeline.service("golden")
    with pipeline.calls() as calls:
        assert pipeline.push(service, "golden-1", "v2").faults() == []
    seen = counted(calls, pipeline.pages())
    if "UPDATE_GOLDEN" in os.environ:
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(seen)
    expected = GOLDEN.read_text()
    if seen != expected:
        diff = difflib.unified_diff(
            expected.splitlines(), seen.splitlines(), "golden", "seen", lineterm="", n=0
        )
        pytest.fail("\n".join(diff), pytrace=False)


def counted(calls: list[dict], pages: int) -> str:
    """The calls by function and operation, in the order of the pipeline, and how often each came."""
    times = Counter((call["agent"], f"{call['service']}:{call['operation']}") for call in calls)
    # As where all environments fit on one page, whatever other tests have left.
    times["tidegate-release", "ssm:GetParametersByPath"] //= pages
    lines = [
        "# The AWS calls of a good release, and of the execution that its own retag starts.",
        "# How often health-test has to look is for the rollout to decide.",
    ]
    for function in FUNCTIONS:
        for (agent, call), count in sorted(times.items()):
            if agent == f"tidegate-{function}":
                lines.append(f"{function:<13}{call:<47}{'*' if function == 'health-test' else count:>3}")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("missing", FUNCTIONS)
def test_a_function_that_is_missing_is_named(pipeline, tmp_path, missing):
    binaries = tmp_path / "binaries"
    binaries.mkdir()
    for name in FUNCTIONS:
        if name != missing:
            (binaries / name).symlink_to(build.BINARIES / name)
    with pytest.raises(stack.StackError, match=f"Function has no bootstrap: .*/{missing} does not exist"):
        build.deploy(pipeline.cloud, tmp_path / "build", "*", "release/", binaries)
