"""What a release costs on AWS by the list prices of `bench/prices.json`, counted from what it did here.

Counted are the state transitions of the execution and of its items, the calls of functions with their seconds and their
memory, and the units that DynamoDB says it took. Left out are free tiers, logs, traces, alarms, and what ECS and ECR
take themselves.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from functools import cache

import build
import watch

_MACHINE = build.ROOT / "statemachine/release.asl.json"
_WORDS = {
    "transition": "state transitions",
    "request": "calls of functions",
    "gbSecond": "GB-seconds of functions",
    "write": "write units",
    "read": "read units",
}


@dataclass(frozen=True)
class Cost:
    """How much of each thing a release took."""

    counts: dict[str, float]

    @property
    def usd(self) -> float:
        """All of it."""
        return sum(count * _prices()[item] for item, count in self.counts.items())

    def lines(self) -> list[str]:
        """The arithmetic, and at last the sum."""
        parts = [(count, _WORDS[item], _prices()[item]) for item, count in self.counts.items()]
        told = [f"{count:>8.6g} {word:<24} x ${price:.9f} = ${count * price:.6f}" for count, word, price in parts]
        return [*told, f"{'':>8} {'together':<24} {'':>14} ${self.usd:.6f}"]


def of(cloud, run: watch.Run, memory: dict[str, int]) -> Cost:
    """Counts what an execution took, while nothing else ran; `memory` is that of each function, in MB."""
    tasks = [(step, _function(step.state)) for step in run.steps]
    called = [(step, function) for step, function in tasks if function]
    seconds = sum(step.seconds * memory[function] / 1024 for step, function in called)
    units = {"write": 0.0, "read": 0.0}
    for call in cloud.calls(service="dynamodb"):
        at = datetime.fromisoformat(call["at"])
        if call["agent"].startswith("tidegate-") and run.started <= at <= run.ended:
            reads = call["operation"] in ("BatchGetItem", "Query")
            units["read" if reads else "write"] += call["units"]
    return Cost({"transition": len(run.steps), "request": len(called), "gbSecond": round(seconds, 3), **units})


@cache
def _prices() -> dict[str, float]:
    """The price of one of each."""
    table = json.loads((build.ROOT / "bench/prices.json").read_text())
    return {each["item"]: each["usd"] / each["per"] for each in table["prices"]}


@cache
def _functions() -> dict[str, str]:
    """The function that each state calls, by its resource in the template."""
    found: dict[str, str] = {}

    def walk(states: dict) -> None:
        for name, state in states.items():
            # As in "${RetagFunctionArn}".
            if state["Type"] == "Task" and "FunctionArn}" in (text := json.dumps(state)):
                found[name] = text.partition("FunctionArn}")[0].rpartition("${")[2] + "Function"
            walk(state.get("ItemProcessor", {}).get("States", {}))

    walk(json.loads(_MACHINE.read_text())["States"])
    return found


def _function(state: str) -> str:
    return _functions().get(state, "")
