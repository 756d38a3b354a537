"""ECS: service revisions, which keep what a deployment runs under the number of that deployment.

Plain ministack has none, and deployment ids that are no numbers. A revision belongs to one deployment for good. The
target groups that its tasks are registered in are settled when the tasks are about to start.
"""

import random
import time

from ministack.services import ecs

from .wrap import need, wrap

need(ecs, "_deployment_for_task", "_sanitize")

STRATEGIES = ("BLUE_GREEN", "LINEAR", "CANARY")

_COPIED = ("serviceArn", "clusterArn", "launchType", "platformVersion", "networkConfiguration", "loadBalancers")
_revisions: dict[str, dict] = {}


def shifts(service: dict) -> bool:
    """Whether ECS shifts the traffic of a service."""
    controller = (service.get("deploymentController") or {}).get("type", "ECS")
    return controller == "ECS" and service["deploymentConfiguration"].get("strategy") in STRATEGIES


@wrap(ecs, "_make_deployment")
def numbered(original, task_definition, desired_count, status="PRIMARY") -> dict:
    number = random.randint(10**18, 10**19 - 1)
    return {**original(task_definition, desired_count, status), "id": f"ecs-svc/{number}"}


def revision_of(service: dict, deployment: dict) -> dict:
    """The revision of a deployment."""
    if "_revision" not in deployment:
        of = service["serviceArn"].replace(":service/", ":service-revision/")
        revision = {
            "serviceRevisionArn": f"{of}/{deployment['id'].removeprefix('ecs-svc/')}",
            **{name: service[name] for name in _COPIED if service.get(name)},
            "taskDefinition": deployment["taskDefinition"],
            "createdAt": time.time(),
            "_groups": [balancer.get("targetGroupArn") for balancer in service["loadBalancers"]],
        }
        deployment["_revision"] = _revisions[revision["serviceRevisionArn"]] = revision
    return deployment["_revision"]


def arn_of(service: dict, deployment: dict) -> str:
    """The ARN of a deployment's revision."""
    return revision_of(service, deployment)["serviceRevisionArn"]


def settle(service: dict, deployment: dict, groups: list[str]) -> None:
    """Settles the target group of a deployment's tasks behind each load balancer of its service."""
    revision_of(service, deployment)["_groups"] = groups


def groups_of(service: dict, task: dict) -> list[tuple[str, int]]:
    """The target groups that a task belongs in, and its port in each; none if its deployment is over."""
    deployment = ecs._deployment_for_task(service, task)
    if deployment is None:
        return []
    revision = revision_of(service, deployment)
    ports = [balancer.get("containerPort", 80) for balancer in revision.get("loadBalancers", [])]
    return list(zip(revision["_groups"], ports))


def described(arn: str) -> dict | None:
    """What DescribeServiceRevisions says of a revision, if there is one."""
    revision = _revisions.get(arn)
    if revision is None:
        return None
    resolved = [
        {"targetGroupArn": group, "productionListenerRule": rule}
        for group, balancer in zip(revision["_groups"], revision.get("loadBalancers", []))
        if (rule := balancer.get("advancedConfiguration", {}).get("productionListenerRule"))
    ]
    return {**ecs._sanitize(revision), "resolvedConfiguration": {"loadBalancers": resolved}}
