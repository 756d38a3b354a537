"""What has to be true after a release of the demo and of the tests, and the report of it."""

import json
from dataclasses import dataclass
from pathlib import Path

from watch import Run

# How an alert begins.
_WORDS = {"Deployed": "DEPLOYED", "RolledBack": "ROLLED BACK"}


@dataclass(frozen=True)
class Proof:
    """A push that was followed to the end of its release, and what is true afterwards."""

    pushed: float
    """When, in seconds since 1970."""
    digest: str
    """What has to run afterwards: the pushed image, or the one before it."""
    version: str
    run: Run
    running: list[str]
    """The digest that each task reports."""
    tagged: str | None
    """The digest that the environment's tag names."""
    answers: dict[str, str]
    """What each target answers over HTTP."""
    by_topic: str | None
    """The alert as SNS delivered it."""
    by_webhook: dict | None
    """The alert as it was posted, signed."""
    expected: str = "Deployed"
    """The outcome that the push deserves."""

    def faults(self) -> list[str]:
        """What is not as it has to be, in sentences."""
        run, outcome = self.run, self.expected
        if run.outcome != outcome:
            return [f"the release {run.name} ended {run.outcome}, not {outcome}"]
        topic, webhook = self.by_topic or "", self.by_webhook or {}
        others = set(self.running) - {self.digest}
        wrong = {where: what for where, what in self.answers.items() if what != f"hello from {self.version}"}
        found = [
            (outcome not in (run.output.get("outcome"), run.error), f"the execution does not say {outcome}"),
            (len(self.running) != 2, f"{len(self.running)} tasks run, not 2"),
            (others, f"tasks run {', '.join(others)}, not {self.digest}"),
            (self.tagged != self.digest, f"the environment's tag names {self.tagged}, not {self.digest}"),
            (len(self.answers) != 2, f"{len(self.answers)} targets answer, not 2"),
            *((True, f"the target {where} answers {what!r}") for where, what in wrong.items()),
            (not topic.startswith(_WORDS[outcome]), f"no alert that says {_WORDS[outcome]} came by SNS"),
            (webhook.get("outcome") != outcome, f"no signed alert that says {outcome} came by webhook"),
        ]
        return [sentence for is_so, sentence in found if is_so]

    def document(self) -> dict:
        """The release in the report."""
        return {
            "outcome": self.run.outcome,
            "digest": ", ".join(sorted(set(self.running))),
            "steps": [{"state": step.state, "seconds": round(step.seconds, 3)} for step in self.run.steps],
            "answers": list(self.answers.values()),
            "alert": self.by_topic,
        }


def write_report(file: Path, releases: list[dict]) -> None:
    """Writes what the terminal shows for programs."""
    file.write_text(json.dumps({"releases": releases}, indent=2) + "\n")
