"""`make plan`: what a release would do, wave by wave, and what would refuse it; it writes nothing.

    python local/plan.py --environment ENV [--scope SCOPE] [--repository REPOSITORY --image IMAGE]
                         [--services A,B] [--stack STACK | --machine ARN] [--local]

The stack's own state machine makes the plan, so that it is what a release would do.  It takes the rights to start
an execution and to read it; `--local` asks the local AWS that `make demo KEEP=1` left running.
"""

import argparse
import json
import sys
import time

from cli import CliError, clients, columns, output, run, short, shortened

MOVES = ("WAVE", "SERVICE", "FROM", "TO", "COMMIT", "TESTS", "IMAGES")
SERVICES = ("SERVICE", "REPOSITORY", "BLOCKED BY")
_PATIENCE = 120


def main(arguments: list[str] | None = None) -> int:
    """Prints the plan; returns the exit code."""
    parser = argparse.ArgumentParser(prog="plan.py", description="What a release would do.")
    parser.add_argument("--environment", required=True, help="the environment of the release")
    parser.add_argument("--scope", help="cluster, image or service; the default depends on the other options")
    parser.add_argument("--repository", help="the repository of the image")
    parser.add_argument("--image", help="its digest, or a tag")
    parser.add_argument("--services", help="only these services, separated by commas")
    parser.add_argument("--stack", default="tidegate", help="the stack of the state machine")
    parser.add_argument("--machine", help="the ARN of the state machine, if you may not read the stack")
    parser.add_argument("--local", action="store_true", help="ask the local AWS that `make demo KEEP=1` left running")
    wanted = parser.parse_args(arguments)
    return run(lambda: ask(wanted))


def ask(wanted: argparse.Namespace) -> str:
    """The plan, as text."""
    client = clients("plan", wanted.local)
    machine = wanted.machine or output(client("cloudformation"), wanted.stack, "StateMachineArn")
    return text(made(client("stepfunctions"), machine, request(wanted)))


def request(wanted: argparse.Namespace) -> dict:
    """The input of the state machine, with the keys of any request."""
    given = {key: getattr(wanted, key) for key in ("scope", "repository", "image")}
    services = wanted.services.split(",") if wanted.services else None
    given |= {"environment": wanted.environment, "services": services, "mode": "plan"}
    return {key: value for key, value in given.items() if value is not None}


def made(sfn, machine: str, document: dict) -> dict:
    """Starts an execution that plans, and returns its output once it has ended."""
    execution = sfn.start_execution(stateMachineArn=machine, input=json.dumps(document))["executionArn"]
    deadline = time.monotonic() + _PATIENCE
    while (seen := sfn.describe_execution(executionArn=execution))["status"] == "RUNNING":
        if time.monotonic() > deadline:
            raise CliError(f"{execution} did not finish within {_PATIENCE} s: look at it in the Step Functions console")
        time.sleep(0.3)
    if seen["status"] != "SUCCEEDED":
        raise CliError(f"{seen.get('error', seen['status'])}: {seen.get('cause', execution)}")
    plan = json.loads(seen["output"])
    if not any(plan.get(part) for part in ("plan", "services", "untouched")):
        found = [each["text"] for each in plan.get("findings", [])]
        raise CliError("; ".join(found or [plan["because"]]))
    return plan


def text(plan: dict) -> str:
    """A plan as a person reads it."""
    parts = [f"{plan['environment']}: {plan['because']}"]
    if services := plan.get("services"):
        parts += columns([SERVICES, *map(_service, services)])
    if moves := plan["plan"]:
        parts += columns([MOVES, *map(_move, moves)])
    if more := plan.get("more"):
        parts.append(f"  and {more} more")
    if untouched := plan.get("untouched"):
        parts += ["untouched", *columns([(each["service"], each["why"]) for each in untouched])]
    if findings := plan.get("findings"):
        parts += ["findings", *columns([(each["kind"], each["text"]) for each in findings])]
    if plan.get("waves"):
        parts.append(_duration(plan))
    return "\n".join(parts)


def _service(each: dict) -> tuple[str, ...]:
    return each["service"], each["repository"] or "-", each["blocked"] or "-"


def _move(move: dict) -> tuple[str, ...]:
    before, commit = short(move["from"] or "-"), short(move["commit"] or "-")
    images = ", ".join(map(_change, move["changes"]))
    return str(move["wave"]), move["service"], before, short(move["to"]), commit, move["tests"], images


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
        said += f"; it needs an approval first, within {words(minutes * 60)}"
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
