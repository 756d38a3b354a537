"""ECS: events of deployments, lifecycle hooks, tasks, and of a service that is steady again.

Plain ministack emits none. A deployment is announced once in each state it reaches, with the reason that says
whether it is a rollback, and so is a hook; a task when it runs and when it has stopped. HOOK_IN_PROGRESS, which a
running Lambda hook is, comes from no PAUSE hook.
"""

import threading
from datetime import datetime, timezone

from ministack.core.responses import now_iso
from ministack.services import ecs

from . import events
from .wrap import Response, need, wrap

need(ecs, "_services", "_sanitize")

_announcing = threading.Lock()


@wrap(ecs, "_create_service")
def after_create(original, data: dict) -> Response:
    response = original(data)
    announce_deployments()
    return response


@wrap(ecs, "_update_service")
def after_update(original, data: dict) -> Response:
    response = original(data)
    announce_deployments()
    return response


@wrap(ecs, "_complete_service_deployment")
def after_completion(original, cluster_name, svc_key, expected_deployment_id=None) -> None:
    original(cluster_name, svc_key, expected_deployment_id)
    announce_deployments()


@wrap(ecs, "_mark_task_running")
def after_start(original, task_arn, task) -> bool:
    return original(task_arn, task) and _announce_task(task)


@wrap(ecs, "_mark_task_stopped")
def after_stop(original, task_arn, task, reason, stop_code, exit_code=None) -> bool:
    stopped = original(task_arn, task, reason, stop_code, exit_code) and _announce_task(task)
    # A task that ended by itself may have tripped the circuit breaker.
    announce_deployments()
    return stopped


def announce_deployments() -> None:
    """Publishes the state of each deployment that has changed it."""
    with _announcing:
        for service in list(ecs._services.values()):
            for deployment in list(service["deployments"]):
                state, last = deployment["rolloutState"], deployment.get("_announced")
                # One can fail before the request that made it has been answered.
                for news in dict.fromkeys((last or "IN_PROGRESS", state)):
                    if news != last:
                        _announce_deployment(service, deployment, news)
                deployment["_announced"] = state


def _announce_deployment(service: dict, deployment: dict, state: str) -> None:
    detail = {
        "eventType": "ERROR" if state == "FAILED" else "INFO",
        "eventName": f"SERVICE_DEPLOYMENT_{state}",
        "clusterArn": service["clusterArn"],
        "deploymentId": deployment["id"],
        "updatedAt": now_iso(),
        "reason": deployment["rolloutStateReason"],
    }
    events.publish("aws.ecs", "ECS Deployment State Change", detail, [service["serviceArn"]])
    if state == "COMPLETED":
        steady = {"eventType": "INFO", "eventName": "SERVICE_STEADY_STATE", "clusterArn": service["clusterArn"]}
        steady["createdAt"] = now_iso()
        events.publish("aws.ecs", "ECS Service Action", steady, [service["serviceArn"]])


def announce_hook(deployment, hook: dict) -> None:
    """Publishes the status that a hook of a service deployment has come to."""
    expires = datetime.fromtimestamp(hook["expiresAt"], timezone.utc)
    detail = {
        "eventType": "ERROR" if hook["status"] in ("FAILED", "TIMED_OUT") else "INFO",
        "eventName": f"HOOK_{hook['status']}",
        "hookId": hook["hookId"],
        "hookType": hook["targetType"],
        "expiresAt": expires.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "lifecycleStage": deployment.stage,
        "clusterArn": deployment.service["clusterArn"],
        "serviceArn": deployment.service["serviceArn"],
        "serviceDeploymentArn": deployment.arn,
        "updatedAt": now_iso(),
    }
    events.publish("aws.ecs", "ECS Hook State Change", detail, [deployment.arn])


def _announce_task(task: dict) -> bool:
    events.publish("aws.ecs", "ECS Task State Change", ecs._sanitize(task), [task["taskArn"]])
    return True
