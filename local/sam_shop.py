"""The services and images of which the samples tell, on the local AWS: with the same names, but other digests and ids.

Of what Rust's tests have in memory it has what an account has at rest: no service is being deployed, the tasks of
each run one image, and no release has left anything in the ledger.
"""

import json

import build
from service import PORT, eventually

_IMAGES = {letter: f"v{n}" for n, letter in enumerate("abcd", 1)}
# The build that the samples push; the label of the image says its commit.
_PUSHED, _TAG, _COMMIT = "b", "main-1a2b3c", "1a2b3c4d5e6f"
_SERVICES = {
    "dev": ["users", "legacy", "idle", "orders"],
    "mall": ["cart", "checkout", "users"],
    **dict.fromkeys(["test", "locked", "staging", "careful", "prod"], ["users"]),
    **dict.fromkeys(["after-mall", "lost"], []),
}
_NAMES = list(dict.fromkeys(name for names in _SERVICES.values() for name in names))
_UNLIKE = {
    "idle": {"desiredCount": 0},
    "legacy": {"deploymentController": {"type": "CODE_DEPLOY"}},
    "orders": {"deploymentConfiguration": {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0}},
}
_EXPIRES = {
    "rulePriority": 5,
    "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 10},
    "action": {"type": "expire"},
}


class Shop:
    """Clusters with their services, and repositories with four images each."""

    def __init__(self, cloud) -> None:
        self._cloud, self._ecs = cloud, cloud.client("ecs")
        self._names: dict[str, str] = {}

    def open(self) -> None:
        """Makes all of it, and returns when it is at rest."""
        for name in _NAMES:
            self._stock(f"shop/{name}")
            self._define(name, "a")
        policy = {"repositoryName": "shop/checkout", "lifecyclePolicyText": json.dumps({"rules": [_EXPIRES]})}
        self._cloud.client("ecr").put_lifecycle_policy(**policy)
        for cluster, names in _SERVICES.items():
            self._ecs.create_cluster(clusterName=cluster)
            for name in names:
                self._start(cluster, name)
        for cluster, names in _SERVICES.items():
            for name in names:
                self._wait(cluster, name)
        self._names["ecs-svc/1"] = self._described("dev", "users")["deployments"][0]["id"]

    def stand(self, sample: dict) -> None:
        """Sees that the service of a move that is given whole stands where the move says that it was brought."""
        move = sample.get("move")
        if not isinstance(move, dict):
            return
        if "registered" in move and not self._has("users:2"):
            self._define("users", "b")
        wanted = 2 if "deployment" in move else 1
        if not self._described("dev", "users")["taskDefinition"].endswith(f"/users:{wanted}"):
            self._ecs.update_service(cluster="dev", service="users", taskDefinition=f"users:{wanted}")
            self._wait("dev", "users")
            self._names[f"ecs-svc/{wanted}"] = self._described("dev", "users")["deployments"][0]["id"]

    def _stock(self, repository: str) -> None:
        ecr = self._cloud.client("ecr")
        ecr.create_repository(repositoryName=repository)
        ecr.put_image_tag_mutability(
            repositoryName=repository,
            imageTagMutability="MUTABLE_WITH_EXCLUSION",
            imageTagMutabilityExclusionFilters=[{"filterType": "WILDCARD", "filter": "locked"}],
        )
        for letter, version in _IMAGES.items():
            tag, commit = (_TAG, _COMMIT) if letter == _PUSHED else (version, "")
            digest = build.push(self._cloud, repository, tag, version, commit=commit)["digest"]
            self._names[f"sha256:{letter * 64}"] = digest
            self._names[letter * 12] = digest.removeprefix("sha256:")[:12]

    def _define(self, name: str, letter: str) -> None:
        image = self._cloud.image(f"shop/{name}", self._names[f"sha256:{letter * 64}"])
        container = {"name": "app", "image": image, "portMappings": [{"containerPort": PORT}]}
        self._ecs.register_task_definition(
            family=name,
            requiresCompatibilities=["FARGATE"],
            networkMode="awsvpc",
            cpu="256",
            memory="512",
            containerDefinitions=[container],
        )

    def _has(self, revision: str) -> bool:
        try:
            self._ecs.describe_task_definition(taskDefinition=revision)
        except self._ecs.exceptions.ClientException:
            return False
        return True

    def _start(self, cluster: str, name: str) -> None:
        self._ecs.create_service(
            cluster=cluster,
            serviceName=name,
            taskDefinition=name,
            launchType="FARGATE",
            networkConfiguration={"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
            **{"desiredCount": 2, **_UNLIKE.get(name, {})},
        )

    def _wait(self, cluster: str, name: str) -> None:
        eventually(lambda: self._rests(cluster, name), f"{name} of {cluster} was deployed")

    def _described(self, cluster: str, name: str) -> dict:
        return self._ecs.describe_services(cluster=cluster, services=[name])["services"][0]

    def _rests(self, cluster: str, name: str) -> bool:
        described = self._described(cluster, name)
        # One whose traffic is shifted has no rollout state.
        rollouts = [each.get("rolloutState", "COMPLETED") for each in described["deployments"]]
        return rollouts == ["COMPLETED"] and described["runningCount"] == described["desiredCount"]

    @property
    def names(self) -> dict[str, str]:
        """What the samples call its images and deployments, and what they are called there."""
        return dict(self._names)
