"""What to do with a local AWS that is left running: requests to copy, and what to look at."""

import json

import build

# After a demo that has ended.
NEXT = """\
  make demo KEEP=1             leaves it running and prints requests to copy
  .local/demo/report.html      these releases as the dashboard shows them
  .local/demo/report.json      the same results, for programs
  statemachine, functions      the code that has just run; docs/ARCHITECTURE.md has the map
  events                       samples of every input and output"""


def requests(cloud, service, shifting, machine: str) -> str:
    """Requests to copy, for a shell in the project's root."""
    wanted = {"environment": service.environment, "repository": service.repository, "image": "main-2"}
    plan = json.dumps({**wanted, "mode": "plan"})
    start = {"stateMachineArn": machine, "input": plan}
    settings = " ".join(f"{name}={value}" for name, value in cloud.environment.items())
    targets = "\n".join(f"curl http://{address}/version" for address in service.answers())
    return f"""\
export {settings}

# Ask the targets for their version.
{targets}

# Push a good image, or one that gives wrong answers. The alerts appear in the first terminal.
{_push(cloud, service, "main-8", "v8", "good")}
{_push(cloud, service, "main-9", "v9", "wrong-content")}

# The same where ECS shifts the traffic; and what its production listener answers meanwhile.
{_push(cloud, shifting, "main-8", "v8", "good")}
{_push(cloud, shifting, "main-9", "v9", "wrong-content")}
for second in {{1..30}}; do curl -s {shifting.balancer.production}version; echo; sleep 1; done

# Show what a release would do, and what runs now.
make plan DEMO=1 ENV={service.environment} REPOSITORY={service.repository} IMAGE=baseline
make where DEMO=1

# Look at it in a browser, freeze, and roll back.
make dashboard DEMO=1

# Start the state machine without make: with the AWS CLI, curl, or Python. Without "mode" the image is deployed.
aws stepfunctions start-execution --state-machine-arn {machine} --input '{plan}'
curl $AWS_ENDPOINT_URL -H 'X-Amz-Target: AWSStepFunctions.StartExecution' -d '{json.dumps(start)}'
.local/venv/bin/python <<'END'
import boto3
boto3.client("stepfunctions").start_execution(stateMachineArn="{machine}", input='{plan}')
END

# Show the executions, and the rows of the ledger.
aws stepfunctions list-executions --state-machine-arn {machine}
aws dynamodb scan --table-name {_ledger(cloud)}"""


def _push(cloud, service, tag: str, version: str, behaviour: str) -> str:
    return " ".join(build.push_command(cloud, service.repository, tag, version, behaviour))


def _ledger(cloud) -> str:
    tables = cloud.client("dynamodb").list_tables()["TableNames"]
    return next(name for name in tables if "-Ledger-" in name)
