"""ECS: the way back of a service deployment, on which no hook is asked.

The old tasks still run, so that traffic returns to them at once; then the new ones are stopped. A deployment with
nothing to return to ends ROLLBACK_FAILED, which AWS does not say.
"""

import time

from . import ecs_events
from .ecs_shift_deployments import ServiceDeployment, now
from .ecs_shift_revisions import arn_of
from .ecs_shift_tasks import are_up, scale
from .ecs_shift_work import completed, end_tasks, reconcile, withdraw

_NOWHERE_TO_GO = "No rollback candidate was found to run the rollback."


def go_back(deployment: ServiceDeployment, reason: str) -> None:
    """Rolls a deployment back to the revision that was deployed with success."""
    reconcile(deployment)
    deployment.become("ROLLBACK_IN_PROGRESS", reason, only_from=("IN_PROGRESS", "ROLLBACK_REQUESTED"))
    deployment.rollback = {"reason": reason, "startedAt": now()}
    deployment.target |= {"rolloutState": "FAILED", "rolloutStateReason": reason}
    if deployment.sources:
        _return_to(deployment, deployment.sources[-1])
        deployment.become("ROLLBACK_SUCCESSFUL", reason, only_from=("ROLLBACK_IN_PROGRESS",))
    else:
        ecs_events.announce_deployments()
        withdraw(deployment)
        scale(deployment.service, deployment.target, False)
        deployment.become("ROLLBACK_FAILED", f"{reason} {_NOWHERE_TO_GO}", only_from=("ROLLBACK_IN_PROGRESS",))


def _return_to(deployment: ServiceDeployment, source: dict) -> None:
    service, target = deployment.service, deployment.target
    deployment.rollback["serviceRevisionArn"] = arn_of(service, source)
    back = f"ECS deployment rollback in progress: rolling back to deploymentId {source['id']}."
    source |= {"_runs": True, "rolloutState": "IN_PROGRESS", "rolloutStateReason": back}
    ecs_events.announce_deployments()
    if source not in service["deployments"]:
        service["deployments"].append(source)
    scale(service, source, True)
    # Only a deployment that was cleaning up has old tasks to start.
    while deployment.stage == "CLEAN_UP" and service["status"] == "ACTIVE" and not are_up(service, source):
        time.sleep(0.1)
    withdraw(deployment)
    if target["status"] == "PRIMARY":
        source["status"], target["status"] = "PRIMARY", "ACTIVE"
        service["taskDefinition"] = source["taskDefinition"]
    end_tasks(service, [target])
    completed(source)
