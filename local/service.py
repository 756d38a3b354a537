"""What the demo and the end-to-end tests share: a service that runs images of the demo service.

users = SoleService(cloud, "dev", "shop/users", "users", deployOn=["main-*"])
users.run(users.push("baseline", "v1")["digest"])
"""

import json
import time
import urllib.request
from collections.abc import Callable

import build
import canary

PORT = 8080
BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}


def _check(name: str, path: str, **more) -> dict:
    return {"name": name, "http": {"url": f"http://${{target.address}}{path}", **more}}


# The live tests of the demo service; `health` alone would not find an image that answers wrongly.
PACK = {
    "checks": [
        _check("health", "/health", status=200, json={"$.status": "ok"}),
        {**_check("version", "/version", json={"$.status": "ok"}), "attempts": 2, "interval": "1s"},
        _check("home", f"/?token={canary.PACK_QUERY}", contains="hello"),
    ]
}


class NotSeen(Exception):
    """What did not happen in time, in a sentence."""


def eventually(look: Callable, what: str, seconds: float = 30):
    """Looks until there is something to see, and returns it."""
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        if time.monotonic() > deadline:
            raise NotSeen(f"it took more than {seconds:.0f} s until {what}")
        time.sleep(0.05)
    return seen


def put(cloud, path: str, document: dict) -> None:
    """Writes a document into Parameter Store, under `/tidegate/`."""
    text = json.dumps(document)
    cloud.client("ssm").put_parameter(Name=f"/tidegate/{path}", Value=text, Type="String", Overwrite=True)


def open_environment(cloud, name: str, **policy) -> None:
    """Creates the cluster of an environment, its document, and the secret that its tasks are given."""
    secret = {"Name": canary.PARAMETER, "Value": canary.PARAMETER_VALUE, "Type": "SecureString"}
    cloud.client("ssm").put_parameter(**secret, Overwrite=True)
    cloud.client("ecs").create_cluster(clusterName=name)
    put(cloud, f"environments/{name}", {"cluster": name, "tag": name, **policy})


class Service:
    """A service of an environment, behind a target group, with live tests; its repository must exist."""

    configuration = BREAKER

    def __init__(self, cloud, environment: str, repository: str, name: str) -> None:
        self.cloud, self.environment, self.repository, self.name = cloud, environment, repository, name
        self.ecs, self.ecr = cloud.client("ecs"), cloud.client("ecr")
        put(cloud, f"environments/{environment}/services/{name}/tests", PACK)

    def push(self, tag: str, version: str, behaviour: str = "good", **image) -> dict:
        """Pushes an image into the service's repository."""
        return build.push(self.cloud, self.repository, tag, version, behaviour, **image)

    def create(self, digest: str, tasks: int) -> None:
        """Creates the service, pinned to a digest."""
        self.cloud.client("logs").create_log_group(logGroupName=f"/ecs/{self.environment}/{self.name}")
        self.ecs.create_service(
            cluster=self.environment,
            serviceName=self.name,
            taskDefinition=self.define(digest),
            desiredCount=tasks,
            launchType="FARGATE",
            networkConfiguration={"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
            deploymentConfiguration=self.configuration,
            loadBalancers=[self._balancer()],
        )

    def wait(self) -> None:
        """Returns when the service has one deployment, and that is COMPLETED."""
        completed = [("PRIMARY", "COMPLETED")]
        eventually(lambda: self.rollouts() == completed, f"{self.name} was deployed")

    def roll(self, definition: str) -> None:
        """Points the service at a revision by hand, and returns when that is COMPLETED."""
        self.ecs.update_service(cluster=self.environment, service=self.name, taskDefinition=definition)
        self.wait()

    def rollouts(self) -> list[tuple[str, str]]:
        """The status and the rollout state of each deployment."""
        return [(each["status"], each["rolloutState"]) for each in self.described()["deployments"]]

    def described(self) -> dict:
        """What DescribeServices says of the service."""
        return self.ecs.describe_services(cluster=self.environment, services=[self.name])["services"][0]

    def digests(self) -> list[str]:
        """The image digest that each running task reports."""
        return [task["containers"][0]["imageDigest"] for task in self.tasks()]

    def answers(self) -> dict[str, str]:
        """What each target answers over HTTP right now."""
        interfaces = [task["containers"][0]["networkInterfaces"][0] for task in self.tasks()]
        addresses = sorted(f"{each['privateIpv4Address']}:{PORT}" for each in interfaces)
        return {address: _get(f"http://{address}/") for address in addresses}

    def tagged(self, tag: str) -> str | None:
        """The digest that a tag of the repository names."""
        wanted = [{"imageTag": tag}]
        found = self.ecr.batch_get_image(repositoryName=self.repository, imageIds=wanted)["images"]
        return found[0]["imageId"]["imageDigest"] if found else None

    def tasks(self) -> list[dict]:
        """The running tasks, as DescribeTasks tells them."""
        listed = self.ecs.list_tasks(cluster=self.environment, serviceName=self.name)["taskArns"]
        tasks = self.ecs.describe_tasks(cluster=self.environment, tasks=listed)["tasks"] if listed else []
        return [task for task in tasks if task["lastStatus"] == "RUNNING"]

    def _balancer(self) -> dict:
        return {"targetGroupArn": self._group(), "containerName": "app", "containerPort": PORT}

    def _group(self) -> str:
        """Creates the target group that looks at the tasks."""
        groups = self.cloud.client("elbv2").create_target_group(
            Name=f"{self.environment}-{self.name}"[:32].strip("-"),
            Protocol="HTTP",
            Port=PORT,
            TargetType="ip",
            VpcId="vpc-1",
            HealthCheckPath="/health",
            HealthCheckIntervalSeconds=5,
            HealthyThresholdCount=2,
            UnhealthyThresholdCount=2,
        )
        return groups["TargetGroups"][0]["TargetGroupArn"]

    def distrust(self) -> None:
        """Lets a target count as healthy only after two minutes: what crashes after a second is then found."""
        [balancer] = self.described()["loadBalancers"]
        group = {"TargetGroupArn": balancer["targetGroupArn"]}
        longer = {"HealthCheckIntervalSeconds": 15, "HealthyThresholdCount": 8}
        self.cloud.client("elbv2").modify_target_group(**group, **longer)

    def define(self, image: str, **instead) -> str:
        """Registers a task definition for a digest or a tag: one container, its output in CloudWatch Logs."""
        group = f"/ecs/{self.environment}/{self.name}"
        logs = {"awslogs-group": group, "awslogs-region": self.cloud.region, "awslogs-stream-prefix": "ecs"}
        container = {
            "name": "app",
            "image": self.cloud.image(self.repository, image),
            "portMappings": [{"containerPort": PORT}],
            "environment": canary.ENVIRONMENT,
            "secrets": canary.SECRETS,
            "logConfiguration": {"logDriver": "awslogs", "options": logs},
        }
        definition = {
            "family": f"{self.environment}-{self.name}",
            "requiresCompatibilities": ["FARGATE"],
            "networkMode": "awsvpc",
            "cpu": "256",
            "memory": "512",
            "containerDefinitions": [container],
            **instead,
        }
        return self.ecs.register_task_definition(**definition)["taskDefinition"]["taskDefinitionArn"]


class SoleService(Service):
    """The only service of an environment, of two tasks; made with the environment and the repository."""

    def __init__(self, cloud, environment: str, repository: str, name: str, **policy) -> None:
        open_environment(cloud, environment, **policy)
        cloud.client("ecr").create_repository(repositoryName=repository)
        super().__init__(cloud, environment, repository, name)

    def run(self, digest: str) -> None:
        """Creates the service, pinned to a digest, and returns when its first deployment is COMPLETED."""
        self.create(digest, tasks=2)
        self.wait()


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=2) as answer:
        return answer.read().decode()
