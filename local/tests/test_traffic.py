"""Releases of services whose traffic ECS shifts; a client that asks the production listener all the time is the proof."""

import watch
from balancer import Client
from service import PACK, eventually, open_environment, put
from shifting import ShiftingService

DARK, STEP, DRAIN = (
    "POST_TEST_TRAFFIC_SHIFT",
    "PRE_PRODUCTION_TRAFFIC_SHIFT",
    "POST_PRODUCTION_TRAFFIC_SHIFT",
)


def gates(*stages: str) -> dict:
    # A minute lasts a second here, and a gate is answered a minute before it gives up: all seconds of a real one.
    timeout = {"timeoutInMinutes": 1440, "action": "ROLLBACK"}
    return {"targetType": "PAUSE", "lifecycleStages": list(stages), "timeoutConfiguration": timeout}


def opened(pipeline, name: str, hooks: dict, strategy: str = "BLUE_GREEN", **more) -> ShiftingService:
    """An environment of its own with a service that runs version v1, and waits at some gates from now on."""
    # Requests are counted in real minutes, however short the others are here.
    policy = {"deployOn": [f"{name}-*"], "bakeSeconds": 0, "healthTimeoutSeconds": 60, "drainMinutes": 0}
    open_environment(pipeline.cloud, name, **policy)
    pipeline.cloud.client("ecr").create_repository(repositoryName=f"release/{name}")
    service = ShiftingService(pipeline.cloud, name, f"release/{name}", name)
    service.create(service.push("baseline", "v1")["digest"], tasks=2)
    service.wait()
    service.configure(strategy, lifecycleHooks=[hooks], **more)
    return service


def ids(service: ShiftingService) -> list[str]:
    return sorted(task["taskArn"] for task in service.tasks())


def hello(*versions: str) -> set[str]:
    return {f"hello from {version}" for version in versions}


def moments(run: watch.Run) -> dict[str, float]:
    """After how many seconds a release answered its first gate, and when it ended."""
    first = next(step for step in run.steps if step.state == "Shift")
    seconds = lambda moment: round((moment - run.started).total_seconds(), 1)  # noqa: E731
    return {"dark healthy": seconds(first.entered), "traffic": seconds(first.left), "done": seconds(run.ended)}


def test_good_each(pipeline, name, record_property):
    service = opened(pipeline, name, gates(DARK, DRAIN), bakeTimeInMinutes=1)
    with Client(service.balancer.production) as client:
        proof = pipeline.push(service, f"{name}-1", "v2")
    assert proof.faults() == []
    assert proof.run.states.count("Shift") == 2
    assert client.heard() == hello("v1", "v2") and client.answers[-1][1] == "hello from v2"
    assert [each["status"] for each in service.shifts()][0] == "SUCCESSFUL"
    record_property("moments", moments(proof.run))
    print(moments(proof.run))


def test_bad_in_the_dark(pipeline, name):
    service = opened(pipeline, name, gates(DARK), bakeTimeInMinutes=1)
    before = ids(service)
    with Client(service.balancer.production) as client:
        proof = pipeline.push(service, f"{name}-1", "v2", behaviour="wrong-content")
    assert proof.run.outcome == "RolledBack", proof.run.cause
    assert client.heard() == hello("v1")
    assert ids(service) == before and service.shifts()[0]["status"] == "ROLLBACK_SUCCESSFUL"
    assert "at its gate at POST_TEST_TRAFFIC_SHIFT" in proof.run.cause
    # It was its image's fault: nobody lets it in again.
    again = pipeline.request(service, proof.digest, "v2").run
    assert again.outcome == "Refused", again.cause


def test_bad_in_production_alone(pipeline, name):
    service = opened(pipeline, name, gates(DARK), bakeTimeInMinutes=600)
    behind = {"url": service.balancer.production, "contains": "hello from v1"}
    check = {"name": "production", "http": behind, "attempts": 3, "interval": "1s", "on": ["live"]}
    put(pipeline.cloud, f"environments/{name}/services/{name}/tests", {"checks": [*PACK["checks"], check]})
    before = ids(service)
    with Client(service.balancer.production) as client:
        proof = pipeline.push(service, f"{name}-1", "v2")
    assert proof.run.outcome == "RolledBack", proof.run.cause
    assert 'live test "production"' in proof.run.cause
    assert client.heard() == hello("v1", "v2") and client.answers[-1][1] == "hello from v1"
    # Nothing had to start: the old tasks were there all the time.
    assert ids(service) == before and service.shifts()[0]["status"] == "ROLLBACK_SUCCESSFUL"
    stopped = pipeline.cloud.calls(operation="StopServiceDeployment", agent="tidegate-rollback")
    assert stopped and stopped[-1]["status"] < 300


def test_rollback_after_completion(pipeline, name):
    service = opened(pipeline, name, gates(DARK), bakeTimeInMinutes=0)
    assert pipeline.push(service, f"{name}-1", "v2").faults() == []
    back = pipeline.run({"environment": name, "mode": "rollback"})
    assert back.outcome == "Deployed", back.cause
    assert set(service.answers().values()) == hello("v1")


def test_canary_steps(pipeline, name):
    canary = {"canaryPercent": 10, "canaryBakeTimeInMinutes": 5}
    service = opened(
        pipeline, name, gates(STEP), "CANARY", bakeTimeInMinutes=1, canaryConfiguration=canary
    )
    weights = set()
    with Client(service.balancer.production):
        digest = service.push(f"{name}-1", "v2")["digest"]
        execution = watch.started_by_push(pipeline.cloud, pipeline.machine, digest, f"{name}-1")

        def done() -> bool:
            newest = service.shifts()[0]
            weights.add(newest["targetServiceRevision"]["requestedProductionTrafficWeight"])
            return newest["status"] == "SUCCESSFUL" and len(service.shifts()) > 1

        eventually(done, "it was complete", 120)
    run = pipeline.ended(execution)
    assert run.outcome == "Deployed", run.cause
    assert run.states.count("Shift") == 2 and {10, 100} <= weights
    assert set(service.digests()) == {digest}


def test_a_later_failure_answers_the_gate_of_its_own_rollback(pipeline, name):
    service = opened(pipeline, name, gates(DARK), bakeTimeInMinutes=0)
    behind = {"url": service.balancer.production, "contains": "hello from v1"}
    check = {"name": "production", "http": behind, "attempts": 3, "interval": "1s", "on": ["live"]}
    put(pipeline.cloud, f"environments/{name}/services/{name}/tests", {"checks": [*PACK["checks"], check]})
    run = pipeline.push(service, f"{name}-1", "v2").run
    assert run.outcome == "RolledBack", run.cause
    assert "ShiftBack" in run.states
    assert set(service.answers().values()) == hello("v1")


def waits_at_its_gate(pipeline, service: ShiftingService, name: str) -> str:
    """Pushes v2 with live tests that take a minute, and returns the execution once its gate waits."""
    again = {"url": "http://${target.address}/health"}
    slow = {"name": "slow", "http": again, "attempts": 60, "passes": 60, "interval": "1s"}
    put(pipeline.cloud, f"environments/{name}/services/{name}/tests", {"checks": [slow]})
    digest = service.push(f"{name}-1", "v2")["digest"]
    execution = watch.started_by_push(pipeline.cloud, pipeline.machine, digest, f"{name}-1")
    eventually(lambda: waiting(service), "its gate waited", 60)
    return execution


def waiting(service: ShiftingService) -> list[dict]:
    """The hooks of the newest service deployment that wait for an answer."""
    hooks = service.shifts()[0].get("lifecycleHookDetails", [])
    return [each for each in hooks if each["status"] == "AWAITING_ACTION"]


def test_somebody_answers_first(pipeline, name):
    service = opened(pipeline, name, gates(DARK), bakeTimeInMinutes=0)
    execution = waits_at_its_gate(pipeline, service, name)
    service.answer("ROLLBACK")
    run = pipeline.ended(execution)
    assert run.outcome == "RolledBack", run.cause
    assert "somebody answered its gate" in run.cause
    assert set(service.answers().values()) == hello("v1")
    # That says nothing of the image: it may come again.
    put(pipeline.cloud, f"environments/{name}/services/{name}/tests", PACK)
    digest = service.tagged(f"{name}-1")
    assert pipeline.request(service, digest, "v2").run.outcome == "Deployed"


def test_somebody_deploys_while_its_gate_waits(pipeline, name):
    service = opened(pipeline, name, gates(DARK), bakeTimeInMinutes=0)
    execution = waits_at_its_gate(pipeline, service, name)
    theirs = service.define(service.push("theirs", "v3")["digest"])
    service.ecs.update_service(cluster=name, service=name, taskDefinition=theirs)
    run = pipeline.ended(execution)
    assert run.outcome == "Superseded", run.cause
    # The gate of their deployment is theirs to answer.
    eventually(lambda: waiting(service), "their gate waited", 60)
    service.answer()
    service.wait()
    assert set(service.answers().values()) == hello("v3")


def test_somebody_forces_a_deployment_while_its_gate_waits(pipeline, name):
    service = opened(pipeline, name, gates(DARK), bakeTimeInMinutes=0)
    execution = waits_at_its_gate(pipeline, service, name)
    service.ecs.update_service(cluster=name, service=name, forceNewDeployment=True)
    run = pipeline.ended(execution)
    assert run.outcome == "NeedsHuman", run.cause
    assert "somebody has forced a new deployment of " in run.cause
    eventually(lambda: waiting(service), "the gate of the new deployment waited", 60)
    service.answer()
    service.wait()
    assert set(service.answers().values()) == hello("v2")


def test_weights_that_infrastructure_code_has_reset(pipeline, name):
    service = opened(pipeline, name, gates(DARK), bakeTimeInMinutes=0)
    weights = service.balancer.weights(service.balancer.production_rule)
    empty, live = sorted(weights, key=weights.get)
    # From now on ECS takes the empty group for the live one, and puts new tasks beside the old ones.
    service.balancer.reset(empty)
    before = ids(service)
    proof = pipeline.push(service, f"{name}-1", "v2")
    assert proof.run.outcome == "RolledBack", proof.run.cause
    assert "share" in proof.run.cause
    assert ids(service) == before and service.shifts()[0]["status"] == "ROLLBACK_SUCCESSFUL"
    # It says nothing of the image, which comes once the weights are right.
    service.balancer.reset(live)
    assert pipeline.request(service, proof.digest, "v2").run.outcome == "Deployed"
