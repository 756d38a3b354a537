"""ECS: events of deployments and tasks.

Plain ministack emits none. A deployment is announced once in each state it reaches, with the reason that says
whether it is a rollback; a task when it runs and when it has stopped.
"""

import threading

from ministack.core.responses import now_iso
from ministack.services import ecs

from . import events
from .wrap import Response, need, wrap

need(ecs, "_services", "_sanitize")

_announcing = threading.Lock()


@wrap(ecs, "_create_service")
def after_create(original, data: dict) -> Response:
    response = original(data)
    _announce_deployments()
    return response


@wrap(ecs, "_update_service")
def after_update(original, data: dict) -> Response:
    response = original(data)
    _announce_deployments()
    return response


@wrap(ecs, "_complete_service_deployment")
def after_completion(original, cluster_name, svc_key, expected_deployment_id=None) -> None:
    original(cluster_name, svc_key, expected_deployment_id)
    _announce_deployments()


@wrap(ecs, "_mark_task_running")
def after_start(original, task_arn, task) -> bool:
    return original(task_arn, task) and _announce_task(task)


@wrap(ecs, "_mark_task_stopped")
def after_stop(original, task_arn, task, reason, stop_code, exit_code=None) -> bool:
    stopped = original(task_arn, task, reason, stop_code, exit_code) and _announce_task(task)
    # A task that ended by itself may have tripped the circuit breaker.
    _announce_deployments()
    return stopped


def _announce_deployments() -> None:
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


def _announce_task(task: dict) -> bool:
    events.publish("aws.ecs", "ECS Task State Change", ecs._sanitize(task), [task["taskArn"]])
    return True
