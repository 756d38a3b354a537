"""What `make where` and `make plan` share: whose AWS is asked, what a stack has put out, and plain tables.

Both ask with the ordinary credentials of whoever runs them, or the local AWS that `make demo KEEP=1` left.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

DEMO = Path(__file__).resolve().parent.parent / ".local/demo/aws.json"


class AskError(Exception):
    """Why there is no answer, in a sentence."""


def answered(ask: Callable[[], str]) -> int:
    """Prints an answer, or why there is none; returns the exit code."""
    try:
        print(ask())
    except (AskError, ClientError, BotoCoreError) as problem:
        print(f"FAILED  {problem}", file=sys.stderr)
        return 1
    return 0


def clients(agent: str, local: bool) -> Callable:
    """Makes clients for services; their calls bear the agent's name."""
    config, region = Config(user_agent_appid=agent), os.environ.get("AWS_REGION")  # which boto3 does not know
    whose = {"region_name": region, "config": config, **(_demo() if local else {})}
    return lambda service: boto3.client(service, **whose)


def _demo() -> dict[str, str]:
    if not DEMO.exists():
        raise AskError("no local AWS runs: `make demo KEEP=1` leaves one running")
    facts, keys = json.loads(DEMO.read_text()), {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return {"endpoint_url": facts["endpoint"], "region_name": facts["region"], **keys}


def output(formation, stack: str, name: str) -> str:
    """One of the outputs of a stack of ours."""
    [found] = formation.describe_stacks(StackName=stack)["Stacks"]
    outputs = {each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", [])}
    if name not in outputs:
        raise AskError(f"the stack {stack} has no output {name}: expected ours")
    return outputs[name]


def aligned(lines: list[tuple[str, ...]]) -> list[str]:
    """The lines of a table, its titles first."""
    widths = [max(map(len, column)) for column in zip(*lines)]
    return ["  " + "  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]


def short(digest: str) -> str:
    """Enough of a digest, or of a commit, to know it by."""
    return digest.removeprefix("sha256:")[:12]


def shortened(image: str) -> str:
    """An image as a task definition names it, without its registry, and with a short digest."""
    host, _, path = image.partition("/")
    name, mark, digest = (path if "." in host and path else image).partition("@")
    return name + mark + short(digest)
