"""Plans what a release of an environment could do: the reads of the Rust function, with boto3.

Clients are made while the function starts, where Lambda gives it more CPU; a revision never changes, so it is kept.
"""

import json
import os

import boto3
from botocore.config import Config

TABLE = os.environ["LEDGER_TABLE"]
PATH = "/tidegate/environments"
PER_CALL = 10

_config = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 3},
    user_agent_appid="tidegate-release",
)
dynamodb = boto3.client("dynamodb", config=_config)
ssm = boto3.client("ssm", config=_config)
ecs = boto3.client("ecs", config=_config)
_revisions: dict[str, dict] = {}


def handle(event: dict, _context) -> dict:
    """Answers a call of the state machine."""
    asked = event["input"]
    if event["do"] != "open" or asked.get("mode") != "plan":
        raise ValueError("this handler makes plans, and nothing else")
    if rows([(f"release#{event['release']}", "head")]):
        raise ValueError("this release was opened before")
    name = asked["environment"]
    environment = environments()[name]
    services = [planned(name, environment["cluster"], service) for service in described(environment["cluster"])]
    free, many = sum(each["blocked"] is None for each in services), len(services)
    return {
        "next": "Planned",
        "outcome": "Planned",
        "environment": name,
        "because": f"{free} of {many} service{'' if many == 1 else 's'} can be deployed",
        "approvalMinutes": 0,
        "pauseSeconds": 0,
        "plan": [],
        "services": services,
    }


def rows(keys: list[tuple[str, str]]) -> list[dict]:
    """Some rows of the ledger."""
    keys = [{"pk": {"S": pk}, "sk": {"S": sk}} for pk, sk in keys]
    asked, found = {TABLE: {"Keys": keys, "ConsistentRead": True}}, []
    while asked:
        answer = dynamodb.batch_get_item(RequestItems=asked)
        found += answer["Responses"].get(TABLE, [])
        asked = answer["UnprocessedKeys"]
    return found


def environments() -> dict[str, dict]:
    """The documents of all environments."""
    pages = ssm.get_paginator("get_parameters_by_path").paginate(Path=PATH)
    found = [parameter for page in pages for parameter in page["Parameters"]]
    return {each["Name"].rpartition("/")[2]: json.loads(each["Value"]) for each in found}


def described(cluster: str) -> list[dict]:
    """The services of a cluster."""
    pages = ecs.get_paginator("list_services").paginate(cluster=cluster, PaginationConfig={"PageSize": 100})
    arns, found = [arn for page in pages for arn in page["serviceArns"]], []
    for first in range(0, len(arns), PER_CALL):
        answer = ecs.describe_services(cluster=cluster, services=arns[first : first + PER_CALL])
        found += [service for service in answer["services"] if service["status"] == "ACTIVE"]
    read_revisions({primary(service)["taskDefinition"] for service in found})
    return found


def read_revisions(arns: set[str]) -> None:
    """Reads the revisions that are not known, from the ledger and what it lacks from ECS."""
    unknown = sorted(arns - _revisions.keys())
    for kept in rows([(f"revision#{arn}", "json") for arn in unknown]) if unknown else []:
        _revisions[kept["pk"]["S"].removeprefix("revision#")] = json.loads(kept["json"]["S"])
    for arn in sorted(arns - _revisions.keys()):
        answer = ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"])
        _revisions[arn] = answer["taskDefinition"]


def planned(environment: str, cluster: str, service: dict) -> dict:
    """What a plan says of a service."""
    name = service["serviceName"]
    rows([(f"env#{environment}", f"service#{name}")])
    running = digests(cluster, name, primary(service)["taskDefinition"])
    [image, *_] = [each["image"] for each in _revisions[primary(service)["taskDefinition"]]["containerDefinitions"]]
    repository = image.partition("/")[2].partition("@")[0]
    return {"service": name, "repository": repository, "blocked": blocker(service, running)}


def digests(cluster: str, service: str, revision: str) -> set[str | None]:
    """What the running tasks of a revision run."""
    asked = {"cluster": cluster, "serviceName": service, "desiredStatus": "RUNNING"}
    arns = [arn for page in ecs.get_paginator("list_tasks").paginate(**asked) for arn in page["taskArns"]]
    tasks = ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"] if arns else []
    of_it = [task for task in tasks if task["taskDefinitionArn"] == revision]
    return {container.get("imageDigest") for task in of_it for container in task["containers"]}


def blocker(service: dict, running: set[str | None]) -> str | None:
    """What is in the way of a service."""
    controller = service.get("deploymentController", {}).get("type", "ECS")
    if controller != "ECS":
        return f"its deployment controller is {controller}: expected ECS"
    if service["desiredCount"] == 0:
        return "its desired count is 0: no task would run the image"
    if len(service["deployments"]) > 1 or primary(service).get("rolloutState") != "COMPLETED":
        return f"a rollout is in progress ({primary(service)['id']})"
    if len(running) != 1 or None in running:
        return "no known good version to return to: its running tasks are not all on one digest"
    return None


def primary(service: dict) -> dict:
    """The deployment that a service is steering to."""
    return next(each for each in service["deployments"] if each["status"] == "PRIMARY")
