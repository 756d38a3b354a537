"""ECS: a deployment takes its time, and is done when its targets are healthy.

Plain ministack calls the first deployment of a service COMPLETED before a task runs, never asks the load
balancer, and restarts a crashing task at once and for ever where AWS slows down.
"""

import time

from ministack.core.concurrency import spawn_background
from ministack.services import alb, ecs, stepfunctions

from . import target_health
from .wrap import need, wrap

need(ecs, "_primary_deployment", "_cleanup_task_resources", "_get_docker", "_task_ip", "_tasks", "_services")
need(ecs, "_ECS_DEPLOYMENT_STEADY_DELAY")

_LOOK_AGAIN = 0.3
_looking: set[str] = set()

# Where Waits are shortened, a task need not outlive its start for a whole second before it counts.
_SHORTENED = stepfunctions._SFN_WAIT_SCALE if stepfunctions._SFN_WAIT_SCALE < 1 else 0.0
if _SHORTENED:
    _LOOK_AGAIN = ecs._ECS_DEPLOYMENT_STEADY_DELAY = 0.1


@wrap(ecs, "_make_deployment")
def in_progress_first(original, task_definition, desired_count, status="PRIMARY") -> dict:
    deployment = original(task_definition, desired_count, status)
    reason = f"ECS deployment {deployment['id']} in progress."
    return {**deployment, "rolloutState": "IN_PROGRESS", "rolloutStateReason": reason}


@wrap(ecs, "_complete_service_deployment")
def when_targets_are_healthy(original, cluster_name, svc_key, expected_deployment_id=None) -> None:
    service = ecs._services.get(svc_key)
    deployment = ecs._primary_deployment(service) if service else None
    rolling = deployment and deployment["rolloutState"] == "IN_PROGRESS"
    sick = sick_tasks(service, deployment) if rolling and service.get("loadBalancers") else []
    if not sick:
        return original(cluster_name, svc_key, expected_deployment_id)
    for task, group in sick:
        give_up_on(service, task, group)
    if deployment["id"] not in _looking:
        _looking.add(deployment["id"])
        spawn_background(_look_again, cluster_name, svc_key, deployment["id"])


def _look_again(cluster: str, key: str, deployment: str) -> None:
    time.sleep(_LOOK_AGAIN)
    _looking.discard(deployment)
    ecs._complete_service_deployment(cluster, key, deployment)


def sick_tasks(service: dict, deployment: dict) -> list[tuple[dict, dict]]:
    """The running tasks of a deployment, each with the target group that finds it unhealthy."""
    sick = []
    for task in list(ecs._tasks.values()):
        if task.get("_deployment_id") != deployment["id"] or task["lastStatus"] != "RUNNING":
            continue
        if group := _dissatisfied(service, task):
            sick.append((task, group))
        else:
            task.pop("_sick_since", None)
    return sick


def groups_of(service: dict, task: dict) -> list[tuple[str | None, int | None]]:
    """The target groups that a task belongs in, and its port in each."""
    return [(each.get("targetGroupArn"), each.get("containerPort")) for each in service["loadBalancers"]]


def _dissatisfied(service: dict, task: dict) -> dict | None:
    for arn, port in groups_of(service, task):
        group = alb._tgs.get(arn)
        health = target_health.look(group, ecs._task_ip(task), port) if group else None
        if health and not _is_healthy(task, group, health[0]):
            return group
    return None


def _is_healthy(task: dict, group: dict, state: str) -> bool:
    """Whether a task has answered well for long enough, each time that it was looked at."""
    if state != "healthy":
        task.pop("_well_since", None)
        return False
    return time.time() - task.setdefault("_well_since", time.time()) >= _initial(group)


def _initial(group: dict) -> float:
    """How long a target has to answer well before it counts as healthy, on a clock that shortens Waits."""
    return group["HealthyThresholdCount"] * group["HealthCheckIntervalSeconds"] * _SHORTENED


def give_up_on(service: dict, task: dict, group: dict) -> None:
    """Stops a task that failed its health checks for too long; the circuit breaker counts it."""
    since = task.setdefault("_sick_since", time.time())
    patience = max(
        service.get("healthCheckGracePeriodSeconds") or 0,
        group["HealthCheckIntervalSeconds"] * group["UnhealthyThresholdCount"],
    )
    if time.time() - since < patience:
        return
    reason = f"Task failed ELB health checks in (target-group {group['TargetGroupArn']})"
    if ecs._mark_task_stopped(task["taskArn"], task, reason, "ServiceSchedulerInitiated"):
        ecs._cleanup_task_resources(task, ecs._get_docker())
        ecs._record_service_task_failure(task)


@wrap(ecs, "_record_service_task_healthy")
def healthy_for_its_targets_too(original, svc_key, task) -> None:
    service = ecs._services.get(svc_key)
    if service and service.get("loadBalancers") and _dissatisfied(service, task):
        # It outlived its start, but must not clear the count of failed tasks.
        task["_startup_stable"] = True
    else:
        original(svc_key, task)


@wrap(ecs, "_record_service_task_failure")
def slow_down(original, task, digest_resolution_failed=False) -> None:
    cluster = ecs._cluster_name_from_arn(task["clusterArn"])
    service = ecs._services.get(f"{cluster}/{task['group'].removeprefix('service:')}")
    deployment = ecs._primary_deployment(service) if service else None
    if deployment and deployment["id"] == task.get("_deployment_id") and not _breaker(service):
        deployment["failedTasks"] += 1
        time.sleep(min(0.1 * deployment["failedTasks"], 5))
    original(task, digest_resolution_failed)


def _breaker(service: dict) -> bool:
    return (service["deploymentConfiguration"].get("deploymentCircuitBreaker") or {}).get("enable", False)
