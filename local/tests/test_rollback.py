"""Releases that are rolled back, put on hold or refused, by the real state machine."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

import pytest

import watch
from service import SoleService, eventually


@pytest.fixture
def service(pipeline, name):
    """An environment of the test's own."""
    return pipeline.service(name)


def test_a_rollback_on_request_holds_what_it_left(pipeline, service):
    name = service.environment
    good = pipeline.push(service, f"{name}-1", "v2")
    left = pipeline.push(service, f"{name}-2", "v3")
    back = pipeline.run({"environment": name, "mode": "rollback"})
    assert back.outcome == "Deployed", back.cause
    assert set(service.answers().values()) == {"hello from v2"}
    assert service.tagged(name) == good.digest

    again = pipeline.request(service, left.digest, "v3").run
    assert again.outcome == "Refused" and "on hold since" in again.cause
    # Once more: to what ran before that, and then there is nothing left.
    further = pipeline.run({"environment": name, "mode": "rollback"})
    assert further.outcome == "Deployed", further.cause
    assert set(service.answers().values()) == {"hello from v1"}
    nothing = pipeline.run({"environment": name, "mode": "rollback"})
    assert nothing.outcome == "Refused" and "no version was verified before" in nothing.cause
    forced = pipeline.request(service, left.digest, "v3", force=True, reason="it was the database")
    assert forced.run.outcome == "Deployed"


def test_a_frozen_environment_lets_nothing_in(pipeline, service):
    name = service.environment
    frozen = pipeline.run({"environment": name, "mode": "freeze", "reason": "the sale"})
    assert (frozen.outcome, frozen.states[-3:]) == ("Answered", ["Alert", "WhichOutcome", "Answered"])
    text, posted = pipeline.inbox.about(frozen.name)
    assert (posted["outcome"], posted["severity"]) == ("Answered", "info")
    assert f"Now: {name} is frozen since " in text and "(the sale)" in text
    refused = pipeline.push(service, f"{name}-1", "v2").run
    assert refused.outcome == "Refused" and "(the sale)" in refused.cause
    assert pipeline.run({"environment": name, "mode": "resume"}).outcome == "Answered"
    assert pipeline.push(service, f"{name}-2", "v2").faults() == []


def test_a_digest_that_failed_live_is_in_quarantine(pipeline, service):
    bad = pipeline.push(service, f"{service.environment}-1", "v2", behaviour="answers-500")
    assert bad.run.outcome == "RolledBack"
    again = pipeline.request(service, bad.digest, "v2").run
    assert again.outcome == "Refused" and "in quarantine since" in again.cause


def test_a_service_on_a_tag_goes_back_to_the_digest_that_ran(pipeline, name):
    service = SoleService(pipeline.cloud, name, f"release/{name}", name, bakeSeconds=0, healthTimeoutSeconds=60)
    ran = service.push(name, "v1")["digest"]
    service.run(name)
    bad = pipeline.push(service, name, "v2", behaviour="wrong-content")
    assert bad.run.outcome == "RolledBack", bad.run.cause
    assert set(service.answers().values()) == {"hello from v1"}
    assert service.tagged(name) == ran and set(service.digests()) == {ran}
    definition = service.ecs.describe_task_definition(taskDefinition=service.described()["taskDefinition"])
    assert definition["taskDefinition"]["containerDefinitions"][0]["image"].endswith(f"@{ran}")


def test_a_crash_is_rolled_back(pipeline, service):
    service.distrust()
    crashed = pipeline.push(service, f"{service.environment}-1", "v2", behaviour="crashes").run
    assert crashed.outcome == "RolledBack", crashed.cause
    assert set(service.answers().values()) == {"hello from v1"}


def test_one_bad_task_of_two_is_found(pipeline, service):
    half = pipeline.push(service, f"{service.environment}-1", "v2", behaviour="wrong-at-odd").run
    assert half.outcome == "RolledBack" and "goodbye from v2" in half.cause
    assert "other target" not in half.cause
    assert set(service.answers().values()) == {"hello from v1"}


@pytest.mark.parametrize("function", ["retag", "deploy", "health-test"])
def test_a_function_that_is_killed_in_mid_call_is_called_again(pipeline, function):
    name = f"killed-{function}"
    service, killed = pipeline.service(name), Event()
    updates = len(pipeline.cloud.calls(operation="UpdateService", agent="tidegate-deploy"))

    def kill():
        before = len(pipeline.cloud.calls(agent=f"tidegate-{function}"))
        eventually(lambda: len(pipeline.cloud.calls(agent=f"tidegate-{function}")) > before, "it was called")
        if _kill(pipeline.cloud, function):
            killed.set()

    killer = Thread(target=kill)
    killer.start()
    proof = pipeline.push(service, f"{name}-1", "v2")
    killer.join()
    assert killed.is_set()
    assert proof.faults() == []
    # What the killed call had done already is found, and not done again.
    assert len(pipeline.cloud.calls(operation="UpdateService", agent="tidegate-deploy")) == updates + 1


def _kill(cloud, function: str) -> list[int]:
    """Kills the processes that run a function, whatever they are doing."""
    logical = "".join(word.capitalize() for word in function.split("-")) + "Function"
    killed = []
    for process in Path("/proc").iterdir():
        with suppress(OSError):
            environment = (process / "environ").read_bytes().decode(errors="replace")
            named = f"AWS_LAMBDA_FUNCTION_NAME=tidegate-{logical}" in environment
            if named and cloud.endpoint in environment:
                os.kill(int(process.name), signal.SIGKILL)
                killed.append(int(process.name))
    return killed


def test_what_is_never_ready_is_rolled_back_at_its_deadline(pipeline, name):
    service = pipeline.service(name, healthTimeoutSeconds=4)
    stuck = pipeline.push(service, f"{name}-1", "v2", behaviour="never-ready").run
    assert stuck.outcome == "RolledBack" and "did not become stable within 4 s" in stuck.cause
    assert set(service.answers().values()) == {"hello from v1"}


def test_of_two_pushes_at_once_one_waits_and_the_newest_wins(pipeline, name):
    # Whoever is first bakes for longer than the other needs to come.
    service, found = pipeline.service(name, bakeSeconds=8), []
    for number in (1, 2):
        # The moment of a push is told in seconds; within one of them the digest decides which is the newer.
        time.sleep(1.1 * (number - 1))
        digest = service.push(f"{name}-{number}", f"v{number + 1}")["digest"]
        found.append(watch.started_by_push(pipeline.cloud, pipeline.machine, digest, f"{name}-{number}"))
    first, second = [watch.follow(pipeline.cloud, execution) for execution in found]
    assert second.outcome == "Deployed", second.cause
    assert first.outcome in ("Deployed", "Superseded"), first.cause
    assert "WaitForLeases" in second.states + first.states
    assert set(service.answers().values()) == {"hello from v3"}


def test_somebody_elses_deployment_is_left_alone(pipeline, name):
    service = pipeline.service(name, healthTimeoutSeconds=60)
    before = service.described()["taskDefinition"]
    # A revision of their own: a return to the one before could be ECS's as well.
    another = service.define(service.digests()[0])
    digest = service.push(f"{name}-1", "v2", behaviour="never-ready")["digest"]
    execution = watch.started_by_push(pipeline.cloud, pipeline.machine, digest, f"{name}-1")
    eventually(lambda: service.described()["taskDefinition"] != before, "the service was updated")
    service.ecs.update_service(cluster=name, service=name, taskDefinition=another)
    theirs = service.described()["deployments"][0]["id"]
    run = watch.follow(pipeline.cloud, execution)
    assert run.outcome == "Superseded", run.cause
    assert service.described()["deployments"][0]["id"] == theirs


def test_a_release_that_died_is_rolled_back_on_request(pipeline, name):
    """What the dead release may still be writing is waited out, in the machine's own seconds."""
    service = pipeline.service(name, bakeSeconds=5)
    [ran] = set(service.digests())
    digest = service.push(f"{name}-1", "v2")["digest"]
    execution = watch.started_by_push(pipeline.cloud, pipeline.machine, digest, f"{name}-1")
    pipeline.reached(execution, "Bake")
    assert set(service.answers().values()) == {"hello from v2"}
    pipeline.cloud.client("stepfunctions").stop_execution(executionArn=execution)

    dead = watch.release_of(execution)
    back = pipeline.run({"environment": name, "mode": "rollback", "release": dead})
    assert back.outcome == "Deployed", back.cause
    assert "WaitForLeases" in back.states
    assert set(service.digests()) == {ran} and set(service.answers().values()) == {"hello from v1"}


def test_an_older_image_under_the_environments_tag_is_a_wanted_revert(pipeline, service):
    tag = service.environment
    first, _ = pipeline.push(service, tag, "v2"), pipeline.push(service, tag, "v3")
    assert service.push(tag, "v2")["digest"] == first.digest
    pushes = lambda: watch.by_push(pipeline.cloud, pipeline.machine, first.digest, tag)  # noqa: E731
    eventually(lambda: len(pushes()) == 2, "the second push of v2 started an execution")
    back = watch.follow(pipeline.cloud, pushes()[-1])
    assert back.outcome == "Deployed", back.cause
    assert set(service.answers().values()) == {"hello from v2"}
