"""ECS: services whose traffic is shifted, as CreateService, UpdateService and DescribeServices show them.

Plain ministack shows what it stores. Here such a service has `currentServiceRevisions`, its deployments have no
rollout state, and of a PAUSE hook the stages alone are shown. Each deployment begins a service deployment.
"""

import json
import threading

from ministack.services import ecs

from . import ecs_shift
from .ecs_shift_revisions import arn_of, shifts
from .ecs_shift_tasks import alive, wanted
from .wrap import Response, content, need, succeeded, wrap

need(ecs, "_services", "_primary_deployment")

_beginning = threading.Lock()


@wrap(ecs, "_create_service")
def begin_the_first(original, data: dict) -> Response:
    return _begun(original(data))


@wrap(ecs, "_update_service")
def begin_the_next(original, data: dict) -> Response:
    return _begun(original(data))


@wrap(ecs, "_describe_services")
def describe(original, data: dict) -> Response:
    return _shown(original(data))


def _begun(response: Response) -> Response:
    if succeeded(response):
        with _beginning:
            _begin(_record(content(response)["service"]))
    return _shown(response)


def _begin(service: dict) -> None:
    deployment = ecs._primary_deployment(service)
    if shifts(service) and deployment["rolloutState"] == "IN_PROGRESS" and "_shift" not in deployment:
        ecs_shift.begin(service, deployment)


def _shown(response: Response) -> Response:
    if not succeeded(response):
        return response
    document = content(response)
    for service in [*document.get("services", []), *filter(None, [document.get("service")])]:
        if shifts(_record(service)):
            _show(service)
    return response[0], response[1], json.dumps(document).encode()


def _record(shown: dict) -> dict:
    return ecs._services[shown["serviceArn"].partition(":service/")[2]]


def _show(service: dict) -> None:
    record = _record(service)
    for deployment in service["deployments"]:
        deployment.pop("rolloutState")
        deployment.pop("rolloutStateReason")
    service["deploymentConfiguration"] = shown_configuration(service["deploymentConfiguration"])
    service["currentServiceRevisions"] = [
        {"arn": arn_of(record, each), **counts(record, each)} for each in list(record["deployments"])
    ]


def shown_configuration(configuration: dict) -> dict:
    """A deployment configuration as AWS shows it."""
    if "lifecycleHooks" not in configuration:
        return configuration
    hooks = [{"lifecycleStages": hook["lifecycleStages"]} for hook in configuration["lifecycleHooks"]]
    return {**configuration, "lifecycleHooks": hooks}


def counts(service: dict, deployment: dict) -> dict[str, int]:
    """How many tasks of a deployment are to run, run and start."""
    running = [task["lastStatus"] == "RUNNING" for task in alive(deployment)]
    return {
        "requestedTaskCount": wanted(service, deployment),
        "runningTaskCount": sum(running),
        "pendingTaskCount": len(running) - sum(running),
    }
