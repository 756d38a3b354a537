"""`make plan`: what a release would do, wave by wave, and what is in its way; it writes nothing.

    python local/plan.py --environment ENV [--scope SCOPE] [--repository REPOSITORY --image IMAGE]
                         [--services A,B] [--stack STACK | --machine ARN] [--local]

The stack's own state machine makes the plan, so that this is what a release would do, and no guess of it.
Whoever may start an execution and read it may ask; `--local` asks the local AWS of a demo that was left
running.
"""

import argparse
import json
import sys
import time

from asking import AskError, aligned, answered, clients, output, short, shortened

MOVES = ("WAVE", "SERVICE", "FROM", "TO", "COMMIT", "IMAGES")
SERVICES = ("SERVICE", "REPOSITORY", "BLOCKED BY")
_PATIENCE = 120


def main(arguments: list[str] | None = None) -> int:
    """Prints the plan; returns the exit code."""
    parser = argparse.ArgumentParser(prog="plan.py", description="What a release would do.")
    parser.add_argument("--environment", required=True, help="where the release would happen")
    parser.add_argument("--scope", help="cluster, image or service; as the machine takes it if absent")
    parser.add_argument("--repository", help="the repository of the image")
    parser.add_argument("--image", help="its digest, or a tag")
    parser.add_argument("--services", help="some of the services, with commas between them")
    parser.add_argument("--stack", default="tidegate", help="the stack whose machine is asked")
    parser.add_argument("--machine", help="the machine's ARN, where the stack may not be read")
    parser.add_argument("--local", action="store_true", help="ask what `make demo KEEP=1` left running")
    wanted = parser.parse_args(arguments)
    return answered(lambda: ask(wanted))


def ask(wanted: argparse.Namespace) -> str:
    """The plan, as text."""
    client = clients("plan", wanted.local)
    machine = wanted.machine or output(client("cloudformation"), wanted.stack, "StateMachineArn")
    return told(made(client("stepfunctions"), machine, request(wanted)))


def request(wanted: argparse.Namespace) -> dict:
    """What the machine is asked: the words of an engineer's own request."""
    given = {key: getattr(wanted, key) for key in ("scope", "repository", "image")}
    services = wanted.services.split(",") if wanted.services else None
    given |= {"environment": wanted.environment, "services": services, "mode": "plan"}
    return {key: value for key, value in given.items() if value is not None}


def made(sfn, machine: str, document: dict) -> dict:
    """Starts the execution that plans, and returns its output once it has ended."""
    run = sfn.start_execution(stateMachineArn=machine, input=json.dumps(document))["executionArn"]
    deadline = time.monotonic() + _PATIENCE
    while (seen := sfn.describe_execution(executionArn=run))["status"] == "RUNNING":
        if time.monotonic() > deadline:
            raise AskError(f"{run} still plans after {_PATIENCE} s: look at it in the console")
        time.sleep(0.3)
    if seen["status"] != "SUCCEEDED":
        raise AskError(f"{seen.get('error', seen['status'])}: {seen.get('cause', run)}")
    plan = json.loads(seen["output"])
    if not any(plan.get(part) for part in ("plan", "services", "untouched")):
        found = [each["text"] for each in plan.get("findings", [])]
        raise AskError("; ".join(found or [plan["because"]]))
    return plan


def told(plan: dict) -> str:
    """A plan as a person reads it."""
    parts = [f"{plan['environment']}: {plan['because']}"]
    if services := plan.get("services"):
        parts += aligned([SERVICES, *map(_service, services)])
    if moves := plan["plan"]:
        parts += aligned([MOVES, *map(_move, moves)])
    if more := plan.get("more"):
        parts.append(f"  and {more} more")
    if untouched := plan.get("untouched"):
        parts += ["untouched", *aligned([(each["service"], each["why"]) for each in untouched])]
    if findings := plan.get("findings"):
        parts += ["findings", *aligned([(each["kind"], each["text"]) for each in findings])]
    if plan.get("waves"):
        parts.append(_duration(plan))
    return "\n".join(parts)


def _service(each: dict) -> tuple[str, ...]:
    return each["service"], each["repository"] or "-", each["blocked"] or "-"


def _move(move: dict) -> tuple[str, ...]:
    before, commit = short(move["from"] or "-"), short(move["commit"] or "-")
    images = ", ".join(map(_change, move["changes"]))
    return str(move["wave"]), move["service"], before, short(move["to"]), commit, images


def _change(change: dict) -> str:
    """A container's image before and after; a name that stays is said once."""
    before, after = shortened(change["from"]), shortened(change["to"])
    name, mark, digest = after.partition("@")
    stays = before.startswith((f"{name}@", f"{name}:"))
    return f"{change['container']}: {before} -> {mark + digest if stays else after}"


def _duration(plan: dict) -> str:
    waves = [f"{_counted(each['services'], 'service')} in {words(each['seconds'])}" for each in plan["waves"]]
    said = f"about {words(plan['etaSeconds'])}: {', then '.join(waves)}"
    if minutes := plan["approvalMinutes"]:
        said += f"; somebody must agree to it first, within {words(minutes * 60)}"
    return said


def words(seconds: int) -> str:
    """A duration in the two units that matter."""
    if seconds < 120:
        return _counted(seconds, "second")
    hours, minutes = divmod(round(seconds / 60), 60)
    parts = [(hours, "hour"), (minutes, "minute")]
    return " ".join(_counted(number, unit) for number, unit in parts if number)


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


if __name__ == "__main__":
    sys.exit(main())
