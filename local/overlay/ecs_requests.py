"""ECS: requests that AWS refuses.

Plain ministack creates a cluster that nobody asked for, and takes a task definition that does not exist or is
INACTIVE, which a rollback must not run into unprepared.
"""

from ministack.core.responses import error_response_json
from ministack.services import ecs

from .wrap import Response, need, wrap

need(
    ecs,
    "_clusters",
    "_services",
    "_task_defs",
    "_resolve_cluster_name",
    "_resolve_service_ref",
    "_resolve_td_key",
)

_IN_A_CLUSTER = {
    *("CreateService", "UpdateService", "DeleteService", "ListServices", "DescribeServices"),
    *("RunTask", "StopTask", "ListTasks", "DescribeTasks"),
}


@wrap(ecs, "_dispatch_action")
def refuse(original, action: str, data: dict) -> Response:
    problem = _problem(action, data) if action in _IN_A_CLUSTER else None
    return error_response_json(*problem, 400) if problem else original(action, data)


def _problem(action: str, data: dict) -> tuple[str, str] | None:
    cluster = ecs._resolve_cluster_name(data.get("cluster", "default"))
    if cluster not in ecs._clusters:
        return "ClusterNotFoundException", "Cluster not found."
    service = _service(cluster, data.get("service") or data.get("serviceName"))
    if action == "ListTasks" and data.get("serviceName") and service is None:
        return "ServiceNotFoundException", "Service not found."
    if action == "UpdateService" and service and service["status"] != "ACTIVE":
        return "ServiceNotActiveException", "Service was not ACTIVE."
    if "taskDefinition" in data:
        definition = ecs._task_defs.get(ecs._resolve_td_key(data["taskDefinition"]))
        if definition is None:
            return "ClientException", "TaskDefinition not found."
        if definition["status"] != "ACTIVE":
            return "ClientException", "TaskDefinition is inactive"
    return None


def _service(cluster: str, reference: str | None) -> dict | None:
    name = ecs._resolve_service_ref(reference)
    return ecs._services.get(f"{cluster}/{name[0]}") if name else None
