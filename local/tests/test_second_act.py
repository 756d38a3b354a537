"""What comes after a first release: another one, a person or a repeat in the middle, each through the real door."""

import json
from datetime import datetime, timedelta

import pytest

import build
import scene as scenes
import watch
from scene import PORT, Scene, eventually

FORCED = {"force": True, "reason": "the one on call says so"}


def ask(pipeline, scene, version: str, behaviour: str = "good", **more):
    """Pushes an image that starts nothing, and asks for it."""
    digest = scene.push(f"kept-{version}", version, behaviour)["digest"]
    return again(pipeline, scene, digest, **more)


def again(pipeline, scene, digest: str, **more):
    """Asks for an image that is there already."""
    wanted = {"environment": scene.environment, "repository": scene.repository, "image": digest}
    return pipeline.run({**wanted, **more})


def says(scene, version: str) -> None:
    """Makes sure that every task answers with a version."""
    assert set(scene.answers().values()) == {f"hello from {version}"}


def verified(pipeline, scene) -> str:
    """The digest that the ledger names as the last good one."""
    row = pipeline.known(f"env#{scene.environment}", f"service#{scene.service}")
    return row["verified"]["digest"]


def known_good(pipeline, scene, digest: str) -> bool:
    """Whether the next environment may take a digest for verified here."""
    row = pipeline.known(f"digest#{scene.repository}@{digest}", f"env#{scene.environment}")
    return bool(row.get("verified"))


@pytest.fixture(scope="module")
def acts(pipeline):
    """A service with a past: v1 ran when it was found, v2 was released."""
    scene = pipeline.scene("acts")
    run = ask(pipeline, scene, "v2")
    assert run.outcome == "Deployed", run.cause
    return scene


def test_the_same_image_once_more_keeps_what_was_before_it(pipeline, acts):
    before = acts.tagged("tidegate.acts.acts.previous")
    assert before == acts.tagged("baseline")
    run = again(pipeline, acts, verified(pipeline, acts), **FORCED)
    assert run.outcome == "Deployed", run.cause
    assert acts.tagged("tidegate.acts.acts.previous") == before


def test_a_failed_release_goes_back_to_the_revision_that_ran(pipeline, acts):
    """Somebody has deployed the verified digest with another revision since: a new secret, for instance."""
    newer = acts.define(verified(pipeline, acts))
    acts.roll(newer)
    run = ask(pipeline, acts, "v3", "wrong-content")
    assert run.outcome == "RolledBack", run.cause
    assert acts.described()["taskDefinition"] == newer
    says(acts, "v2")


def test_a_rollback_from_what_was_deployed_by_hand_goes_to_what_was_verified(pipeline, acts):
    good = verified(pipeline, acts)
    acts.roll(acts.define(acts.push("by-hand", "v4")["digest"]))
    says(acts, "v4")
    run = pipeline.run({"environment": "acts", "mode": "rollback"})
    assert run.outcome == "Deployed", run.cause
    says(acts, "v2")
    assert verified(pipeline, acts) == good and known_good(pipeline, acts, good)
    # It goes through the door again: nothing of it is on hold.
    assert again(pipeline, acts, good, mode="plan").outcome == "Planned"


def test_a_hold_ends_when_its_digest_is_verified_again(pipeline, acts):
    held = ask(pipeline, acts, "v5")
    assert held.outcome == "Deployed", held.cause
    digest = verified(pipeline, acts)
    back = pipeline.run({"environment": "acts", "mode": "rollback"})
    assert back.outcome == "Deployed", back.cause
    forced = again(pipeline, acts, digest, **FORCED)
    assert forced.outcome == "Deployed", forced.cause
    newer = ask(pipeline, acts, "v6")
    assert newer.outcome == "Deployed", newer.cause
    run = pipeline.run({"environment": "acts", "mode": "rollback"})
    assert run.outcome == "Deployed", run.cause
    says(acts, "v5")


def test_force_goes_on_where_the_way_back_is_gone(pipeline, acts):
    """The last of these tests: it takes the image away that the service runs."""
    gone = verified(pipeline, acts)
    acts.ecr.batch_delete_image(repositoryName=acts.repository, imageIds=[{"imageDigest": gone}])
    refused = ask(pipeline, acts, "v7")
    assert refused.outcome == "Refused" and "force" in refused.cause, refused.cause
    forced = ask(pipeline, acts, "v7", **FORCED)
    assert forced.outcome == "Deployed", forced.cause
    says(acts, "v7")


def dead(pipeline, scene, digest: str) -> str:
    """A release that somebody stopped after it had touched its service."""
    wanted = {"environment": scene.environment, "repository": scene.repository, "image": digest}
    execution = pipeline.start(wanted)
    release = execution.rsplit(":", 1)[-1]
    touched = lambda: pipeline.known(f"release#{release}", "move#0#0").get("deployment")  # noqa: E731
    eventually(touched, "the service was updated")
    pipeline.cloud.client("stepfunctions").stop_execution(executionArn=execution)
    return release


def test_an_old_request_does_not_undo_what_was_verified_since(pipeline, name):
    scene = pipeline.scene(name)
    old = dead(pipeline, scene, scene.push("kept-v2", "v2")["digest"])
    scene.wait()
    newer = ask(pipeline, scene, "v3")
    assert newer.outcome == "Deployed", newer.cause
    late = pipeline.run({"environment": name, "mode": "rollback", "release": old})
    assert late.outcome in ("Refused", "Superseded"), late.outcome
    assert "verified since" in late.cause and newer.name in late.cause
    says(scene, "v3")


def test_what_ecs_has_put_back_already_is_proven(pipeline, name):
    scene = pipeline.scene(name)
    before, [good] = scene.described()["taskDefinition"], set(scene.digests())
    release = dead(pipeline, scene, scene.push("kept-v2", "v2", "crashes")["digest"])
    is_back = lambda: scene.described()["taskDefinition"] == before  # noqa: E731
    eventually(is_back, "ECS gave it up", 60)
    settled = lambda: ("PRIMARY", "COMPLETED") in scene.rollouts()  # noqa: E731
    eventually(settled, "ECS had put v1 back")
    run = pipeline.run({"environment": name, "mode": "rollback", "release": release})
    assert run.outcome == "Deployed", run.cause
    text, _ = pipeline.inbox.about(run.name)
    assert text and "ECS" in text and "already" in text, text
    assert verified(pipeline, scene) == good
    says(scene, "v1")


def test_our_own_revision_deployed_anew_in_mid_rollout_is_still_ours(pipeline, name):
    scene = pipeline.scene(name, healthTimeoutSeconds=8)
    digest = scene.push("kept-v2", "v2", "never-ready")["digest"]
    execution = pipeline.start({"environment": name, "repository": scene.repository, "image": digest})
    release = execution.rsplit(":", 1)[-1]
    row = lambda: pipeline.known(f"release#{release}", "move#0#0")  # noqa: E731
    ours = eventually(lambda: row().get("deployment"), "the service was updated")
    scene.ecs.update_service(cluster=name, service=name, forceNewDeployment=True)
    primary = scene.described()["deployments"][0]
    assert (primary["taskDefinition"], primary["id"] != ours) == (row()["registered"], True)
    run = pipeline.ended(execution)
    assert run.outcome == "RolledBack", run.cause
    says(scene, "v1")


class Pair(Scene):
    """A service of two containers, each of a repository of its own."""

    def __init__(self, cloud, name: str, **policy) -> None:
        super().__init__(cloud, name, f"release/{name}", name, **policy)
        self.sidecar = f"release/{name}-sidecar"
        self.ecr.create_repository(repositoryName=self.sidecar)

    def create(self, digest: str, tasks: int) -> None:
        """Creates the service once both of its images are there."""
        build.push(self.cloud, self.sidecar, "baseline", "s1")
        super().create(digest, tasks)

    def define(self, image: str) -> str:
        """Registers a task definition of both containers."""
        definition = self.ecs.describe_task_definition(taskDefinition=super().define(image))["taskDefinition"]
        kept = ("family", "requiresCompatibilities", "networkMode", "cpu", "memory")
        [app] = definition["containerDefinitions"]
        beside = {"name": "sidecar", "image": self.cloud.image(self.sidecar, "baseline")}
        beside["environment"] = [{"name": "PORT", "value": str(PORT + 1)}]
        both = {key: definition[key] for key in kept} | {"containerDefinitions": [app, beside]}
        return self.ecs.register_task_definition(**both)["taskDefinition"]["taskDefinitionArn"]


def test_a_push_of_the_sidecar_supersedes_no_push_of_the_app(pipeline, name):
    policy = {"deployOn": ["build-*"], "bakeSeconds": 0, "healthTimeoutSeconds": 60}
    scene = Pair(pipeline.cloud, name, **policy)
    scene.run(scene.push("baseline", "v1")["digest"])
    late = scene.push("kept-v2", "v2")["digest"]
    sidecar = build.push(pipeline.cloud, scene.sidecar, "build-1", "s2")["digest"]
    started = watch.started_by_push(pipeline.cloud, pipeline.machine, sidecar, "build-1")
    first = watch.follow(pipeline.cloud, started)
    assert first.outcome == "Deployed", first.cause

    # The event of the app's push, which was before, comes only now.
    event = pipeline.event(first)
    event["time"] = _before(event["time"])
    event["id"] = f"late-{event['id']}"[:36]
    event["detail"] |= {"repository-name": scene.repository, "image-digest": late, "image-tag": "build-0"}
    second = pipeline.run(event)
    assert second.outcome == "Deployed", second.output or second.cause
    says(scene, "v2")


def _before(time: str) -> str:
    moment = datetime.fromisoformat(time.replace("Z", "+00:00")) - timedelta(seconds=30)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_a_typing_error_in_one_environment_stops_no_other(pipeline, name):
    scenes.open_environment(pipeline.cloud, name)
    scenes.put(pipeline.cloud, "environments/mistyped", {"cluster": "mistyped", "tag": "m", "soakMinute": 3})
    try:
        frozen = pipeline.run({"environment": name, "mode": "freeze", "reason": "the sale"})
        resumed = pipeline.run({"environment": name, "mode": "resume"})
        wrong = pipeline.run({"environment": "mistyped"})
    finally:
        pipeline.cloud.client("ssm").delete_parameter(Name="/tidegate/environments/mistyped")
    assert (frozen.outcome, resumed.outcome) == ("Answered", "Answered"), frozen.cause
    assert wrong.outcome == "Refused" and "soakMinute" in wrong.cause


def test_the_request_of_a_frozen_failure_works_as_it_is_printed(pipeline, name):
    scene = pipeline.scene(name, onFailure="freeze")
    failed = ask(pipeline, scene, "v2", "wrong-content")
    assert failed.outcome == "NeedsHuman", failed.cause
    text, _ = pipeline.inbox.about(failed.name)
    [request] = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    run = pipeline.run(request)
    assert run.outcome == "Deployed", run.cause
    says(scene, "v1")


def test_a_freeze_holds_a_running_release_before_its_next_wave(pipeline, name):
    shop = pipeline.fleet(name, ["canary", "orders"], waves=[["canary"], ["*"]], bakeSeconds=2)
    try:
        wanted = {"environment": name, "scope": "cluster", "images": shop.push("v2")}
        execution = pipeline.start(wanted)
        pipeline.reached(execution, "Bake")
        freeze = {"environment": name, "mode": "freeze", "reason": "the sale"}
        assert pipeline.run(freeze).outcome == "Answered"
        held = lambda: "frozen" in _last_answer(pipeline, execution, "Judge")  # noqa: E731
        over = lambda: held() or pipeline.times(execution, "Wave") > 1  # noqa: E731
        eventually(over, "the bake was over", 60)
        assert shop.answers() == {"canary": "hello from v2", "orders": "hello from v1"}
        assert pipeline.times(execution, "Wave") == 1, "a wave began in a frozen environment"
        assert pipeline.run({"environment": name, "mode": "resume"}).outcome == "Answered"
        run = pipeline.ended(execution)
        assert run.outcome == "Deployed", run.cause
        assert shop.answers() == {"canary": "hello from v2", "orders": "hello from v2"}
    finally:
        shop.end()


def _last_answer(pipeline, execution: str, state: str) -> str:
    """What a state of an execution answered last, as text."""
    history = pipeline.cloud.client("stepfunctions").get_paginator("get_execution_history")
    events = [event for page in history.paginate(executionArn=execution) for event in page["events"]]
    left = [event["stateExitedEventDetails"] for event in events if "stateExitedEventDetails" in event]
    return [each["output"] for each in left if each["name"] == state][-1]
