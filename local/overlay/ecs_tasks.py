"""ECS: tasks that are real processes and say truly whose they are.

Plain ministack names the service in `startedBy` where AWS names the deployment, reports the index where AWS
reports the image that runs, gives a container no address, and calls every stop one by the user.
"""

import re

from ministack.core.concurrency import spawn_background
from ministack.services import ecs

from . import containers
from .wrap import Response, need, wrap

need(ecs, "_docker", "_get_docker", "_reconcile_service_tasks", "_cluster_name_from_arn")

ecs._docker = containers.client

_BY_THE_SCHEDULER = re.compile("Deployment|Service|Task definition")


@wrap(ecs, "_run_task")
def started_by_the_deployment(original, data: dict) -> Response:
    if data.get("_deploymentId"):
        data = {**data, "startedBy": data["_deploymentId"]}
    elif not data.get("group"):
        definition = ecs._task_defs.get(ecs._resolve_td_key(data.get("taskDefinition", "")))
        data = {**data, "group": f"family:{definition['family']}" if definition else ""}
    return original(data)


@wrap(ecs, "_build_run_kwargs")
def port_and_entrypoint(original, cdef: dict, td: dict, env: dict, *rest) -> dict:
    ports = cdef.get("portMappings") or [{}]
    env.setdefault("PORT", str(ports[0].get("containerPort", 8080)))
    options = original(cdef, td, env, *rest)
    # There is nothing to emulate another processor with: whatever is asked for runs as it is.
    options.pop("platform", None)
    return {**options, "entrypoint": cdef.get("entryPoint")}


@wrap(ecs, "_attach_started_container")
def address_and_digest(original, task, container, index, metadata_token, ecs_network) -> bool:
    attached = original(task, container, index, metadata_token, ecs_network)
    if attached:
        shown = task["containers"][index]
        shown["imageDigest"] = container.image.digest
        if task.get("attachments"):
            interface = {
                "attachmentId": task["attachments"][0]["id"],
                "privateIpv4Address": container.address,
            }
            shown["networkInterfaces"] = [interface]
    return attached


@wrap(ecs, "_mark_task_stopped")
def who_stopped_it(original, task_arn, task, reason, stop_code, exit_code=None) -> bool:
    of_a_service = task.get("group", "").startswith("service:")
    by_the_scheduler = stop_code == "UserInitiated" and of_a_service and _BY_THE_SCHEDULER.match(reason)
    if by_the_scheduler:
        reason = f"Scaling activity initiated by (deployment {task.get('startedBy')})"
        stop_code = "ServiceSchedulerInitiated"
    stopped = original(task_arn, task, reason, stop_code, exit_code)
    if stopped and of_a_service and stop_code == "UserInitiated":
        # A service replaces what somebody stopped; plain ministack would run on with one task less.
        cluster = ecs._cluster_name_from_arn(task["clusterArn"])
        service = task["group"].removeprefix("service:")
        spawn_background(ecs._reconcile_service_tasks, cluster, f"{cluster}/{service}")
    return stopped
