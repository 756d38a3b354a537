"""ECS: what the stages of a service deployment change: tasks and traffic."""

import time

from ministack.services import ecs

from . import ecs_events, elb_forward
from .ecs_shift_deployments import MINUTE, RollBack, ServiceDeployment
from .ecs_shift_revisions import revision_of, settle
from .ecs_shift_tasks import are_up, scale
from .ecs_shift_traffic import PRODUCTION, TEST, dark, send

_LONGEST_STAGE = 1440
_TOO_LONG = "Service deployment rolled back because the stage SCALE_UP took more than 24 hours."


def unfinished(deployment: ServiceDeployment) -> list[dict]:
    """The revisions at the start that were not deployed with success."""
    return [each for each in deployment.sources if each["rolloutState"] != "COMPLETED"]


def reconcile(deployment: ServiceDeployment) -> None:
    """Returns to the revision that was deployed with success, and forgets those that were not."""
    failed = unfinished(deployment)
    for each in failed:
        # One that failed while the service still rolled has shifted nothing.
        if "_shift" in each:
            withdraw(each["_shift"])
    end_tasks(deployment.service, failed)
    deployment.sources = [each for each in deployment.sources if each not in failed]


def scale_up(deployment: ServiceDeployment) -> None:
    """Starts the new tasks, and waits until all are healthy in the target group without production traffic."""
    service, target = deployment.service, deployment.target
    settle(service, target, [dark(balancer) for balancer in service["loadBalancers"]])
    scale(service, target, True)
    if not deployment.wait(_LONGEST_STAGE * MINUTE, lambda: are_up(service, target)):
        raise RollBack(_TOO_LONG)


def shift(deployment: ServiceDeployment, kind: str, percent: float) -> None:
    """Sends a share of the traffic of a kind to the new tasks."""
    send(deployment.service, kind, revision_of(deployment.service, deployment.target)["_groups"], percent)
    if kind == TEST:
        deployment.test_weight = percent
    else:
        deployment.production_weight = percent


def clean_up(deployment: ServiceDeployment) -> None:
    """Stops the old tasks."""
    service, target = deployment.service, deployment.target
    # The last shift may be so young that listeners still ask the old tasks.
    time.sleep(elb_forward.DRAINED)
    deployment.obey()
    end_tasks(service, deployment.sources)
    completed(target)


def withdraw(deployment: ServiceDeployment) -> None:
    """Sends the traffic that was shifted to where it went before, and waits until it goes there."""
    weights = {PRODUCTION: deployment.production_weight, TEST: deployment.test_weight}
    for kind in [kind for kind, weight in weights.items() if weight]:
        shift(deployment, kind, 0)
    if any(weights.values()):
        time.sleep(elb_forward.DRAINED)


def end_tasks(service: dict, deployments: list[dict]) -> None:
    """Stops all tasks of deployments, which are then listed no more."""
    for each in deployments:
        scale(service, each, False)
    service["deployments"] = [each for each in service["deployments"] if each not in deployments]


def completed(deployment: dict) -> None:
    """Marks a deployment as the one that is in place."""
    reason = f"ECS deployment {deployment['id']} completed."
    deployment |= {"rolloutState": "COMPLETED", "rolloutStateReason": reason, "updatedAt": ecs._iso()}
    ecs_events.announce_deployments()
