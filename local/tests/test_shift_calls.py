"""ECS: what the operations on service deployments answer and refuse, and what is announced."""

import json
from datetime import datetime, timedelta, timezone

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

import image
from balancer import ask
from cloud import Cloud
from service import eventually, open_environment
from shift_shop import ShiftShop, pause
from shifting import GATES, ShiftingService

BLUE_GREEN = {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0}


@pytest.fixture
def shop(cloud, name):
    shop = ShiftShop(cloud, name)
    yield shop
    for service in shop.ecs.list_services(cluster=name)["serviceArns"]:
        shop.ecs.delete_service(cluster=name, service=service, force=True)


def refusal(call, **arguments) -> str:
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    return refused.value.response["Error"]["Code"]


def test_an_answer_counts_once_and_an_end_is_final(shop):
    shop.open(lifecycleHooks=[pause("POST_SCALE_UP"), pause("POST_SCALE_UP")])
    shop.deploy("v2")
    shop.gate("POST_SCALE_UP")
    eventually(lambda: len(shop.seen()["lifecycleHookDetails"]) == 2, "both hooks waited")
    first, second = shop.seen()["lifecycleHookDetails"]
    arn, ecs = shop.listed()[0]["serviceDeploymentArn"], shop.ecs
    of, by = {"serviceDeploymentArn": arn}, {"hookId": first["hookId"]}

    assert refusal(ecs.continue_service_deployment, **of, hookId="no") == "InvalidParameterException"
    unknown = {"serviceDeploymentArn": f"{arn}x"}
    not_found = "ServiceDeploymentNotFoundException"
    assert refusal(ecs.continue_service_deployment, **unknown, **by) == not_found
    assert refusal(ecs.stop_service_deployment, **unknown) == not_found
    assert refusal(ecs.stop_service_deployment, **of, stopType="ABORT") == "InvalidParameterException"

    assert ecs.continue_service_deployment(**of, **by)["serviceDeploymentArn"] == arn
    # It is shown as long as its stage waits for the other one.
    statuses = [hook["status"] for hook in shop.seen()["lifecycleHookDetails"]]
    assert statuses == ["SUCCEEDED", "AWAITING_ACTION"]
    assert refusal(ecs.continue_service_deployment, **of, **by) == "InvalidParameterException"
    shop.answer(second)
    assert shop.ended("SUCCESSFUL")["lifecycleHookDetails"] == []
    assert refusal(ecs.continue_service_deployment, **of, **by) == "InvalidParameterException"
    assert refusal(ecs.stop_service_deployment, **of) == "ConflictException"


def test_deployments_are_listed_and_described(shop):
    shop.open()
    [first] = shop.listed()
    second = shop.deploy("v2")
    shop.ended("SUCCESSFUL")
    newest, oldest = shop.listed()
    assert oldest == first and newest["targetServiceRevisionArn"].endswith(second.removeprefix("ecs-svc"))
    assert newest["createdAt"] <= newest["startedAt"] < newest["finishedAt"]
    assert shop.listed(status=["IN_PROGRESS"]) == []
    assert shop.listed(createdAt={"after": newest["createdAt"]}) == [newest]
    assert shop.listed(createdAt={"before": first["createdAt"]}) == [first]
    page = shop.ecs.list_service_deployments(cluster=shop.name, service="users", maxResults=1)
    assert page["serviceDeployments"] == [newest]
    assert shop.listed(maxResults=1, nextToken=page["nextToken"]) == [first]

    arn, revision = newest["serviceDeploymentArn"], newest["targetServiceRevisionArn"]
    found = shop.ecs.describe_service_deployments(serviceDeploymentArns=[arn, f"{arn}x"])
    assert [each["serviceDeploymentArn"] for each in found["serviceDeployments"]] == [arn]
    assert found["failures"] == [{"arn": f"{arn}x", "reason": "MISSING"}]
    found = shop.ecs.describe_service_revisions(serviceRevisionArns=[revision, f"{revision}x"])
    [described] = found["serviceRevisions"]
    assert found["failures"] == [{"arn": f"{revision}x", "reason": "MISSING"}]
    assert described["taskDefinition"] == shop.service()["taskDefinition"]
    assert described["loadBalancers"] == [shop.balancer.behind("app")]
    resolved = {"targetGroupArn": shop.balancer.blue, "productionListenerRule": shop.balancer.production_rule}
    assert described["resolvedConfiguration"]["loadBalancers"] == [resolved]


def test_what_cannot_be_listed_or_described_is_refused(shop):
    shop.open()
    ecs, long_ago = shop.ecs, datetime.now(timezone.utc) - timedelta(days=100)
    users = {"cluster": shop.name, "service": "users"}
    wrong = {"createdAt": {"after": long_ago}}
    assert refusal(ecs.list_service_deployments, **users, **wrong) == "InvalidParameterException"
    assert refusal(ecs.list_service_deployments, cluster=shop.name, service="no") == "ServiceNotFoundException"
    assert refusal(ecs.list_service_deployments, cluster="no", service="users") == "ClusterNotFoundException"
    too_many = [shop.listed()[0]["serviceDeploymentArn"]] * 21
    assert refusal(ecs.describe_service_deployments, serviceDeploymentArns=too_many) == "InvalidParameterException"
    assert refusal(ecs.describe_service_revisions, serviceRevisionArns=too_many) == "InvalidParameterException"


INVALID, NOT_PLAYED = "InvalidParameterException", "UnsupportedFeatureException"
NOT_ACCEPTED = [
    (INVALID, {"strategy": "BLUE_GREEN"}),
    (INVALID, {**BLUE_GREEN, "lifecycleHooks": [pause("TEST_TRAFFIC_SHIFT")]}),
    (INVALID, {**BLUE_GREEN, "lifecycleHooks": [pause("PRODUCTION_TRAFFIC_SHIFT")]}),
    (INVALID, {**BLUE_GREEN, "lifecycleHooks": [pause("POST_SCALE_UP", timeoutInMinutes=0)]}),
    (INVALID, {**BLUE_GREEN, "lifecycleHooks": [pause("POST_SCALE_UP", timeoutInMinutes=20161)]}),
    # As DescribeServices shows a PAUSE hook.
    (INVALID, {**BLUE_GREEN, "lifecycleHooks": [{"lifecycleStages": ["POST_SCALE_UP"]}]}),
    (NOT_PLAYED, {**BLUE_GREEN, "lifecycleHooks": [{"hookTargetArn": "f", "lifecycleStages": ["POST_SCALE_UP"]}]}),
]


def test_a_configuration_that_cannot_be_played_is_refused(cloud, shop):
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": cloud.region}
    unchecked = Config(parameter_validation=False)
    ecs = boto3.client("ecs", endpoint_url=cloud.endpoint, config=unchecked, **keys)
    wanted = {"cluster": shop.name, "serviceName": "users", "taskDefinition": shop.define("image")}
    for code, configuration in NOT_ACCEPTED:
        assert refusal(ecs.create_service, **wanted, deploymentConfiguration=configuration) == code
    assert shop.ecs.list_services(cluster=shop.name)["serviceArns"] == []


def test_a_service_that_rolled_can_shift(shop):
    shop.ecs.create_service(
        cluster=shop.name,
        serviceName="users",
        taskDefinition=shop.version("v1"),
        desiredCount=1,
        loadBalancers=[{"targetGroupArn": shop.balancer.blue, "containerName": "app", "containerPort": 8099}],
    )
    [first] = shop.deployments()
    eventually(lambda: shop.completed(first), "it rolled")
    assert shop.listed() == [] and "currentServiceRevisions" not in shop.service()
    shop.ecs.update_service(
        cluster=shop.name,
        service="users",
        deploymentConfiguration=BLUE_GREEN,
        loadBalancers=[shop.balancer.behind("app")],
    )
    # Neither starts a deployment.
    assert shop.listed() == [] and list(shop.deployments()) == [first]
    shop.deploy("v2")
    seen = shop.ended("SUCCESSFUL")
    assert seen["sourceServiceRevisions"][0]["arn"].endswith(first.removeprefix("ecs-svc"))
    assert (len(shop.balancer.targets(shop.balancer.blue)), len(shop.running())) == (0, 1)


def test_hooks_and_deployments_are_announced(cloud, shop, name):
    sqs, events = cloud.client("sqs"), cloud.client("events")
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    kinds = ["ECS Hook State Change", "ECS Deployment State Change"]
    pattern = {"source": ["aws.ecs"], "detail-type": kinds, "resources": [{"wildcard": f"*/{name}/*"}]}
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    arn = f"arn:aws:sqs:{cloud.region}:{cloud.account}:{name}"
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    received = []

    def announced(count: int) -> list[dict]:
        def receive() -> bool:
            batch = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            received.extend(json.loads(message["Body"]) for message in batch.get("Messages", []))
            return len(received) >= count

        eventually(receive, f"there were {count} events: {received}")
        return received

    hooks = [pause("POST_SCALE_UP", timeoutInMinutes=1, action="CONTINUE"), pause("POST_TEST_TRAFFIC_SHIFT")]
    shop.open(lifecycleHooks=hooks)
    [first] = shop.deployments()
    second = shop.deploy("v2")
    hook = shop.gate("POST_TEST_TRAFFIC_SHIFT")
    shop.answer(hook, "ROLLBACK")
    shop.ended("ROLLBACK_SUCCESSFUL")
    third = shop.deploy("v3")
    shop.answer(shop.gate("POST_TEST_TRAFFIC_SHIFT", after=hook["hookId"]))
    shop.ended("SUCCESSFUL")

    went = [("HOOK_AWAITING_ACTION", "POST_SCALE_UP"), ("HOOK_TIMED_OUT", "POST_SCALE_UP")]
    went += [("HOOK_AWAITING_ACTION", "POST_TEST_TRAFFIC_SHIFT")]
    found = [(event["detail-type"], event["detail"]) for event in announced(8 + 8)]
    seen = [(each["eventName"], each["lifecycleStage"]) for kind, each in found if kind == kinds[0]]
    ends = [(f"HOOK_{status}", "POST_TEST_TRAFFIC_SHIFT") for status in ("FAILED", "SUCCEEDED")]
    assert seen == [*went, ends[0], *went, ends[1]]
    states = [(each["deploymentId"], each["eventName"].rsplit("_")[-1]) for kind, each in found if kind == kinds[1]]
    completed = [(first, "PROGRESS"), (first, "COMPLETED")]
    back = [(second, "PROGRESS"), (first, "PROGRESS"), (second, "FAILED"), (first, "COMPLETED")]
    assert states[:2] == completed and sorted(states[2:6]) == sorted(back) and states[5] == back[3]
    assert states[6:] == [(third, "PROGRESS"), (third, "COMPLETED")]
    [returns] = [each for kind, each in found if "rolling back to" in each.get("reason", "")]
    assert returns["deploymentId"] == first and first in returns["reason"]
    asked = next(event for event in received if event["detail"].get("hookId") == hook["hookId"])
    sd = asked["detail"]["serviceDeploymentArn"]
    assert asked["resources"] == [sd] and asked["detail"]["hookType"] == "PAUSE"
    assert sd in {each["serviceDeploymentArn"] for each in shop.listed()}


def test_the_error_of_a_hook_that_waits_no_more_can_be_another(tmp_path, monkeypatch):
    monkeypatch.setenv("TIDEGATE_ENDED_HOOK", "ClientException")
    with Cloud(tmp_path, wait_scale=0.01, minute_seconds=1) as cloud:
        shop = ShiftShop(cloud, "other")
        shop.open()
        of = {"serviceDeploymentArn": shop.listed()[0]["serviceDeploymentArn"]}
        assert refusal(shop.ecs.continue_service_deployment, **of, hookId="no") == "ClientException"


def test_the_service_of_the_demo_shifts(cloud, name):
    open_environment(cloud, name)
    cloud.client("ecr").create_repository(repositoryName=name)
    users = ShiftingService(cloud, name, name, "users")
    users.create(image.push(cloud, name, "v1"), tasks=1)
    users.wait()
    users.configure(bakeTimeInMinutes=1, lifecycleHooks=[GATES])
    definition = users.define(image.push(cloud, name, "v2"))
    users.ecs.update_service(cluster=name, service="users", taskDefinition=definition)
    for stage in GATES["lifecycleStages"]:
        eventually(lambda: users.shifts()[0].get("lifecycleStage") == stage, f"it came to {stage}")
        eventually(lambda: users.shifts()[0]["lifecycleHookDetails"], f"it waited at {stage}")
        users.answer()
    users.wait()
    assert (set(users.answers().values()), ask(users.balancer.production)) == ({"v2"}, "v2")
    users.ecs.delete_service(cluster=name, service="users", force=True)
