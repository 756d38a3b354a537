"""ECS on EC2: one instance, whose address the tasks share that have none of their own.

Plain ministack knows no container instance and tells of no binding. Here every task that is not in an awsvpc network is
on one instance: a container in the network mode bridge has a port of it that nobody else has, and one on the host network
its own. Systems Manager manages the instance once the file `instances.json` of the local AWS names it.
"""

import itertools
import json
from pathlib import Path

from ministack.core.responses import get_account_id, get_region, json_response
from ministack.services import ecs, ssm

from .containers import ON_INSTANCE
from .network import network
from .wrap import Response, need, wrap

need(ecs, "_cluster_name_from_arn", "_task_defs")

INSTANCE = "i-0123456789abcdef0"
_CONTAINER_INSTANCE = "0123456789abcdef0123456789abcdef"

# The first of those that Docker takes on Linux.
_ports = itertools.count(32768)
_table_of: list[Path] = []


def read_from(file: Path) -> None:
    """Says where the table of managed instances is."""
    _table_of[:] = [file]


@wrap(ecs, "_build_run_kwargs")
def port_of_the_instance(original, cdef: dict, td: dict, env: dict, *rest) -> dict:
    if td.get("networkMode") == "awsvpc":
        return original(cdef, td, env, *rest)
    mapped = [mapping["containerPort"] for mapping in cdef.get("portMappings", [])[:1]]
    ports = [port if td.get("networkMode") == "host" else next(_ports) for port in mapped]
    env |= {"PORT": str(port) for port in ports}
    options = original(cdef, td, env, *rest)
    bound = ",".join(f"{port}:{of_host}" for port, of_host in zip(mapped, ports, strict=True))
    return {**options, "labels": {**options["labels"], ON_INSTANCE: bound}}


@wrap(ecs, "_attach_started_container")
def bound_on_the_instance(original, task, container, index, metadata_token, ecs_network) -> bool:
    if (bound := container.labels.get(ON_INSTANCE)) is not None:
        cluster = ecs._cluster_name_from_arn(task["clusterArn"])
        place = f"{get_region()}:{get_account_id()}:container-instance/{cluster}"
        task["containerInstanceArn"] = f"arn:aws:ecs:{place}/{_CONTAINER_INSTANCE}"
        pairs = [pair.split(":") for pair in bound.split(",") if pair]
        task["containers"][index]["networkBindings"] = [
            {"bindIP": "0.0.0.0", "containerPort": int(port), "hostPort": int(of_host), "protocol": "tcp"}
            for port, of_host in pairs
        ]
    return original(task, container, index, metadata_token, ecs_network)


@wrap(ecs, "_describe_container_instances")
def one_instance(original, data: dict) -> Response:
    asked = data.get("containerInstances", [])
    known = [arn for arn in asked if arn.endswith(f"/{_CONTAINER_INSTANCE}")]
    shown = [{"containerInstanceArn": arn, "ec2InstanceId": INSTANCE, "status": "ACTIVE"} for arn in known]
    missing = [{"arn": arn, "reason": "MISSING"} for arn in asked if arn not in known]
    return json_response({"containerInstances": shown, "failures": missing})


@wrap(ssm, "_describe_instance_information")
def managed_instances(original, data: dict) -> Response:
    [file] = _table_of
    managed = json.loads(file.read_text()) if file.exists() else {}
    for wanted in data.get("Filters", []):
        if wanted["Key"] == "InstanceIds":
            managed = {id_: rest for id_, rest in managed.items() if id_ in wanted["Values"]}
    shown = [{"InstanceId": id_, "IPAddress": network.instance, **rest} for id_, rest in managed.items()]
    return json_response({"InstanceInformationList": shown})
