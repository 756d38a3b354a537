"""ECS: the operations on service deployments and service revisions.

Plain ministack lacks two of them and answers the others with empty lists, as this does for services that roll.
Nobody has recorded which error a hook gives that waits no more: TIDEGATE_ENDED_HOOK names another one.
"""

import os
import time
from collections.abc import Callable

from ministack.core.responses import error_response_json, json_response
from ministack.services import ecs

from . import ecs_shift_deployments, ecs_shift_revisions
from .ecs_shift_deployments import ENDED, OPEN, ServiceDeployment
from .ecs_shift_gates import answer
from .ecs_shift_revisions import arn_of
from .ecs_shift_services import counts, shown_configuration
from .wrap import Response, need

need(ecs, "_ACTION_MAP", "_resolve_cluster_name", "_resolve_service_ref")

_ENDED_HOOK = os.environ.get("TIDEGATE_ENDED_HOOK", "InvalidParameterException")
_AT_ONCE = 20
_PAGE = 20
_KEPT = 90 * 86400
_STOPPED = "Service deployment rolled back because it was stopped by a user request."


def _list(data: dict) -> Response:
    cluster = ecs._resolve_cluster_name(data.get("cluster", "default"))
    if cluster not in ecs._clusters:
        return _refused("ClusterNotFoundException", "Cluster not found.")
    name = ecs._resolve_service_ref(data["service"])
    service = ecs._services.get(f"{cluster}/{name[0]}") if name else None
    if service is None:
        return _refused("ServiceNotFoundException", "Service not found.")
    created = data.get("createdAt", {})
    after, before = created.get("after", 0), created.get("before", time.time())
    if after and after < time.time() - _KEPT:
        return _refused("InvalidParameterException", "createdAt must be within the last 3 months.")
    found = [
        _brief(each)
        for each in ecs_shift_deployments.of(service["serviceArn"])
        if each.status in data.get("status", [each.status]) and after <= each.times["createdAt"] <= before
    ]
    start = int(data.get("nextToken") or 0)
    end = start + int(data.get("maxResults") or _PAGE)
    more = {"nextToken": str(end)} if found[end:] else {}
    return json_response({"serviceDeployments": found[start:end], **more})


def _brief(deployment: ServiceDeployment) -> dict:
    times = {name: at for name, at in deployment.times.items() if name in ("createdAt", "startedAt", "finishedAt")}
    return {
        "serviceDeploymentArn": deployment.arn,
        "serviceArn": deployment.service["serviceArn"],
        "clusterArn": deployment.service["clusterArn"],
        "targetServiceRevisionArn": arn_of(deployment.service, deployment.target),
        "status": deployment.status,
        "statusReason": deployment.reason,
        **times,
    }


def _describe(data: dict) -> Response:
    def described(arn: str) -> dict | None:
        deployment = ecs_shift_deployments.find(arn)
        return _whole(deployment) if deployment else None

    return _each(data["serviceDeploymentArns"], "serviceDeployments", described)


def _describe_revisions(data: dict) -> Response:
    return _each(data["serviceRevisionArns"], "serviceRevisions", ecs_shift_revisions.described)


def _each(arns: list[str], field: str, described: Callable[[str], dict | None]) -> Response:
    if len(arns) > _AT_ONCE:
        return _refused("InvalidParameterException", f"{field} cannot have more than {_AT_ONCE} elements")
    found = {arn: described(arn) for arn in arns}
    failures = [{"arn": arn, "reason": "MISSING"} for arn in arns if found[arn] is None]
    return json_response({field: [each for each in found.values() if each], "failures": failures})


def _whole(deployment: ServiceDeployment) -> dict:
    weights = deployment.test_weight, deployment.production_weight
    rest = 100 - weights[0], 100 - weights[1]
    *unfinished, live = deployment.sources or [None]
    sources = [_summary(deployment, each, 0, 0) for each in unfinished]
    sources += [_summary(deployment, live, *rest)] if live else []
    brief = _brief(deployment)
    del brief["targetServiceRevisionArn"]
    optional = {"lifecycleStage": deployment.stage, "rollback": deployment.rollback}
    return {
        **brief,
        **deployment.times,
        "sourceServiceRevisions": sources,
        "targetServiceRevision": _summary(deployment, deployment.target, *weights),
        "lifecycleHookDetails": deployment.hooks,
        "deploymentConfiguration": shown_configuration(deployment.configuration),
        **{name: value for name, value in optional.items() if value},
    }


def _summary(deployment: ServiceDeployment, of: dict, test: float, production: float) -> dict:
    return {
        "arn": arn_of(deployment.service, of),
        **counts(deployment.service, of),
        "requestedTestTrafficWeight": test,
        "requestedProductionTrafficWeight": production,
    }


def _continue(data: dict) -> Response:
    deployment = ecs_shift_deployments.find(data["serviceDeploymentArn"])
    if deployment is None:
        return _refused("ServiceDeploymentNotFoundException", "Service deployment not found.")
    action = data.get("action", "CONTINUE")
    if action not in ("CONTINUE", "ROLLBACK"):
        return _refused("InvalidParameterException", f"Invalid action: {action}.")
    if not answer(deployment, data["hookId"], action):
        return _refused(_ENDED_HOOK, f"The lifecycle hook {data['hookId']} does not wait for an action.")
    return json_response({"serviceDeploymentArn": deployment.arn})


def _stop(data: dict) -> Response:
    deployment = ecs_shift_deployments.find(data["serviceDeploymentArn"])
    if deployment is None:
        return _refused("ServiceDeploymentNotFoundException", "Service deployment not found.")
    if data.get("stopType", "ROLLBACK") != "ROLLBACK":
        return _refused("InvalidParameterException", "The stop type must be ROLLBACK.")
    stopped = deployment.become("ROLLBACK_REQUESTED", _STOPPED, only_from=OPEN)
    if not stopped and deployment.status in ENDED:
        return _refused("ConflictException", f"The service deployment is {deployment.status}.")
    return json_response({"serviceDeploymentArn": deployment.arn})


def _refused(code: str, message: str) -> Response:
    return error_response_json(code, message, 400)


ecs._ACTION_MAP |= {
    "ListServiceDeployments": _list,
    "DescribeServiceDeployments": _describe,
    "DescribeServiceRevisions": _describe_revisions,
    "ContinueServiceDeployment": _continue,
    "StopServiceDeployment": _stop,
}
