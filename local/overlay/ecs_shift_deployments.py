"""ECS: the record of a service deployment: where it stands, and what it was asked to do.

The thread that plays a deployment asks its record at every step whether it may go on.
"""

import copy
import os
import secrets
import threading
import time
from collections.abc import Callable

MINUTE = float(os.environ.get("TIDEGATE_MINUTE_SECONDS", "60"))
OPEN = ("PENDING", "IN_PROGRESS")
ENDED = ("SUCCESSFUL", "STOPPED", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED")

_LOOK_AGAIN = 0.1
_all: list["ServiceDeployment"] = []


def now() -> float:
    """The time in whole milliseconds, so that a time that was shown finds what bears it."""
    return round(time.time(), 3)


class Overtaken(Exception):
    """Another deployment takes the place of this one, or its service is gone."""


class RollBack(Exception):
    """The deployment is to be rolled back."""


class ServiceDeployment:
    """One service deployment: from the deployments `sources` of a service to its deployment `target`."""

    def __init__(self, service: dict, target: dict, sources: list[dict]) -> None:
        of = service["serviceArn"].replace(":service/", ":service-deployment/")
        self.arn = f"{of}/{secrets.token_urlsafe(16)[:21]}"
        self.service, self.target, self.sources = service, target, sources
        self.configuration = copy.deepcopy(service["deploymentConfiguration"])
        self.status, self.reason, self.stage = "PENDING", "", ""
        self.test_weight = self.production_weight = 0.0
        self.hooks: list[dict] = []
        self.rollback: dict | None = None
        self.times = {"createdAt": now()}
        self.over = threading.Event()
        self._news, self._deciding = threading.Event(), threading.Lock()
        _all.append(self)

    def become(self, status: str, reason: str = "", only_from: tuple[str, ...] = OPEN) -> bool:
        """Takes on a status, unless it left those behind from which it may; says whether it did."""
        with self._deciding:
            if self.status not in only_from:
                return False
            self.status, self.reason = status, reason
            self.times["updatedAt"] = now()
            if status in ENDED:
                self.times["finishedAt"] = now()
            self._news.set()
            return True

    def enter(self, stage: str) -> None:
        """Goes on to a stage, where the hooks of the one before are shown no more."""
        self.obey()
        self.stage, self.hooks = stage, []
        self.times["updatedAt"] = now()

    def wait(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Returns True as soon as something is so, and False when the time is up."""
        deadline = time.monotonic() + seconds
        while True:
            self._news.clear()
            self.obey()
            if until():
                return True
            if (left := deadline - time.monotonic()) <= 0:
                return False
            self._news.wait(min(left, _LOOK_AGAIN))

    def obey(self) -> None:
        """Raises what the deployment was asked to do instead of going on."""
        if self.status == "STOP_REQUESTED" or self.service["status"] != "ACTIVE":
            raise Overtaken
        if self.status == "ROLLBACK_REQUESTED":
            raise RollBack(self.reason)

    def wake(self) -> None:
        """Has the thread that waits look again."""
        self._news.set()


def find(arn: str) -> ServiceDeployment | None:
    """The service deployment with an ARN."""
    return next((each for each in _all if each.arn == arn), None)


def of(service: str) -> list[ServiceDeployment]:
    """The deployments of a service, by its ARN, the newest first."""
    return [each for each in reversed(_all) if each.service["serviceArn"] == service]
