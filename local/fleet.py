"""What tests of whole clusters share: an environment with many small services, each with its own repository.

shop = Fleet(cloud, "shop", ["canary", "users", "orders"], "release/shop", waves=[["canary"], ["*"]])
shop.run(shop.push("v1"))
"""

from contextlib import suppress

import build
import registry
from service import Service, open_environment

# Outside of the prefix that the stack watches: a push here starts nothing.
_BUILDS = "builds"


class Fleet:
    """An environment, and its services of one task each."""

    def __init__(self, cloud, environment: str, services: list[str], prefix: str, **policy) -> None:
        self.cloud, self.environment, self._policy = cloud, environment, {}
        self.change(**policy)
        ecr, repositories = cloud.client("ecr"), {service: f"{prefix}/{service}" for service in services}
        for repository in [_BUILDS, *repositories.values()]:
            # Another environment of the same services has it already.
            with suppress(ecr.exceptions.RepositoryAlreadyExistsException):
                ecr.create_repository(repositoryName=repository)
        self.services = {
            name: Service(cloud, environment, repository, name) for name, repository in repositories.items()
        }

    def change(self, **policy) -> None:
        """Changes the environment's policy."""
        self._policy |= policy
        open_environment(self.cloud, self.environment, **self._policy)

    def push(self, version: str, commit: str = "", **behaviours: str) -> dict[str, str]:
        """Puts an image without a tag into every repository, which starts nothing; returns their digests.

        All are good, but those of the services that are named with another behaviour.
        """
        made, images = {}, {}
        for name, service in self.services.items():
            behaviour = behaviours.get(name, "good")
            if behaviour not in made:
                tag = f"{version}-{behaviour}"
                pushed = build.push(self.cloud, _BUILDS, tag, version, behaviour, commit=commit or tag)
                made[behaviour] = pushed["digest"]
            images[service.repository] = made[behaviour]
            registry.copy(self.cloud.registry, made[behaviour], _BUILDS, service.repository)
        return images

    def run(self, images: dict[str, str]) -> None:
        """Creates all services, and returns when their first deployments are COMPLETED."""
        for service in self.services.values():
            service.create(images[service.repository], tasks=1)
        for service in self.services.values():
            service.wait()

    def answers(self) -> dict[str, str]:
        """What each service answers over HTTP right now."""
        return {name: _one_of(service.answers().values()) for name, service in self.services.items()}

    def digests(self) -> dict[str, str]:
        """What the tasks of each service run, by repository."""
        return {service.repository: _one_of(service.digests()) for service in self.services.values()}

    def tagged(self, tag: str) -> dict[str, str | None]:
        """What a tag names in each repository."""
        return {service.repository: service.tagged(tag) for service in self.services.values()}

    def deployments(self) -> dict[str, str]:
        """The deployment in place, of each service."""
        return {name: each.described()["deployments"][0]["id"] for name, each in self.services.items()}

    def end(self) -> None:
        """Takes the services away: there are not addresses for many fleets at once."""
        for name in self.services:
            self.cloud.client("ecs").delete_service(cluster=self.environment, service=name, force=True)


def _one_of(values) -> str:
    """What all of them say; all that is said if they differ."""
    return " and ".join(sorted(set(values)))
