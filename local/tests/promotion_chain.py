"""Three environments in a row, and the ways in which tests go from one to the next."""

from watch import release_of

SERVICES = ["orders", "users"]


class PromotionChain:
    """Three environments in a row, of the same services and repositories."""

    def __init__(self, pipeline, name: str, services: list[str], **policies: dict) -> None:
        self.pipeline, self.name, before = pipeline, name, {}
        self.fleets = {}
        for stage in ("dev", "staging", "prod"):
            environment, policy = f"{name}-{stage}", policies.get(stage, {})
            self.fleets[stage] = pipeline.fleet(environment, services, name, **before, **policy)
            before = {"from": environment}

    def ask(self, stage: str, **more) -> dict:
        """A request to an environment; without an image it takes what the one before has verified."""
        return {"environment": f"{self.name}-{stage}", **more}

    def to_dev(self, version: str, **behaviours: str) -> tuple[dict[str, str], object]:
        """Deploys new images in dev; returns their digests, and how that ended."""
        images = self.fleets["dev"].push(version, **behaviours)
        return images, self.pipeline.run(self.ask("dev", scope="cluster", images=images))

    def to_staging(self, version: str) -> dict[str, str]:
        """Deploys new images in dev and then in staging; returns their digests."""
        images, run = self.to_dev(version)
        assert run.outcome == "Deployed", run.cause
        run = self.pipeline.run(self.ask("staging"))
        assert run.outcome == "Deployed", run.cause
        return images

    def waiting(self, **more) -> tuple[str, str]:
        """Starts a release of prod that waits for approval; returns its execution, and the alert."""
        execution = self.pipeline.start(self.ask("prod", **more))
        return execution, self.pipeline.asked(f"{self.name}-prod", execution)

    def answer(self, mode: str, execution: str, **more):
        """Answers for a release that waits."""
        return self.pipeline.run(self.ask("prod", mode=mode, release=release_of(execution), **more))

    def following(self, stage: str, release: str) -> str:
        """The execution that a release of the environment before has started by itself."""
        machine = self.pipeline.machine.replace(":stateMachine:", ":execution:")
        return f"{machine}:{self.name}-{stage}-{release}"

    def verified(self, stage: str) -> dict[str, str]:
        """What the ledger says is verified, by repository."""
        rows = [self.pipeline.known(f"env#{self.name}-{stage}", f"service#{name}") for name in SERVICES]
        return {row["verified"]["repository"]: row["verified"]["digest"] for row in rows}
