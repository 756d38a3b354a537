"""ECS: service deployments that shift traffic, stage by stage.

Plain ministack stores the strategies BLUE_GREEN, LINEAR and CANARY and rolls all the same. Here one thread for each
deployment goes through the stages: new tasks beside the old ones, then the listener rules, then the end of the old
tasks; and from every stage back. AWS does not say what RECONCILE_SERVICE does: here it returns to the last revision
that was deployed with success. Not played: Lambda hooks, Service Connect and Network Load Balancers, which are
refused (`ecs_shift_requests`), and alarms, which are stored and never looked at.
"""

from collections.abc import Callable, Iterator

from ministack.core.concurrency import spawn_background

from .ecs_shift_back import go_back
from .ecs_shift_deployments import ENDED, MINUTE, Overtaken, RollBack, ServiceDeployment, now, of
from .ecs_shift_gates import pass_gates
from .ecs_shift_revisions import settle
from .ecs_shift_traffic import PRODUCTION, TEST, problem
from .ecs_shift_work import clean_up, reconcile, scale_up, shift, unfinished


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
        go_back(deployment, str(asked))
    finally:
        deployment.over.set()


def _go_forward(deployment: ServiceDeployment) -> None:
    listed = deployment.service["deployments"]
    deployment.sources = [each for each in deployment.sources if each in listed]
    if unfinished(deployment):
        _stage(deployment, "RECONCILE_SERVICE", lambda: reconcile(deployment))
    if reason := problem(deployment.service):
        raise RollBack(reason)
    _stage(deployment, "PRE_SCALE_UP")
    _stage(deployment, "SCALE_UP", lambda: scale_up(deployment))
    _stage(deployment, "POST_SCALE_UP")
    _stage(deployment, "TEST_TRAFFIC_SHIFT", lambda: shift(deployment, TEST, 100))
    _stage(deployment, "POST_TEST_TRAFFIC_SHIFT")
    for percent, minutes in _steps(deployment.configuration):
        _stage(deployment, "PRE_PRODUCTION_TRAFFIC_SHIFT")
        _stage(deployment, "PRODUCTION_TRAFFIC_SHIFT", lambda: shift(deployment, PRODUCTION, percent))
        deployment.wait(minutes * MINUTE)
    _stage(deployment, "POST_PRODUCTION_TRAFFIC_SHIFT")
    bake = deployment.configuration.get("bakeTimeInMinutes", 0)
    _stage(deployment, "BAKE_TIME", lambda: deployment.wait(bake * MINUTE))
    _stage(deployment, "CLEAN_UP", lambda: clean_up(deployment))
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
