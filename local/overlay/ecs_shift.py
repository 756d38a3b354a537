"""ECS: service deployments that shift traffic, stage by stage.

Plain ministack stores the strategies BLUE_GREEN, LINEAR and CANARY and rolls all the same. Here one thread for each
deployment goes through the stages: new tasks beside the old ones, then the listener rules, then the end of the old
tasks; and from every stage back. What AWS does not say is: that RECONCILE_SERVICE returns to the last revision that
was deployed with success, and that a deployment with nothing to return to ends ROLLBACK_FAILED. Not played: Lambda
hooks, Service Connect and Network Load Balancers, which are refused (`ecs_shift_requests`), and alarms, which are
stored and never looked at.
"""

import time
from collections.abc import Callable, Iterator

from ministack.core.concurrency import spawn_background
from ministack.services import ecs

from . import ecs_events, elb_forward
from .ecs_shift_deployments import ENDED, MINUTE, Overtaken, RollBack, ServiceDeployment, now, of
from .ecs_shift_gates import pass_gates
from .ecs_shift_revisions import arn_of, revision_of, settle
from .ecs_shift_tasks import are_up, scale
from .ecs_shift_traffic import PRODUCTION, TEST, dark, problem, send

_LONGEST_STAGE = 1440
_TOO_LONG = "Service deployment rolled back because the stage {} took more than 24 hours."
_NOWHERE_TO_GO = "No rollback candidate was found to run the rollback."


def begin(service: dict, target: dict) -> None:
    """Begins the service deployment of a service's newest deployment; it takes the place of one that is open."""
    before = [each for each in of(service["serviceArn"]) if each.status not in ENDED]
    sources = [each for each in service["deployments"] if each is not target]
    deployment = target["_shift"] = ServiceDeployment(service, target, sources)
    settle(service, target, [])
    for each in before:
        each.become("STOP_REQUESTED", "Service deployment stopped because a newer one was started.")
    spawn_background(_play, deployment, before, thread_name=f"overlay-shift-{service['serviceName']}")


def _play(deployment: ServiceDeployment, before: list[ServiceDeployment]) -> None:
    for each in before:
        each.over.wait()
    try:
        if deployment.become("IN_PROGRESS", only_from=("PENDING",)):
            deployment.times["startedAt"] = now()
        _go_forward(deployment)
    except Overtaken:
        deployment.times["stoppedAt"] = now()
        deployment.become("STOPPED", deployment.reason, only_from=(deployment.status,))
    except RollBack as asked:
        _go_back(deployment, str(asked))
    finally:
        deployment.over.set()


def _go_forward(deployment: ServiceDeployment) -> None:
    listed = deployment.service["deployments"]
    deployment.sources = [each for each in deployment.sources if each in listed]
    if _unfinished(deployment):
        _stage(deployment, "RECONCILE_SERVICE", lambda: _reconcile(deployment))
    if reason := problem(deployment.service):
        raise RollBack(reason)
    _stage(deployment, "PRE_SCALE_UP")
    _stage(deployment, "SCALE_UP", lambda: _scale_up(deployment))
    _stage(deployment, "POST_SCALE_UP")
    _stage(deployment, "TEST_TRAFFIC_SHIFT", lambda: _shift(deployment, TEST, 100))
    _stage(deployment, "POST_TEST_TRAFFIC_SHIFT")
    for percent, minutes in _steps(deployment.configuration):
        _stage(deployment, "PRE_PRODUCTION_TRAFFIC_SHIFT")
        _stage(deployment, "PRODUCTION_TRAFFIC_SHIFT", lambda: _shift(deployment, PRODUCTION, percent))
        deployment.wait(minutes * MINUTE)
    _stage(deployment, "POST_PRODUCTION_TRAFFIC_SHIFT")
    bake = deployment.configuration.get("bakeTimeInMinutes", 0)
    _stage(deployment, "BAKE_TIME", lambda: deployment.wait(bake * MINUTE))
    _stage(deployment, "CLEAN_UP", lambda: _clean_up(deployment))
    if not deployment.become("SUCCESSFUL", only_from=("IN_PROGRESS",)):
        deployment.obey()


def _stage(deployment: ServiceDeployment, stage: str, work: Callable = lambda: None) -> None:
    deployment.enter(stage)
    work()
    pass_gates(deployment)


def _steps(configuration: dict) -> Iterator[tuple[float, float]]:
    """The share of production traffic after each step, with the minutes to wait before the next."""
    linear, canary = (configuration.get(f"{kind}Configuration") or {} for kind in ("linear", "canary"))
    if configuration["strategy"] == "LINEAR":
        step, share = linear.get("stepPercent", 10), 0
        while (share := share + step) < 100:
            yield share, linear.get("stepBakeTimeInMinutes", 6)
    if configuration["strategy"] == "CANARY":
        yield canary.get("canaryPercent", 5), canary.get("canaryBakeTimeInMinutes", 10)
    yield 100, 0


def _unfinished(deployment: ServiceDeployment) -> list[dict]:
    return [each for each in deployment.sources if each["rolloutState"] != "COMPLETED"]


def _reconcile(deployment: ServiceDeployment) -> None:
    """Returns to the revision that was deployed with success, and forgets those that were not."""
    unfinished = _unfinished(deployment)
    for each in unfinished:
        _withdraw(each["_shift"])
    _end_tasks(deployment.service, unfinished)
    deployment.sources = [each for each in deployment.sources if each not in unfinished]


def _scale_up(deployment: ServiceDeployment) -> None:
    service, target = deployment.service, deployment.target
    settle(service, target, [dark(balancer) for balancer in service["loadBalancers"]])
    scale(service, target, True)
    if not deployment.wait(_LONGEST_STAGE * MINUTE, lambda: are_up(service, target)):
        raise RollBack(_TOO_LONG.format("SCALE_UP"))


def _shift(deployment: ServiceDeployment, kind: str, percent: float) -> None:
    send(deployment.service, kind, revision_of(deployment.service, deployment.target)["_groups"], percent)
    if kind == TEST:
        deployment.test_weight = percent
    else:
        deployment.production_weight = percent


def _withdraw(deployment: ServiceDeployment) -> None:
    """Sends the traffic that was shifted to where it went before, and waits until it goes there."""
    weights = {PRODUCTION: deployment.production_weight, TEST: deployment.test_weight}
    for kind in [kind for kind, weight in weights.items() if weight]:
        _shift(deployment, kind, 0)
    if any(weights.values()):
        time.sleep(elb_forward.LAG)


def _clean_up(deployment: ServiceDeployment) -> None:
    service, target = deployment.service, deployment.target
    # The last shift may be so young that listeners still ask the old tasks.
    time.sleep(elb_forward.LAG)
    deployment.obey()
    _end_tasks(service, deployment.sources)
    _completed(target)


def _end_tasks(service: dict, deployments: list[dict]) -> None:
    """Stops all tasks of deployments, which are then listed no more."""
    for each in deployments:
        scale(service, each, False)
    service["deployments"] = [each for each in service["deployments"] if each not in deployments]


def _go_back(deployment: ServiceDeployment, reason: str) -> None:
    """Rolls back; no hook is asked."""
    service, target = deployment.service, deployment.target
    _reconcile(deployment)
    source = deployment.sources[-1] if deployment.sources else None
    deployment.become("ROLLBACK_IN_PROGRESS", reason, only_from=("IN_PROGRESS", "ROLLBACK_REQUESTED"))
    deployment.rollback = {"reason": reason, "startedAt": now()}
    target |= {"rolloutState": "FAILED", "rolloutStateReason": reason}
    if source is None:
        _withdraw(deployment)
        scale(service, target, False)
        ecs_events.announce_deployments()
        deployment.become("ROLLBACK_FAILED", f"{reason} {_NOWHERE_TO_GO}", only_from=("ROLLBACK_IN_PROGRESS",))
        return
    deployment.rollback["serviceRevisionArn"] = arn_of(service, source)
    back = f"ECS deployment rollback in progress: rolling back to deploymentId {source['id']}."
    source |= {"_runs": True, "rolloutState": "IN_PROGRESS", "rolloutStateReason": back}
    ecs_events.announce_deployments()
    if source not in service["deployments"]:
        service["deployments"].append(source)
    scale(service, source, True)
    # The old tasks still run, unless they were being cleaned up.
    while deployment.stage == "CLEAN_UP" and service["status"] == "ACTIVE" and not are_up(service, source):
        time.sleep(0.1)
    _withdraw(deployment)
    if target["status"] == "PRIMARY":
        source["status"], target["status"] = "PRIMARY", "ACTIVE"
        service["taskDefinition"] = source["taskDefinition"]
    _end_tasks(service, [target])
    _completed(source)
    deployment.become("ROLLBACK_SUCCESSFUL", reason, only_from=("ROLLBACK_IN_PROGRESS",))


def _completed(deployment: dict) -> None:
    reason = f"ECS deployment {deployment['id']} completed."
    deployment |= {"rolloutState": "COMPLETED", "rolloutStateReason": reason, "updatedAt": ecs._iso()}
    ecs_events.announce_deployments()
