"""A service behind a target group, as the tests of ECS use it."""

import urllib.request
from types import SimpleNamespace

import boto3
from botocore.config import Config

from balancer import target_group

BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}


class Shop:
    """A service behind a target group, and looks at it."""

    def __init__(self, cloud, name: str) -> None:
        self.cloud, self.name, self.ecs = cloud, name, cloud.client("ecs")
        self.ecs.create_cluster(clusterName=name)
        cloud.client("ecr").create_repository(repositoryName=name)
        self.group = target_group(cloud.client("elbv2"), name, 80)

    def be_impatient(self) -> None:
        """Makes a target unhealthy after 2 s; AWS, and so boto3's validation, wants 10 s at least."""
        fast = Config(parameter_validation=False)
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        where = {"endpoint_url": self.cloud.endpoint, "region_name": self.cloud.region}
        elbv2 = boto3.client("elbv2", config=fast, **keys, **where)
        elbv2.modify_target_group(TargetGroupArn=self.group, HealthCheckIntervalSeconds=1)

    def define(self, reference: str, **more) -> str:
        container = {"name": "app", "image": reference, "portMappings": [{"containerPort": 8099}], **more}
        definition = self.ecs.register_task_definition(
            family=self.name,
            networkMode="awsvpc",
            containerDefinitions=[container],
            enableFaultInjection=True,
        )
        return definition["taskDefinition"]["taskDefinitionArn"]

    def create(self, definition: str, count: int = 2, **configuration) -> str:
        service = self.ecs.create_service(
            cluster=self.name,
            serviceName="users",
            taskDefinition=definition,
            desiredCount=count,
            launchType="FARGATE",
            deploymentConfiguration={"maximumPercent": 200, **configuration},
            loadBalancers=[{"targetGroupArn": self.group, "containerName": "app", "containerPort": 8099}],
        )["service"]
        return service["deployments"][0]["id"]

    def update(self, definition: str) -> str:
        service = self.ecs.update_service(cluster=self.name, service="users", taskDefinition=definition)[
            "service"
        ]
        [primary] = [d for d in service["deployments"] if d["status"] == "PRIMARY"]
        return primary["id"]

    def deployments(self) -> dict:
        [service] = self.ecs.describe_services(cluster=self.name, services=["users"])["services"]
        return {d["id"]: SimpleNamespace(**d) for d in service["deployments"]}

    def completed(self, deployment: str) -> bool:
        return self.deployments()[deployment].rolloutState == "COMPLETED"

    def tasks(self, **which) -> list[dict]:
        arns = self.ecs.list_tasks(cluster=self.name, serviceName="users", **which)["taskArns"]
        return self.ecs.describe_tasks(cluster=self.name, tasks=arns)["tasks"] if arns else []

    def addresses(self) -> list[str]:
        return sorted(t["containers"][0]["networkInterfaces"][0]["privateIpv4Address"] for t in self.tasks())

    def answers(self) -> list[str]:
        return [
            urllib.request.urlopen(f"http://{a}:8099/", timeout=2).read().decode() for a in self.addresses()
        ]

    def health(self) -> list[dict]:
        return self.cloud.client("elbv2").describe_target_health(TargetGroupArn=self.group)[
            "TargetHealthDescriptions"
        ]

    def states(self) -> list[tuple]:
        return [(h["TargetHealth"]["State"], h["TargetHealth"].get("Reason")) for h in self.health()]
