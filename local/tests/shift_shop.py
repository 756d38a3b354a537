"""A service whose traffic ECS shifts, as the tests of that use it."""

import time

import image
from balancer import Balancer
from service import eventually
from shop import Shop


def pause(*stages: str, **timeout) -> dict:
    """A PAUSE hook at some stages."""
    hook = {"targetType": "PAUSE", "lifecycleStages": list(stages)}
    return {**hook, "timeoutConfiguration": timeout} if timeout else hook


class ShiftShop(Shop):
    """A service behind two target groups, and looks at its service deployments."""

    def __init__(self, cloud, name: str) -> None:
        super().__init__(cloud, name)
        self.balancer = Balancer(cloud, name, port=8099)

    def open(self, count: int = 1, **configuration) -> None:
        """Creates the service with version v1, without hooks; then gives it the configuration."""
        plain = {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0}
        self.start("v1", count, **plain)
        self.ended("SUCCESSFUL")
        if configuration:
            self.configure(**configuration)

    def start(self, version: str, count: int = 1, **configuration) -> dict:
        """Creates the service; returns what CreateService shows of it."""
        return self.ecs.create_service(
            cluster=self.name,
            serviceName="users",
            taskDefinition=self.version(version),
            desiredCount=count,
            launchType="FARGATE",
            deploymentConfiguration=configuration,
            loadBalancers=[self.balancer.behind("app")],
        )["service"]

    def configure(self, **configuration) -> None:
        wanted = {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0, **configuration}
        self.ecs.update_service(cluster=self.name, service="users", deploymentConfiguration=wanted)

    def version(self, version: str) -> str:
        """Registers a task definition of an image that answers with this version."""
        return self.define(self.cloud.image(self.name, image.push(self.cloud, self.name, version)))

    def deploy(self, version: str) -> str:
        """Points the service at a version; returns the deployment's id."""
        return self.update(self.version(version))

    def listed(self, **which) -> list[dict]:
        """The service deployments, the newest first."""
        return self.ecs.list_service_deployments(cluster=self.name, service="users", **which)[
            "serviceDeployments"
        ]

    def seen(self) -> dict:
        """What DescribeServiceDeployments says of the newest one."""
        newest = [self.listed()[0]["serviceDeploymentArn"]]
        return self.ecs.describe_service_deployments(serviceDeploymentArns=newest)["serviceDeployments"][0]

    def service(self) -> dict:
        return self.ecs.describe_services(cluster=self.name, services=["users"])["services"][0]

    def gate(self, stage: str, after: str = "") -> dict:
        """The hook that waits at a stage, as soon as it does and is not the one before it."""

        def look() -> dict | None:
            seen = self.seen()
            hooks = [each for each in seen.get("lifecycleHookDetails", []) if each["hookId"] != after]
            waits = seen.get("lifecycleStage") == stage and hooks and hooks[0]["status"] == "AWAITING_ACTION"
            return hooks[0] if waits else None

        return eventually(look, f"a hook waited at {stage}: {self.seen()}")

    def answer(self, hook: dict, action: str = "CONTINUE") -> None:
        arn = self.listed()[0]["serviceDeploymentArn"]
        self.ecs.continue_service_deployment(serviceDeploymentArn=arn, hookId=hook["hookId"], action=action)

    def ended(self, status: str) -> dict:
        """The newest service deployment, as soon as it has ended so."""
        eventually(lambda: "finishedAt" in self.listed()[0], f"it ended: {self.seen()}")
        seen = self.seen()
        assert seen["status"] == status, seen
        return seen

    def settle(self) -> float:
        """Waits until a change of a rule has taken effect and clients have asked since; returns that moment."""
        time.sleep(1.1)
        settled = time.monotonic()
        time.sleep(0.4)
        return settled

    def running(self) -> list[str]:
        """The ARNs of the running tasks."""
        return sorted(task["taskArn"] for task in self.tasks() if task["lastStatus"] == "RUNNING")
