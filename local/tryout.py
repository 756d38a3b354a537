"""What to do with a local AWS that is left running: requests to copy, and what to look at."""

import json

import build

# What to try after a demo that has ended.
NEXT = """\
  make demo KEEP=1             leaves it running and prints requests to copy
  .local/demo/report.json      these releases, for programs
  statemachine, functions      what has just run; README.md has the map
  events                       samples of every input, and the answers"""


def requests(cloud, scene, machine: str) -> str:
    """Requests to copy, for a shell in the project's root."""
    wanted = {"environment": scene.environment, "repository": scene.repository, "image": "main-2"}
    plan = json.dumps({**wanted, "mode": "plan"})
    start = {"stateMachineArn": machine, "input": plan}
    settings = " ".join(f"{name}={value}" for name, value in cloud.environment.items())
    targets = "\n".join(f"curl http://{address}/version" for address in scene.answers())
    return f"""\
export {settings}

# What the targets answer.
{targets}

# Push a good image, or one that answers wrongly: what comes of it is said here.
{_push(cloud, scene, "main-5", "v5", "good")}
{_push(cloud, scene, "main-6", "v6", "wrong-content")}

# Ask what a release would do, and what runs now.
make plan DEMO=1 ENV={scene.environment} REPOSITORY={scene.repository} IMAGE=baseline
make where DEMO=1

# Ask without them (without "mode" it is done): with the AWS CLI, curl, or Python.
aws stepfunctions start-execution --state-machine-arn {machine} --input '{plan}'
curl $AWS_ENDPOINT_URL -H 'X-Amz-Target: AWSStepFunctions.StartExecution' -d '{json.dumps(start)}'
.local/venv/bin/python <<'END'
import boto3
boto3.client("stepfunctions").start_execution(stateMachineArn="{machine}", input='{plan}')
END

# See what became of it, and what the ledger knows.
aws stepfunctions list-executions --state-machine-arn {machine}
aws dynamodb scan --table-name {_ledger(cloud)}"""


def _push(cloud, scene, tag: str, version: str, behaviour: str) -> str:
    return " ".join(build.push_command(cloud, scene.repository, tag, version, behaviour))


def _ledger(cloud) -> str:
    tables = cloud.client("dynamodb").list_tables()["TableNames"]
    return next(name for name in tables if "-Ledger-" in name)
