"""The service of the demo whose traffic ECS shifts: what clients hear of a release, and what its tasks do.

web = create_web(cloud, "dev")
open_web(web)
with Visitors(web) as visitors:
    proof = ...
shift = visitors.saw(proof, before="v1", pushed="v2")
"""

import time
from dataclasses import dataclass
from datetime import datetime

from balancer import Client
from heard import Heard
from proof import Proof
from shifting import GATES, ShiftingService
from terminal import Terminal
from watch import Run

# How long a minute of ECS lasts here: its bake is short, and still to be seen.
MINUTE_SECONDS = 3
# It waits for the tests in the dark alone.
_GATE = {**GATES, "lifecycleStages": ["POST_TEST_TRAFFIC_SHIFT"]}
# Between two requests of a client, in seconds.
_PAUSE = 0.1


def create_web(cloud, environment: str) -> ShiftingService:
    """Creates a service of two tasks that run a first image; `open_web` waits for it."""
    cloud.client("ecr").create_repository(repositoryName="shop/web")
    web = ShiftingService(cloud, environment, "shop/web", "web")
    web.create(web.push("baseline", "v1")["digest"], tasks=2)
    return web


def open_web(web: ShiftingService) -> None:
    """Returns when it runs; from now on its deployments meet a gate, and bake for a minute."""
    web.wait()
    web.configure(bakeTimeInMinutes=1, lifecycleHooks=[_GATE])


@dataclass(frozen=True)
class Shift:
    """What was seen of a release whose traffic ECS shifts; times are seconds since the push."""

    outcome: str
    expected: str
    """The outcome that the push deserves."""
    before: str
    """The version that ran before."""
    pushed: str
    visitors: Heard
    """What the production listener answered."""
    testers: Heard
    """What the test listener answered."""
    tasks: tuple[list[str], list[str]]
    """The tasks that ran before, and those that run afterwards."""
    judged: float | None
    """When the new tasks had been tested in the dark."""
    answered: float | None
    """When the gate was answered."""
    ended: float | None
    """When ECS had ended the tasks that serve no more, and said that the deployment is over."""
    done: float

    def faults(self) -> list[str]:
        """What is not as it has to be, in sentences."""
        wanted = [self.before, self.pushed] if self.expected == "Deployed" else [self.before]
        heard, failed, asked = self.visitors.versions, self.visitors.failed, len(self.visitors.answers)
        moved, (before, after) = self.visitors.since(self.pushed), self.tasks
        early = moved and self.answered and moved < self.answered
        found = [
            (heard != wanted, f"visitors heard {_listed(heard)}, not {_listed(wanted)}"),
            (failed, f"{len(failed)} of {asked} requests of visitors failed: {_listed(failed[:1])}"),
            (not self.testers.count(self.pushed), f"{self.pushed} never answered the test listener"),
            (self.answered is None, "nobody answered the gate"),
            (early, "the traffic moved before the gate was answered"),
            (self.expected == "Deployed" and set(before) & set(after), "tasks from before still run"),
            (self.expected != "Deployed" and before != after, "other tasks serve than before"),
        ]
        return [sentence for is_so, sentence in found if is_so]

    def show(self, said: Terminal) -> None:
        """Shows who answered when, and what happened when."""
        said.heading("What clients heard meanwhile")
        never = "" if self.visitors.count(self.pushed) else f"; 0 answers of {self.pushed}"
        said.fact("visitors", f"{self.visitors}{never} (production listener)")
        said.fact("testers", f"{self.testers} (test listener)")
        said.fact("moments", "\n".join(f"{at:5.1f} s  {what}" for at, what in self.moments()))
        before, after = (" and ".join(task[:8] for task in tasks) for tasks in self.tasks)
        said.fact("tasks", f"{after} serve, " + ("as before" if before == after else f"in place of {before}"))

    def moments(self) -> list[tuple[float, str]]:
        """What happened, in its order."""
        moved = self.visitors.since(self.pushed)
        healthy, way, gone = ("unhealthy", "back", "new") if moved is None else ("healthy", "on", "old")
        # Listeners may take as long to move.
        last = ", after 15 s live and one more test" if self.outcome == "Deployed" else ""
        found = [
            (self.judged, f"dark {healthy}: tested at the new tasks, which no visitor reaches"),
            (self.answered, f"gate answered: ECS goes {way}"),
            (moved, f"traffic moved: {self.pushed} answers visitors"),
            (self.ended, f"{gone} tasks ended"),
            (self.done, f"done: {self.outcome}{last}"),
        ]
        return sorted((at, what) for at, what in found if at is not None)

    def document(self) -> dict:
        """The shift in the report."""
        return {
            "visitors": self.visitors.document(),
            "testers": self.testers.document(),
            "moments": [{"seconds": round(at, 3), "what": what} for at, what in self.moments()],
        }


class Visitors:
    """Asks both listeners of a service all the time, while a release goes on."""

    def __init__(self, web: ShiftingService) -> None:
        self._web, self._before = web, web.task_ids()
        self._clients = [Client(url, _PAUSE) for url in (web.balancer.production, web.balancer.test)]

    def __enter__(self) -> "Visitors":
        for client in self._clients:
            client.__enter__()
        return self

    def __exit__(self, *fault) -> None:
        for client in self._clients:
            client.__exit__(*fault)

    def saw(self, proof: Proof, before: str, pushed: str) -> Shift:
        """What was seen of a release, given the versions before it and of it."""
        visitors, testers = (_heard(client, proof.pushed) for client in self._clients)
        tasks = (self._before, self._web.task_ids())
        seen = self._judged(proof.run), self._answered(), self._ended(), proof.run.ended.timestamp()
        # What was there before is of an earlier release.
        times = [at - proof.pushed if at and at > proof.pushed else None for at in seen]
        outcomes = proof.run.outcome, proof.expected
        return Shift(*outcomes, before, pushed, visitors, testers, tasks, *times)

    def _judged(self, run: Run) -> float | None:
        entered = [step.entered.timestamp() for step in run.steps if step.state == "Shift"]
        return entered[0] if entered else None

    def _answered(self) -> float | None:
        calls = self._web.cloud.calls(operation="ContinueServiceDeployment", status=200)
        return datetime.fromisoformat(calls[-1]["at"]).timestamp() if calls else None

    def _ended(self) -> float | None:
        finished = self._web.shifts()[0].get("finishedAt")
        return finished.timestamp() if finished else None


def _heard(client: Client, since: float) -> Heard:
    # A client's clock is not the wall's.
    start = since - time.time() + time.monotonic()
    return Heard([(at - start, answer) for at, answer in client.answers])


def _listed(versions: list[str]) -> str:
    return ", then ".join(versions) or "nothing"
