"""A service whose traffic ECS shifts, for the demo and the end-to-end tests.

users = ShiftingService(cloud, "dev", "shop/users", "users")
users.create(digest, tasks=2)
users.wait()
users.configure(bakeTimeInMinutes=1, lifecycleHooks=[GATES])
"""

from balancer import Balancer
from service import PORT, Service, eventually

# A gate for the tests in the dark, and one for the drain.
GATES = {
    "targetType": "PAUSE",
    "lifecycleStages": ["POST_TEST_TRAFFIC_SHIFT", "POST_PRODUCTION_TRAFFIC_SHIFT"],
    "timeoutConfiguration": {"timeoutInMinutes": 60, "action": "ROLLBACK"},
}


class ShiftingService(Service):
    """A service between whose two target groups ECS shifts; its first deployment meets no gate."""

    configuration = {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0}

    def __init__(self, cloud, environment: str, repository: str, name: str) -> None:
        super().__init__(cloud, environment, repository, name)
        self.balancer = Balancer(cloud, f"{environment}-{name}"[-26:].strip("-"), PORT)

    def configure(self, strategy: str = "BLUE_GREEN", **configuration) -> None:
        """Gives the service another deployment configuration; that starts no deployment."""
        whole = {"strategy": strategy, **configuration}
        self.ecs.update_service(cluster=self.environment, service=self.name, deploymentConfiguration=whole)

    def wait(self) -> None:
        """Returns when the newest service deployment is SUCCESSFUL."""
        eventually(lambda: self.shifts()[0]["status"] == "SUCCESSFUL", f"{self.name} was deployed")

    def task_ids(self) -> list[str]:
        """The ids of the running tasks, sorted."""
        return sorted(task["taskArn"].rsplit("/", 1)[-1] for task in self.tasks())

    def shifts(self) -> list[dict]:
        """The service deployments, the newest first, as DescribeServiceDeployments tells them."""
        listed = self.ecs.list_service_deployments(cluster=self.environment, service=self.name)
        arns = [each["serviceDeploymentArn"] for each in listed["serviceDeployments"]]
        described = self.ecs.describe_service_deployments(serviceDeploymentArns=arns)["serviceDeployments"]
        return sorted(described, key=lambda each: arns.index(each["serviceDeploymentArn"]))

    def answer(self, action: str = "CONTINUE") -> None:
        """Answers the gate at which the newest service deployment waits."""
        newest = self.shifts()[0]
        [hook] = [each for each in newest["lifecycleHookDetails"] if each["status"] == "AWAITING_ACTION"]
        of = {"serviceDeploymentArn": newest["serviceDeploymentArn"], "hookId": hook["hookId"]}
        self.ecs.continue_service_deployment(**of, action=action)

    def _balancer(self) -> dict:
        return self.balancer.behind("app")
