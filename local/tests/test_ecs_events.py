"""ECS: every state that a deployment reaches is an event, and so is what becomes of its tasks."""

import json

import pytest

import image
from shop import BREAKER


@pytest.fixture
def changes(cloud, shop, name, eventually):
    """Receives events of the test's cluster until there are so many of deployments."""
    sqs = cloud.client("sqs")
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    pattern = {"source": ["aws.ecs"], "resources": [{"wildcard": f"*/{name}/*"}]}
    cloud.client("events").put_rule(Name=name, EventPattern=json.dumps(pattern))
    arn = f"arn:aws:sqs:{cloud.region}:{cloud.account}:{name}"
    cloud.client("events").put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    deployments, tasks, steady = [], [], []

    def receive() -> None:
        batch = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        for event in [json.loads(message["Body"]) for message in batch.get("Messages", [])]:
            detail = event["detail"]
            if event["detail-type"] == "ECS Deployment State Change":
                deployments.append((detail["deploymentId"], detail["eventName"].rsplit("DEPLOYMENT_")[1]))
            elif event["detail-type"] == "ECS Task State Change":
                tasks.append((detail["startedBy"], detail["lastStatus"]))
            else:
                steady.append(detail["eventName"])

    def changes(count: int) -> tuple[list, list]:
        eventually(lambda: receive() or len(deployments) >= count)
        # Each deployment that is COMPLETED leaves a service that is steady.
        assert len(steady) <= [state for _, state in deployments].count("COMPLETED") <= len(steady) + 1, steady
        return deployments, tasks

    return changes


def test_rollout_and_rollback(cloud, shop, name, changes, eventually):
    first = shop.create(shop.define(cloud.image(name, image.push(cloud, name, "v1"))), count=1, **BREAKER)
    eventually(lambda: shop.completed(first))
    second = shop.update(shop.define(cloud.image(name, image.push(cloud, name, "v2"))))
    eventually(lambda: shop.completed(second))
    broken = shop.update(shop.define(cloud.image(name, image.push(cloud, name, "crash"))))
    deployments, tasks = changes(8)
    good = [(deployment, state) for deployment in (first, second) for state in ("IN_PROGRESS", "COMPLETED")]
    assert deployments[:5] == [*good, (broken, "IN_PROGRESS")]
    # The rollback is the second deployment again.
    assert sorted(deployments[5:7]) == sorted([(broken, "FAILED"), (second, "IN_PROGRESS")])
    assert deployments[7:] == [(second, "COMPLETED")]
    assert tasks[0] == (first, "RUNNING") and tasks.count((broken, "STOPPED")) >= 3


def test_failure_with_nothing_to_return_to(cloud, shop, name, changes):
    missing = shop.define(cloud.image(name, "sha256:" + "0" * 64))
    broken = shop.create(missing, **BREAKER)
    deployments, _ = changes(2)
    assert deployments == [(broken, "IN_PROGRESS"), (broken, "FAILED")]
