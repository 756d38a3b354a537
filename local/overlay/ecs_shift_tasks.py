"""ECS: tasks of a service whose traffic is shifted.

Plain ministack replaces old tasks by new ones in place, and registers all of them in one target group. Here the
tasks of each deployment run in full or not at all, side by side, each in the target group of its revision. A task
that ends is replaced, ever more slowly; the circuit breaker, of which AWS says two things for these services, is not
played.
"""

import threading
import time

from ministack.core.concurrency import resource_lock
from ministack.services import alb, ecs

from . import ecs_services
from .ecs_shift_revisions import groups_of, shifts
from .ecs_shift_traffic import both
from .wrap import need, wrap

need(ecs, "_PRE_STOP_STATUSES", "_deployment_needs_first_task", "_stop_task", "_refresh_service_state")
need(ecs, "_recount_cluster", "_task_defs", "_resolve_td_key", "_task_ip", "_cluster_name_from_arn")
need(alb, "set_targets_for_group")

_starting = threading.Lock()


def scale(service: dict, deployment: dict, runs: bool) -> None:
    """Starts or stops all tasks of a deployment."""
    deployment["_runs"] = runs
    cluster = ecs._cluster_name_from_arn(service["clusterArn"])
    ecs._reconcile_service_tasks(cluster, f"{cluster}/{service['serviceName']}")


def wanted(service: dict, deployment: dict) -> int:
    """How many tasks of a deployment are to run."""
    runs = deployment.get("_runs", deployment["rolloutState"] == "COMPLETED")
    return service["desiredCount"] if runs else 0


def are_up(service: dict, deployment: dict) -> bool:
    """Whether all tasks of a deployment run and are healthy; one that was sick for too long is stopped."""
    sick = ecs_services.sick_tasks(service, deployment)
    for task, group in sick:
        ecs_services.give_up_on(service, task, group)
    running = [task for task in alive(deployment) if task["lastStatus"] == "RUNNING" and task["_startup_stable"]]
    return not sick and len(running) >= wanted(service, deployment)


def alive(deployment: dict) -> list[dict]:
    """The tasks of a deployment that start or run, the newest last."""
    return [
        task
        for task in list(ecs._tasks.values())
        if task.get("_deployment_id") == deployment["id"] and task["lastStatus"] in ecs._PRE_STOP_STATUSES
    ]


@wrap(ecs, "_reconcile_service_tasks")
def each_deployment_by_itself(original, cluster_name, svc_key) -> None:
    service = ecs._services.get(svc_key)
    if not service or service["status"] != "ACTIVE" or not shifts(service):
        return original(cluster_name, svc_key)
    surplus = []
    with _starting:
        for deployment in list(service["deployments"]):
            surplus += _start_or_spare(cluster_name, service, deployment)
    for task in surplus:
        reason = "Service scaling down"
        ecs._stop_task({"cluster": cluster_name, "task": task["taskArn"], "reason": reason})
    ecs._refresh_service_state(cluster_name, f"service:{service['serviceName']}")
    ecs._recount_cluster(cluster_name)


def _start_or_spare(cluster: str, service: dict, deployment: dict) -> list[dict]:
    """Starts the tasks that a deployment lacks, or returns those that it has too many of."""
    tasks, count = alive(deployment), wanted(service, deployment)
    definition = ecs._task_defs[ecs._resolve_td_key(deployment["taskDefinition"])]
    missing = count - len(tasks)
    if ecs._deployment_needs_first_task(deployment, definition, service):
        # The first task finds out which digests the tags stand for.
        missing = min(missing, 1 - len(tasks))
    if missing > 0:
        ecs._run_task(
            {
                "cluster": cluster,
                "taskDefinition": deployment["taskDefinition"],
                "count": missing,
                "group": f"service:{service['serviceName']}",
                "launchType": service.get("launchType"),
                "capacityProviderStrategy": service.get("capacityProviderStrategy"),
                "platformVersion": service.get("platformVersion", ""),
                "networkConfiguration": service["networkConfiguration"],
                "enableExecuteCommand": service["enableExecuteCommand"],
                "_deploymentId": deployment["id"],
            }
        )
    return tasks[count:]


@wrap(ecs, "_complete_service_deployment")
def completed_by_its_stages(original, cluster_name, svc_key, expected_deployment_id=None) -> None:
    service = ecs._services.get(svc_key)
    if not service or not shifts(service):
        original(cluster_name, svc_key, expected_deployment_id)


@wrap(ecs, "_record_service_task_failure")
def replaced(original, task, digest_resolution_failed=False) -> None:
    cluster = ecs._cluster_name_from_arn(task["clusterArn"])
    key = f"{cluster}/{task['group'].removeprefix('service:')}"
    service = ecs._services.get(key)
    deployment = ecs._deployment_for_task(service, task) if service and shifts(service) else None
    if deployment is None:
        return original(task, digest_resolution_failed)
    deployment["failedTasks"] += 1
    time.sleep(min(0.1 * deployment["failedTasks"], 5))
    ecs._reconcile_service_tasks(cluster, key)


@wrap(ecs_services, "groups_of")
def of_its_revision(original, service, task) -> list[tuple[str, int]]:
    return groups_of(service, task) if shifts(service) else original(service, task)


@wrap(ecs, "_sync_service_targets")
def registered_by_revision(original, cluster_name, svc) -> None:
    if not shifts(svc):
        return original(cluster_name, svc)
    published = svc.setdefault("_published_targets", {})
    for group in {group for balancer in svc["loadBalancers"] for group in both(balancer)}:
        with resource_lock("elbv2-targets", group):
            targets = _targets(svc, group) if svc["status"] == "ACTIVE" else []
            alb.set_targets_for_group(group, targets, published.get(group, ()))
            published[group] = [address for address, _ in targets]


def _targets(service: dict, group: str) -> list[tuple[str, int]]:
    name, cluster = f"service:{service['serviceName']}", service["clusterArn"]
    return [
        (ecs._task_ip(task), port)
        for task in list(ecs._tasks.values())
        if (task.get("group"), task["clusterArn"], task["lastStatus"]) == (name, cluster, "RUNNING")
        for each, port in groups_of(service, task)
        if each == group
    ]
