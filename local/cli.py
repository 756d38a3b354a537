"""What `make where`, `make runs` and `make plan` share: clients of an AWS account, outputs of a stack, plain tables.

All use the ordinary credentials of whoever runs them, or the local AWS that `make demo KEEP=1` left running.
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


class CliError(Exception):
    """Why a command failed, in a sentence."""


def run(command: Callable[[], str]) -> int:
    """Prints what a command returns, or why it failed; returns the exit code."""
    try:
        print(command())
    except (CliError, ClientError, BotoCoreError) as problem:
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
        raise CliError("no local AWS is running: start one with `make demo KEEP=1`")
    facts, keys = json.loads(DEMO.read_text()), {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return {"endpoint_url": facts["endpoint"], "region_name": facts["region"], **keys}


def output(formation, stack: str, name: str) -> str:
    """An output of a stack of this project."""
    [found] = formation.describe_stacks(StackName=stack)["Stacks"]
    outputs = {each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", [])}
    if name not in outputs:
        raise CliError(f"the stack {stack} has no output {name}: expected the stack of this project")
    return outputs[name]


def columns(lines: list[tuple[str, ...]]) -> list[str]:
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
