"""What live tests run: the new image alone, beside its dependencies, and what tests it from outside."""

import json

import pytest

import machine
from service import put

# Says at first that it has only begun; called again, it asks each of the new tasks, as a function that ECS calls does.
ACCEPTS = """#!/usr/bin/env python3
import json, os, urllib.request

api = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation"
while True:
    with urllib.request.urlopen(f"{api}/next") as call:
        request, event = call.headers["Lambda-Runtime-Aws-Request-Id"], json.load(call)
    details = event["hookDetails"]
    answer = {"hookStatus": "IN_PROGRESS", "callBackDelay": 1, "hookDetails": {"begun": event["executionId"]}}
    if details.get("begun") == event["executionId"]:
        asked = [f"http://{at}/" for at in json.loads(details["TIDEGATE_TARGETS"])]
        said = [urllib.request.urlopen(url).read().decode() for url in asked]
        good = len(said) == 2 and all(details["expected"] in text for text in said)
        answer = {"hookStatus": "SUCCEEDED" if good else "FAILED"}
    url = f"{api}/{request}/response"
    urllib.request.urlopen(urllib.request.Request(url, json.dumps(answer).encode(), method="POST")).close()
"""


@pytest.fixture
def service(pipeline, name):
    """A service of the test's own."""
    return pipeline.service(name)


def tests(pipeline, service, *checks: dict) -> None:
    """Writes the live tests of a service."""
    name = service.environment
    put(pipeline.cloud, f"environments/{name}/services/{name}/tests", {"checks": list(checks)})


def test_a_task_of_the_new_image_runs_before_its_service_is_touched_and_leaves_what_it_said(pipeline, service):
    name = service.environment
    checks = [{"name": "self test", "task": {"command": ["check"], "says": "passed"}}]
    put(pipeline.cloud, f"environments/{name}/services/{name}/tests", {"checks": checks})
    good = pipeline.push(service, f"{name}-1", "v2").run
    assert good.outcome == "Deployed", good.cause
    order = pipeline.row(good, "run#0#0#before/self test/1/1")
    calls = pipeline.cloud.calls(agent="tidegate-deploy", operation="RunTask")
    assert order["task"] and order["container"] == "app" and calls
    before = service.described()["deployments"][0]["id"]
    bad = pipeline.push(service, f"{name}-2", "v3", behaviour="fails-check").run
    assert bad.outcome == "RolledBack", bad.cause
    assert 'live test "self test" failed 1 of 1 times: task ' in bad.cause and "exit code 1" in bad.cause
    assert "v3 self test failed: its configuration cannot be read" in bad.cause
    assert service.described()["deployments"][0]["id"] == before, "its service was touched"
    running = pipeline.cloud.client("ecs").list_tasks(cluster=name, desiredStatus="RUNNING")["taskArns"]
    assert len(running) == 2, "something still runs beside the service"


def test_a_stack_of_the_team_runs_the_new_image_beside_what_it_needs(pipeline, service):
    name, ecs = service.environment, pipeline.cloud.client("ecs")
    defined = ecs.describe_task_definition(taskDefinition=service.define("baseline"))["taskDefinition"]
    [app] = defined["containerDefinitions"]
    ask = 'for n in 1 2 3 4 5 6 7 8 9; do sleep 0.3; curl -s "http://$TASK_ADDRESS:8080/" | grep "$EXPECTED" && exit; done; exit 7'
    tester = {"name": "tests", "essential": True, "entryPoint": ["/bin/sh", "-c"], "command": [ask]}
    tester["image"] = pipeline.cloud.image(service.repository, "baseline")
    family = f"{name}-stack"
    more = {key: defined[key] for key in ("networkMode", "cpu", "memory", "requiresCompatibilities")}
    ecs.register_task_definition(family=family, containerDefinitions=[{**app, "name": "shop"}, tester], **more)
    environment = {"EXPECTED": "hello from v2"}
    stack = {"stack": family, "container": "tests", "environment": environment, "timeout": "1m"}
    tests(pipeline, service, {"name": "with its dependencies", "task": stack})
    good = pipeline.push(service, f"{name}-1", "v2").run
    assert good.outcome == "Deployed", good.cause
    runs = pipeline.row(good, "run#0#0#before/with its dependencies/1/1")
    [ours] = ecs.list_task_definitions(familyPrefix=f"{family}-tidegate")["taskDefinitionArns"]
    ran = ecs.describe_task_definition(taskDefinition=ours)["taskDefinition"]["containerDefinitions"]
    digest = pipeline.row(good, "move#0#0")["digest"]
    assert runs["told"] == "tests" and all(each["image"].endswith(f"@{digest}") for each in ran)
    theirs = ecs.list_task_definitions(familyPrefix=family)["taskDefinitionArns"]
    assert [arn for arn in theirs if "-tidegate:" not in arn] == [theirs[0]], "the team's own family was changed"
    before = service.described()["deployments"][0]["id"]
    bad = pipeline.push(service, f"{name}-2", "v3").run
    assert bad.outcome == "RolledBack" and "exit code 7" in bad.cause, bad.cause
    assert service.described()["deployments"][0]["id"] == before, "its service was touched"


def test_a_function_tests_the_new_tasks_as_a_hook_of_ecs_would(pipeline, service):
    accepts = machine.function(pipeline.cloud, f"accept-{service.environment}", ACCEPTS)
    suite = {"function": accepts, "details": {"expected": "hello from v2"}, "timeout": "1m"}
    tests(pipeline, service, {"name": "acceptance", "suite": suite})
    good = pipeline.push(service, f"{service.environment}-1", "v2").run
    assert good.outcome == "Deployed", good.cause
    order = pipeline.row(good, "run#0#0#after/acceptance/1/1")
    assert "answered" in order, order
    assert order["answered"]["status"] == "SUCCEEDED" and order["stage"] == "POST_PRODUCTION_TRAFFIC_SHIFT"
    calls = pipeline.cloud.calls(agent="tidegate-deploy", service="lambda")
    assert [call["operation"] for call in calls] == ["Invoke"] * 2, json.dumps(calls)
    bad = pipeline.push(service, f"{service.environment}-2", "v3").run
    assert bad.outcome == "RolledBack", bad.cause
    assert f'live test "acceptance" failed 1 of 1 times: {accepts} answered FAILED' in bad.cause
    assert list(service.answers().values()) == ["hello from v2"] * 2
