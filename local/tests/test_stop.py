"""Stopping what is under way: `abort` wherever a release can be, and `freeze` between its waves."""

import json

import pytest

from service import eventually
from watch import release_of

SERVICES = ["canary", "orders", "users"]
WHY = "the error rate doubled"


def abort(pipeline, environment: str, execution: str, **more):
    """Asks for the end of a release."""
    release = {"release": release_of(execution), "reason": WHY}
    return pipeline.run({"environment": environment, "mode": "abort", **release, **more})


def aborted(pipeline, environment: str, execution: str, **more):
    """Aborts a release, and returns how it ended."""
    assert abort(pipeline, environment, execution, **more).outcome == "Answered"
    run = pipeline.ended(execution)
    _, posted = pipeline.inbox.about(run.name, run.outcome)
    assert posted and WHY in posted["because"], posted
    return run


@pytest.fixture(scope="module")
def fleet(pipeline):
    """A service a wave, all of which run version v1 between these tests."""
    fleet = pipeline.fleet("stopped", SERVICES, waves=[[name] for name in SERVICES])
    yield fleet
    fleet.end()


def start(pipeline, fleet, version: str, bake: int = 0, **behaviours: str) -> str:
    """Starts a release of all three services."""
    fleet.change(bakeSeconds=bake)
    images = fleet.push(version, **behaviours)
    return pipeline.start({"environment": "stopped", "scope": "cluster", "images": images})


def assert_versions(fleet, *versions: str) -> None:
    """Makes sure what the services answer, in the order of their waves."""
    assert list(fleet.answers().values()) == [f"hello from {version}" for version in versions]


def held(pipeline, execution: str) -> bool:
    """Whether a release has found its environment frozen, and waits."""
    return "frozen" in pipeline.last_output(execution, "Judge")


def test_an_abort_ends_a_release_that_waits_for_leases_and_one_that_bakes(pipeline, fleet):
    first = start(pipeline, fleet, "v2", bake=60)
    pipeline.reached(first, "Bake")
    second = start(pipeline, fleet, "v3")
    pipeline.reached(second, "WaitForLeases")
    assert aborted(pipeline, "stopped", second).outcome == "Rejected"
    assert_versions(fleet, "v2", "v1", "v1")

    run = aborted(pipeline, "stopped", first)
    assert run.outcome == "RolledBack", run.cause
    assert_versions(fleet, "v1", "v1", "v1")
    assert pipeline.fates(run) == {"undone": 1, "untouched": 2}
    late = abort(pipeline, "stopped", first)
    assert late.outcome == "Refused" and "ended RolledBack: there is nothing to abort" in late.cause


def test_an_abort_rolls_a_rollout_back_in_the_middle(pipeline, fleet):
    execution = start(pipeline, fleet, "v4", canary="never-ready")
    pipeline.item(execution, "Pause", "canary")
    updated = lambda: len(fleet.services["canary"].rollouts()) > 1  # noqa: E731
    eventually(updated, "canary was updated")
    run = aborted(pipeline, "stopped", execution)
    assert run.outcome == "RolledBack", run.cause
    assert_versions(fleet, "v1", "v1", "v1")
    assert pipeline.fates(run) == {"undone": 1, "untouched": 2}
    # It was not measured to its end, and so nothing speaks against the image.
    digest = pipeline.row(run, "move#0#0")["digest"]
    known = pipeline.known(f"digest#{fleet.services['canary'].repository}@{digest}", "env#stopped")
    assert "quarantine" not in known, known


def test_an_abort_without_a_rollback_leaves_what_was_deployed_and_says_how_to_roll_back(pipeline, fleet):
    execution = start(pipeline, fleet, "v5", bake=60)
    pipeline.reached(execution, "Bake")
    run = aborted(pipeline, "stopped", execution, rollback=False)
    assert run.outcome == "NeedsHuman", run.cause
    assert_versions(fleet, "v5", "v1", "v1")

    late = abort(pipeline, "stopped", execution)
    assert late.outcome == "Refused" and "ended NeedsHuman" in late.cause
    fleet.change(bakeSeconds=0)
    back = pipeline.run(json.loads(late.cause[late.cause.index("{") :]))
    assert back.outcome == "Deployed", back.cause
    assert_versions(fleet, "v1", "v1", "v1")


def test_an_abort_ends_a_release_that_a_freeze_holds(pipeline, fleet):
    execution = start(pipeline, fleet, "v6", bake=1)
    eventually(lambda: pipeline.times(execution, "Wave"), "the first wave began")
    assert pipeline.run({"environment": "stopped", "mode": "freeze", "reason": "the sale"}).outcome == "Answered"
    try:
        eventually(lambda: held(pipeline, execution), "the release was held")
        assert_versions(fleet, "v6", "v1", "v1")
        run = aborted(pipeline, "stopped", execution)
        assert run.outcome == "RolledBack", run.cause
        assert_versions(fleet, "v1", "v1", "v1")
    finally:
        assert pipeline.run({"environment": "stopped", "mode": "resume"}).outcome == "Answered"


def test_a_freeze_in_each_wave_holds_the_release_until_it_is_resumed(pipeline, fleet):
    """The last of these tests: the services stay on what it deploys."""
    execution = start(pipeline, fleet, "v7", bake=1)
    for wave in (1, 2, 3):
        eventually(lambda: pipeline.times(execution, "Wave") == wave, f"wave {wave} began")
        freeze = {"environment": "stopped", "mode": "freeze", "reason": f"wave {wave}"}
        assert pipeline.run(freeze).outcome == "Answered"
        if wave < 3:
            eventually(lambda: f"(wave {wave})" in pipeline.last_output(execution, "Judge"), "it was held")
            assert pipeline.times(execution, "Wave") == wave, "a wave began in a frozen environment"
            assert_versions(fleet, *["v7"] * wave, *["v1"] * (3 - wave))
        assert pipeline.run({"environment": "stopped", "mode": "resume"}).outcome == "Answered"
    run = pipeline.ended(execution)
    assert run.outcome == "Deployed", run.cause
    assert_versions(fleet, "v7", "v7", "v7")


@pytest.fixture(scope="module")
def approved(pipeline):
    """A service whose environment asks a person before each release."""
    service = pipeline.service("approved", approval="required")
    service.image = service.push("wanted", "v2")["digest"]
    return service


def waiting(pipeline, approved) -> str:
    """Starts a release that waits for approval."""
    wanted = {"environment": "approved", "repository": approved.repository, "image": approved.image}
    execution = pipeline.start(wanted)
    pipeline.asked("approved", execution)
    return execution


def test_an_abort_ends_a_release_that_waits_for_approval(pipeline, approved):
    before = approved.described()["deployments"][0]["id"]
    assert aborted(pipeline, "approved", waiting(pipeline, approved)).outcome == "Rejected"
    assert approved.described()["deployments"][0]["id"] == before


def test_an_approval_past_the_pipeline_does_not_count(pipeline, approved):
    """Whoever may read the history of the execution finds the token there, and can answer it."""
    before, execution = approved.described()["deployments"][0]["id"], waiting(pipeline, approved)
    token = pipeline.known("env#approved", f"waiting#{release_of(execution)}")["token"]
    output = json.dumps({"next": "Approved", "because": "I say so"})
    pipeline.cloud.client("stepfunctions").send_task_success(taskToken=token, output=output)
    run = pipeline.ended(execution)
    assert run.outcome == "Rejected", run.cause
    _, posted = pipeline.inbox.about(run.name, "Rejected")
    assert "nobody approved it through the pipeline" in posted["because"]
    assert approved.described()["deployments"][0]["id"] == before
