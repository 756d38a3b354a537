"""What follows a first release: another one, a person or a repeat in the middle of it, on the real state machine."""

import json
from datetime import datetime, timedelta

import pytest

import build
import watch
from service import PORT, SoleService, eventually, open_environment, put

FORCED = {"force": True, "reason": "the one on call says so"}


def push_and_request(pipeline, service, version: str, behaviour: str = "good", **more):
    """Pushes an image that starts nothing, and asks for it."""
    digest = service.push(f"kept-{version}", version, behaviour)["digest"]
    return request(pipeline, service, digest, **more)


def request(pipeline, service, digest: str, **more):
    """Asks for an image that is there already."""
    wanted = {"environment": service.environment, "repository": service.repository, "image": digest}
    return pipeline.run({**wanted, **more})


def assert_version(service, version: str) -> None:
    """Makes sure that every task answers with a version."""
    assert set(service.answers().values()) == {f"hello from {version}"}


def verified(pipeline, service) -> str:
    """The digest that the ledger names as the last good one."""
    row = pipeline.known(f"env#{service.environment}", f"service#{service.name}")
    return row["verified"]["digest"]


def known_good(pipeline, service, digest: str) -> bool:
    """Whether the next environment may take a digest for verified here."""
    row = pipeline.known(f"digest#{service.repository}@{digest}", f"env#{service.environment}")
    return bool(row.get("verified"))


@pytest.fixture(scope="module")
def history(pipeline):
    """A service with a history: v1 ran when it was found, v2 was released."""
    service = pipeline.service("history")
    run = push_and_request(pipeline, service, "v2")
    assert run.outcome == "Deployed", run.cause
    return service


def test_the_same_image_once_more_keeps_what_was_before_it(pipeline, history):
    before = history.tagged("tidegate.history.history.previous")
    assert before == history.tagged("baseline")
    run = request(pipeline, history, verified(pipeline, history), **FORCED)
    assert run.outcome == "Deployed", run.cause
    assert history.tagged("tidegate.history.history.previous") == before


def test_a_failed_release_goes_back_to_the_revision_that_ran(pipeline, history):
    """Somebody has deployed the verified digest with another revision since: a new secret, for instance."""
    newer = history.define(verified(pipeline, history))
    history.roll(newer)
    run = push_and_request(pipeline, history, "v3", "wrong-content")
    assert run.outcome == "RolledBack", run.cause
    assert history.described()["taskDefinition"] == newer
    assert_version(history, "v2")


def test_a_rollback_from_what_was_deployed_by_hand_goes_to_what_was_verified(pipeline, history):
    good = verified(pipeline, history)
    history.roll(history.define(history.push("by-hand", "v4")["digest"]))
    assert_version(history, "v4")
    run = pipeline.run({"environment": "history", "mode": "rollback"})
    assert run.outcome == "Deployed", run.cause
    assert_version(history, "v2")
    assert verified(pipeline, history) == good and known_good(pipeline, history, good)
    # It would be accepted again: it is not on hold.
    assert request(pipeline, history, good, mode="plan").outcome == "Planned"


def test_a_hold_ends_when_its_digest_is_verified_again(pipeline, history):
    held = push_and_request(pipeline, history, "v5")
    assert held.outcome == "Deployed", held.cause
    digest = verified(pipeline, history)
    back = pipeline.run({"environment": "history", "mode": "rollback"})
    assert back.outcome == "Deployed", back.cause
    forced = request(pipeline, history, digest, **FORCED)
    assert forced.outcome == "Deployed", forced.cause
    newer = push_and_request(pipeline, history, "v6")
    assert newer.outcome == "Deployed", newer.cause
    run = pipeline.run({"environment": "history", "mode": "rollback"})
    assert run.outcome == "Deployed", run.cause
    assert_version(history, "v5")


def test_force_goes_on_where_the_way_back_is_gone(pipeline, history):
    """The last of these tests: it takes the image away that the service runs."""
    gone = verified(pipeline, history)
    history.ecr.batch_delete_image(repositoryName=history.repository, imageIds=[{"imageDigest": gone}])
    refused = push_and_request(pipeline, history, "v7")
    assert refused.outcome == "Refused" and "force" in refused.cause, refused.cause
    forced = push_and_request(pipeline, history, "v7", **FORCED)
    assert forced.outcome == "Deployed", forced.cause
    assert_version(history, "v7")


def stopped_release(pipeline, service, digest: str) -> str:
    """A release that somebody stopped after it had touched its service."""
    wanted = {"environment": service.environment, "repository": service.repository, "image": digest}
    execution = pipeline.start(wanted)
    release = watch.release_of(execution)
    touched = lambda: pipeline.known(f"release#{release}", "move#0#0").get("deployment")  # noqa: E731
    eventually(touched, "the service was updated")
    pipeline.cloud.client("stepfunctions").stop_execution(executionArn=execution)
    return release


def test_an_old_request_does_not_undo_what_was_verified_since(pipeline, name):
    service = pipeline.service(name)
    old = stopped_release(pipeline, service, service.push("kept-v2", "v2")["digest"])
    service.wait()
    newer = push_and_request(pipeline, service, "v3")
    assert newer.outcome == "Deployed", newer.cause
    late = pipeline.run({"environment": name, "mode": "rollback", "release": old})
    assert late.outcome in ("Refused", "Superseded"), late.outcome
    assert f"{newer.name} has verified it since" in late.cause
    assert_version(service, "v3")


def test_what_ecs_has_put_back_already_is_proven(pipeline, name):
    service = pipeline.service(name)
    service.distrust()
    before, [good] = service.described()["taskDefinition"], set(service.digests())
    release = stopped_release(pipeline, service, service.push("kept-v2", "v2", "crashes")["digest"])
    is_back = lambda: service.described()["taskDefinition"] == before  # noqa: E731
    eventually(is_back, "ECS gave it up", 60)
    settled = lambda: ("PRIMARY", "COMPLETED") in service.rollouts()  # noqa: E731
    eventually(settled, "ECS had put v1 back")
    run = pipeline.run({"environment": name, "mode": "rollback", "release": release})
    assert run.outcome == "Deployed", run.cause
    text, _ = pipeline.inbox.about(run.name)
    assert text and "ECS" in text and "already" in text, text
    assert verified(pipeline, service) == good
    assert_version(service, "v1")


def test_our_own_revision_deployed_anew_in_mid_rollout_is_still_ours(pipeline, name):
    service = pipeline.service(name, healthTimeoutSeconds=5)
    digest = service.push("kept-v2", "v2", "never-ready")["digest"]
    execution = pipeline.start({"environment": name, "repository": service.repository, "image": digest})
    release = watch.release_of(execution)
    row = lambda: pipeline.known(f"release#{release}", "move#0#0")  # noqa: E731
    ours = eventually(lambda: row().get("deployment"), "the service was updated")
    service.ecs.update_service(cluster=name, service=name, forceNewDeployment=True)
    primary = service.described()["deployments"][0]
    assert (primary["taskDefinition"], primary["id"] != ours) == (row()["registered"], True)
    run = pipeline.ended(execution)
    assert run.outcome == "RolledBack", run.cause
    assert_version(service, "v1")


class Pair(SoleService):
    """A service of two containers, the second of another repository, or of the same."""

    def __init__(self, cloud, name: str, beside: str, **policy) -> None:
        super().__init__(cloud, name, f"release/{name}", name, **policy)
        self.beside = beside
        if beside != self.repository:
            self.ecr.create_repository(repositoryName=beside)
            build.push(self.cloud, beside, "baseline", "s1")

    def define(self, image: str) -> str:
        """Registers a task definition of both containers."""
        definition = self.ecs.describe_task_definition(taskDefinition=super().define(image))["taskDefinition"]
        kept = ("family", "requiresCompatibilities", "networkMode", "cpu", "memory")
        [app] = definition["containerDefinitions"]
        second = image if self.beside == self.repository else "baseline"
        sidecar = {"name": "sidecar", "image": self.cloud.image(self.beside, second)}
        sidecar["environment"] = [{"name": "PORT", "value": str(PORT + 1)}]
        both = {key: definition[key] for key in kept} | {"containerDefinitions": [app, sidecar]}
        return self.ecs.register_task_definition(**both)["taskDefinition"]["taskDefinitionArn"]

    def images(self) -> dict[str, set[str]]:
        """The digests that the running tasks report, by container."""
        found: dict[str, set[str]] = {}
        for container in [each for task in self.tasks() for each in task["containers"]]:
            found.setdefault(container["name"], set()).add(container["imageDigest"])
        return found


QUICK = {"bakeSeconds": 0, "healthTimeoutSeconds": 60}


def test_only_the_containers_that_the_settings_name_are_moved(pipeline, name):
    service = Pair(pipeline.cloud, name, f"release/{name}", **QUICK)
    old = service.push("baseline", "v1")["digest"]
    service.run(old)
    put(pipeline.cloud, f"environments/{name}/services/{name}/settings", {"containers": ["app"]})
    new = service.push("kept-v2", "v2")["digest"]
    planned = request(pipeline, service, new, mode="plan")
    [move] = planned.output["plan"]
    assert [change["container"] for change in move["changes"]] == ["app"]

    run = request(pipeline, service, new)
    assert run.outcome == "Deployed", run.cause
    assert service.images() == {"app": {new}, "sidecar": {old}}
    assert_version(service, "v2")


def test_a_push_of_the_sidecar_supersedes_no_push_of_the_app(pipeline, name):
    service = Pair(pipeline.cloud, name, f"release/{name}-sidecar", deployOn=["build-*"], **QUICK)
    service.run(service.push("baseline", "v1")["digest"])
    late = service.push("kept-v2", "v2")["digest"]
    sidecar = build.push(pipeline.cloud, service.beside, "build-1", "s2")["digest"]
    started = watch.started_by_push(pipeline.cloud, pipeline.machine, sidecar, "build-1")
    first = watch.follow(pipeline.cloud, started)
    assert first.outcome == "Deployed", first.cause

    # The event of the app's push, which was before, comes only now.
    event = pipeline.event(first)
    event["time"] = _before(event["time"])
    event["id"] = f"late-{event['id']}"[:36]
    event["detail"] |= {"repository-name": service.repository, "image-digest": late, "image-tag": "build-0"}
    second = pipeline.run(event)
    assert second.outcome == "Deployed", second.output or second.cause
    assert_version(service, "v2")


def _before(time: str) -> str:
    moment = datetime.fromisoformat(time.replace("Z", "+00:00")) - timedelta(seconds=30)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_a_typing_error_in_one_environment_stops_no_other(pipeline, name):
    open_environment(pipeline.cloud, name)
    put(pipeline.cloud, "environments/mistyped", {"cluster": "mistyped", "tag": "m", "soakMinute": 3})
    try:
        frozen = pipeline.run({"environment": name, "mode": "freeze", "reason": "the sale"})
        resumed = pipeline.run({"environment": name, "mode": "resume"})
        wrong = pipeline.run({"environment": "mistyped"})
    finally:
        pipeline.cloud.client("ssm").delete_parameter(Name="/tidegate/environments/mistyped")
    assert (frozen.outcome, resumed.outcome) == ("Answered", "Answered"), frozen.cause
    assert wrong.outcome == "Refused" and "soakMinute" in wrong.cause


def test_the_request_of_a_frozen_failure_works_as_it_is_printed(pipeline, name):
    service = pipeline.service(name, onFailure="freeze")
    failed = push_and_request(pipeline, service, "v2", "wrong-content")
    assert failed.outcome == "NeedsHuman", failed.cause
    text, _ = pipeline.inbox.about(failed.name)
    [request] = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    run = pipeline.run(request)
    assert run.outcome == "Deployed", run.cause
    assert_version(service, "v1")
