"""Follows executions of the state machine by what Step Functions tells everybody: their histories."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime


class WatchError(Exception):
    """What was not seen, in a sentence."""


@dataclass(frozen=True)
class Step:
    """One visit of a state, in the execution itself or in an item of one of its Maps."""

    execution: str
    """The execution that entered it: an item is one of its own."""
    label: str
    """The Map that the item belongs to; empty outside of Maps."""
    state: str
    kind: str
    entered: datetime
    left: datetime | None = None

    @property
    def seconds(self) -> float:
        """How long it took, as far as it is over."""
        return (self.left - self.entered).total_seconds() if self.left else 0.0


@dataclass(frozen=True)
class Run:
    """An execution that has ended."""

    execution: str
    status: str
    started: datetime
    ended: datetime
    output: dict
    error: str
    cause: str
    steps: list[Step]

    @property
    def name(self) -> str:
        """The execution's name, which is the release's."""
        return release_of(self.execution)

    @property
    def states(self) -> list[str]:
        """The names of the states, in the order in which they were entered."""
        return [step.state for step in self.steps]

    @property
    def outcome(self) -> str:
        """The name of the last state: a run says with it how it ended."""
        return self.states[-1] if self.steps else self.status


def release_of(execution: str) -> str:
    """The release that an execution is: it bears the execution's name."""
    return execution.rsplit(":", 1)[-1]


def by_push(cloud, machine: str, digest: str, tag: str) -> list[str]:
    """The executions that a push of this image under this tag has started, oldest first."""
    return [execution for execution, push in _pushes(cloud, machine) if push == (digest, tag)]


def started_by_push(cloud, machine: str, digest: str, tag: str, seconds: float = 10) -> str:
    """The execution that a push starts, once it is there."""
    deadline = time.monotonic() + seconds
    while not (found := by_push(cloud, machine, digest, tag)):
        if time.monotonic() > deadline:
            raise WatchError(f"the push of {tag} started no execution within {seconds:.0f} s")
        time.sleep(0.05)
    return found[0]


def follow(cloud, execution: str, tell: Callable[[Step], None] = lambda _: None, seconds: float = 120) -> Run:
    """Tells each state as it is entered, until the execution has ended."""
    deadline, told, over = time.monotonic() + seconds, set(), {}
    while True:
        # Asked before the histories are read: they are complete if it has ended by now.
        now = cloud.client("stepfunctions").describe_execution(executionArn=execution)
        steps = _steps(cloud, execution, over)
        for step in steps:
            if (entry := (step.execution, step.state, step.entered)) not in told:
                told.add(entry)
                tell(step)
        if now["status"] != "RUNNING":
            return _run(now, steps)
        if time.monotonic() > deadline:
            raise WatchError(f"{execution} still runs after {seconds:.0f} s")
        time.sleep(0.1)


def _run(described: dict, steps: list[Step]) -> Run:
    return Run(
        execution=described["executionArn"],
        status=described["status"],
        started=described["startDate"],
        ended=described["stopDate"],
        output=json.loads(described.get("output") or "{}"),
        error=described.get("error", ""),
        cause=described.get("cause", ""),
        steps=steps,
    )


def _pushes(cloud, machine: str) -> list[tuple[str, tuple[str, str]]]:
    sfn, found = cloud.client("stepfunctions"), []
    for page in sfn.get_paginator("list_executions").paginate(stateMachineArn=machine):
        for each in page["executions"]:
            started = json.loads(sfn.describe_execution(executionArn=each["executionArn"])["input"])
            detail = started.get("detail", {})
            found.append((each["executionArn"], (detail.get("image-digest"), detail.get("image-tag"))))
    return found[::-1]


def _steps(cloud, execution: str, over: dict[str, list[Step]]) -> list[Step]:
    """All steps so far, in order; items that are over are read once, into `over`."""
    # The execution first, its items after it: then it is never ahead of them.
    own, items = _visits(cloud, execution, ""), []
    for item, label, running in _items(cloud, execution):
        visits = over[item] if item in over else _visits(cloud, item, label)
        if not running:
            over[item] = visits
        items += visits
    return _in_order(own, items)


def _in_order(own: list[Step], items: list[Step]) -> list[Step]:
    """The steps of an execution, those of a Map's items behind it; no clock is fine enough to sort by."""
    ordered, left = [], sorted(items, key=lambda step: step.entered)
    for step in own:
        ordered.append(step)
        if step.kind == "Map":
            of_it = [each for each in left if _is_of(each, step)]
            ordered += of_it
            left = [each for each in left if each not in of_it]
    return ordered


def _is_of(item: Step, map_: Step) -> bool:
    """Whether a step of an item is of this visit of a Map, which bears its state's name as its label."""
    return item.label == map_.state and (not map_.left or item.entered <= map_.left)


def _items(cloud, execution: str) -> list[tuple[str, str, bool]]:
    """The executions of all Maps of an execution: ARN, label, and whether it still runs."""
    sfn, found = cloud.client("stepfunctions"), []
    for run in sfn.list_map_runs(executionArn=execution)["mapRuns"]:
        for page in sfn.get_paginator("list_executions").paginate(mapRunArn=run["mapRunArn"]):
            for each in page["executions"]:
                label = each["executionArn"].rsplit("/", 1)[-1].split(":")[0]
                found.append((each["executionArn"], label, each["status"] == "RUNNING"))
    return found


def _visits(cloud, execution: str, label: str) -> list[Step]:
    """The states of one history."""
    visits: list[Step] = []
    pages = cloud.client("stepfunctions").get_paginator("get_execution_history")
    for page in pages.paginate(executionArn=execution):
        for event in page["events"]:
            _take(event, visits, execution, label)
    return visits


def _take(event: dict, visits: list[Step], execution: str, label: str) -> None:
    kind, at = event["type"], event["timestamp"]
    if entered := event.get("stateEnteredEventDetails"):
        visits.append(Step(execution, label, entered["name"], kind.removesuffix("StateEntered"), at))
    elif left := event.get("stateExitedEventDetails"):
        open_ones = [n for n, step in enumerate(visits) if step.state == left["name"] and not step.left]
        for n in open_ones[-1:]:
            visits[n] = Step(**{**vars(visits[n]), "left": at})
    elif kind.startswith("Execution") and kind != "ExecutionStarted":
        visits[:] = [step if step.left else Step(**{**vars(step), "left": at}) for step in visits]
