"""State machines and functions for the tests of Step Functions."""

import io
import json
import zipfile

ROLE = "arn:aws:iam::123456789012:role/test"

# A custom runtime in a few lines: it answers its event, or fails as the event says.
BOOTSTRAP = """#!/usr/bin/env python3
import json, os, urllib.request

api = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation"
while True:
    with urllib.request.urlopen(f"{api}/next") as call:
        request, event = call.headers["Lambda-Runtime-Aws-Request-Id"], json.load(call)
    fault = event.get("fault")
    answer = {"errorType": fault, "errorMessage": "as asked"} if fault else {**event, "env": dict(os.environ)}
    url = f"{api}/{request}/{'error' if fault else 'response'}"
    urllib.request.urlopen(urllib.request.Request(url, json.dumps(answer).encode(), method="POST")).close()
"""


def function(cloud, name: str, bootstrap: str = BOOTSTRAP) -> str:
    """Creates a function of a native bootstrap."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16
        archive.writestr(entry, bootstrap)
    cloud.client("lambda").create_function(
        FunctionName=name,
        Runtime="provided.al2023",
        Role=ROLE,
        Handler="bootstrap",
        Code={"ZipFile": code.getvalue()},
        Timeout=5,
    )
    return name


def invoke(name: str, payload, resource: str = "arn:aws:states:::lambda:invoke", **more) -> dict:
    """A Task that invokes a function."""
    arguments = {"FunctionName": name, "Payload": payload}
    return {"Type": "Task", "Resource": resource, "Arguments": arguments, "TimeoutSeconds": 10, **more}


def create(cloud, name: str, states: dict) -> str:
    """Creates a JSONata machine that starts at the first of its states."""
    definition = {"QueryLanguage": "JSONata", "StartAt": next(iter(states)), "States": states}
    machine = cloud.client("stepfunctions").create_state_machine(
        name=name, definition=json.dumps(definition), roleArn=ROLE
    )
    return machine["stateMachineArn"]


def start(cloud, machine: str, **arguments) -> str:
    """Starts an execution."""
    return cloud.client("stepfunctions").start_execution(stateMachineArn=machine, **arguments)["executionArn"]


def ended(cloud, execution: str) -> dict | None:
    """An execution that has ended, its output parsed; None while it runs."""
    answer = cloud.client("stepfunctions").describe_execution(executionArn=execution)
    if answer["status"] == "RUNNING":
        return None
    return {**answer, "output": json.loads(answer.get("output", "null"))}


def history(cloud, execution: str) -> list[str]:
    """The types of an execution's events, with the state's name where one is entered."""
    events = cloud.client("stepfunctions").get_execution_history(executionArn=execution)["events"]
    return [
        " ".join([e["type"], e.get("stateEnteredEventDetails", {}).get("name", "")]).strip() for e in events
    ]
