"""`make alert-test`: tells each channel of the alerts, or one of them, that somebody tries it.

    python local/alert_test.py [--channel NAME] [--stack STACK] [--local]

PagerDuty gets an incident that is resolved at once, and a telephone is called.  It takes the right to call the
function; `--local` asks the local AWS that `make demo KEEP=1` left running.
"""

import argparse
import json
import sys

from cli import CliError, clients, run


def main(arguments: list[str] | None = None) -> int:
    """Prints which channels have it; returns the exit code."""
    parser = argparse.ArgumentParser(prog="alert_test.py", description="Tries the channels of the alerts.")
    parser.add_argument("--channel", help="only this one")
    parser.add_argument("--stack", default="tidegate", help="the stack of the function")
    parser.add_argument("--local", action="store_true", help="ask the local AWS that `make demo KEEP=1` left running")
    wanted = parser.parse_args(arguments)
    return run(lambda: told(wanted))


def told(wanted: argparse.Namespace) -> str:
    """Which channels have it, in a sentence."""
    client = clients("alert-test", wanted.local)
    found = client("cloudformation").describe_stack_resource(
        StackName=wanted.stack, LogicalResourceId="AlertFunction"
    )
    function = found["StackResourceDetail"]["PhysicalResourceId"]
    request = {"release": "alert-test", "outcome": "Test", "because": "somebody tries the channels"}
    request |= {"channel": wanted.channel} if wanted.channel else {}
    answer = client("lambda").invoke(FunctionName=function, Payload=json.dumps(request))
    said = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise CliError(said.get("errorMessage", "the function failed without a word"))
    delivered = said["delivered"]
    if not delivered:
        raise CliError(f"no channel is named {wanted.channel}" if wanted.channel else "there is no channel")
    return f"Delivered by {', '.join(delivered)}."


if __name__ == "__main__":
    sys.exit(main())
