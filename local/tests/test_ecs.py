"""ECS: services of real processes, whose deployments move, complete, fail and roll back as on AWS."""

import time

import pytest
from botocore.exceptions import ClientError

import image
from shop import BREAKER

NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}


def test_roll_by_digest(cloud, shop, name, eventually):
    v1, v2 = image.push(cloud, name, "v1"), image.push(cloud, name, "v2")
    first = shop.create(shop.define(cloud.image(name, v1)))
    assert shop.deployments()[first].rolloutState == "IN_PROGRESS"
    eventually(lambda: shop.completed(first))
    assert shop.answers() == ["v1", "v1"]
    assert sorted(h["Target"]["Id"] for h in shop.health()) == shop.addresses()
    assert len(set(shop.addresses())) == 2 and shop.addresses()[0].startswith(cloud.network)

    second = shop.update(shop.define(cloud.image(name, v2)))
    seen = shop.deployments()
    assert (seen[second].status, seen[second].rolloutState) == ("PRIMARY", "IN_PROGRESS")
    assert (seen[first].status, seen[first].rolloutState) == ("ACTIVE", "COMPLETED")
    eventually(lambda: shop.completed(second))
    eventually(lambda: {task["startedBy"] for task in shop.tasks()} == {second})
    assert shop.answers() == ["v2", "v2"]
    assert {task["containers"][0]["imageDigest"] for task in shop.tasks()} == {v2}
    assert {detail["value"] for t in shop.tasks() for detail in t["attachments"][0]["details"]} >= set(
        shop.addresses()
    )
    assert shop.states() == [("healthy", None)] * 2
    assert {task["stopCode"] for task in shop.tasks(desiredStatus="STOPPED")} == {"ServiceSchedulerInitiated"}


def test_index_by_tag_runs_its_child(cloud, shop, name, eventually):
    child = image.push(cloud, name, "v1")
    image.push_index(cloud, name, child, "main-1")
    deployment = shop.create(shop.define(cloud.image(name, "main-1")), count=1)
    eventually(lambda: shop.completed(deployment))
    assert shop.answers() == ["v1"]
    assert shop.tasks()[0]["containers"][0]["imageDigest"] == child


def test_crash_trips_the_breaker(cloud, shop, name, eventually):
    good, bad = image.push(cloud, name, "v1"), image.push(cloud, name, "crash")
    definition = shop.define(cloud.image(name, good))
    first = shop.create(definition, **BREAKER)
    eventually(lambda: shop.completed(first))
    broken = shop.update(shop.define(cloud.image(name, bad)))
    eventually(lambda: shop.deployments()[broken].rolloutState == "FAILED")
    eventually(lambda: shop.completed(first))
    assert shop.answers() == ["v1", "v1"]
    [service] = shop.ecs.describe_services(cluster=name, services=["users"])["services"]
    assert service["taskDefinition"] == definition
    stopped = [task for task in shop.tasks(desiredStatus="STOPPED") if task["startedBy"] == broken]
    # The last one may be stopped by ECS, which goes back, before it has crashed.
    crashed = [task for task in stopped if task["stopCode"] == "EssentialContainerExited"]
    assert len(crashed) >= 3 and {task["containers"][0]["exitCode"] for task in crashed} == {3}


def test_missing_image_fails(cloud, shop, name, eventually):
    deployment = shop.create(shop.define(cloud.image(name, "sha256:" + "0" * 64)), **BREAKER)
    eventually(lambda: shop.deployments()[deployment].rolloutState == "FAILED")
    assert shop.tasks(desiredStatus="STOPPED")[0]["stoppedReason"].startswith("CannotPullContainerError")


def test_sick_targets_hold_a_deployment(cloud, shop, name, eventually):
    v1 = image.push(cloud, name, "v1")
    started = time.monotonic()
    first = shop.create(shop.define(cloud.image(name, v1)), **BREAKER)
    eventually(lambda: shop.completed(first))
    took = time.monotonic() - started
    shop.be_impatient()
    sick = shop.update(shop.define(cloud.image(name, image.push(cloud, name, "sick"))))
    wanted = [("healthy", None)] * 2 + [("unhealthy", "Target.ResponseCodeMismatch")] * 2
    eventually(lambda: sorted(shop.states(), key=str) == wanted)
    # As long as the deployment took whose targets are healthy.
    time.sleep(took)
    assert shop.deployments()[sick].rolloutState == "IN_PROGRESS"
    eventually(lambda: shop.deployments()[sick].rolloutState == "FAILED")
    eventually(lambda: shop.completed(first))
    stopped = [task for task in shop.tasks(desiredStatus="STOPPED") if task["startedBy"] == sick]
    assert "Task failed ELB health checks" in stopped[0]["stoppedReason"]
    assert shop.answers() == ["v1", "v1"]


def test_dead_target_is_unhealthy(cloud, shop):
    target = {"Id": f"{cloud.network}.254", "Port": 9}
    cloud.client("elbv2").register_targets(TargetGroupArn=shop.group, Targets=[target])
    assert shop.states() == [("unhealthy", "Target.FailedHealthChecks")]


def test_crash_loop_without_a_breaker_slows_down(cloud, shop, name, eventually):
    deployment = shop.create(shop.define(cloud.image(name, image.push(cloud, name, "crash"))), count=1)
    eventually(lambda: shop.deployments()[deployment].failedTasks >= 3)
    assert shop.deployments()[deployment].rolloutState == "IN_PROGRESS"


def test_target_that_asks_this_aws_is_healthy(cloud, shop, name, eventually):
    """Looking at targets does not keep this AWS from answering them."""
    deployment = shop.create(shop.define(cloud.image(name, image.push(cloud, name, "curious"))), count=1)
    eventually(lambda: shop.completed(deployment))
    assert shop.states() == [("healthy", None)]


def test_stopped_task_is_replaced(cloud, shop, name, eventually):
    deployment = shop.create(shop.define(cloud.image(name, image.push(cloud, name, "v1"))), count=1)
    eventually(lambda: shop.completed(deployment))
    [task] = shop.tasks()
    shop.ecs.stop_task(cluster=name, task=task["taskArn"], reason="by hand")
    eventually(
        lambda: [t["lastStatus"] for t in shop.tasks() if t["taskArn"] != task["taskArn"]] == ["RUNNING"]
    )


def test_output_reaches_the_log(cloud, shop, name, eventually):
    logs = cloud.client("logs")
    logs.create_log_group(logGroupName=name)
    options = {"awslogs-group": name, "awslogs-region": cloud.region, "awslogs-stream-prefix": "ecs"}
    awslogs = {"logDriver": "awslogs", "options": options}
    definition = shop.define(cloud.image(name, image.push(cloud, name, "crash")), logConfiguration=awslogs)
    [task] = shop.ecs.run_task(cluster=name, taskDefinition=definition, networkConfiguration=NETWORK)["tasks"]
    stream = f"ecs/app/{task['taskArn'].rsplit('/')[-1]}"

    def messages() -> list[str]:
        if not logs.describe_log_streams(logGroupName=name)["logStreams"]:
            return []
        answer = logs.get_log_events(logGroupName=name, logStreamName=stream, startFromHead=True)
        return [event["message"] for event in answer["events"]]

    assert eventually(messages) == ["starting crash"]
    ended = eventually(
        lambda: [
            t
            for t in shop.ecs.describe_tasks(cluster=name, tasks=[task["taskArn"]])["tasks"]
            if t["lastStatus"] == "STOPPED"
        ]
    )
    assert (ended[0]["containers"][0]["exitCode"], ended[0]["group"]) == (3, f"family:{name}")


def test_refusals(cloud, shop, name):
    definition = shop.define(cloud.image(name, "v1"))
    shop.create(definition, count=0)

    def refusal(call, **arguments) -> str:
        with pytest.raises(ClientError) as refused:
            call(**arguments)
        return refused.value.response["Error"]["Code"]

    update = {"cluster": name, "service": "users"}
    assert refusal(shop.ecs.update_service, **update, taskDefinition="no:1") == "ClientException"
    shop.ecs.deregister_task_definition(taskDefinition=definition)
    assert refusal(shop.ecs.update_service, **update, taskDefinition=definition) == "ClientException"
    assert refusal(shop.ecs.update_service, cluster="no", service="users") == "ClusterNotFoundException"
    assert refusal(shop.ecs.list_tasks, cluster=name, serviceName="no") == "ServiceNotFoundException"


def test_definition_comes_back_as_given(cloud, shop, name):
    given = {"healthCheck": {"command": ["CMD", "x"]}, "dockerLabels": {"a": "b"}, "stopTimeout": 7}
    definition = shop.define(cloud.image(name, "v1"), **given)
    answer = shop.ecs.describe_task_definition(taskDefinition=definition)
    [container] = answer["taskDefinition"]["containerDefinitions"]
    assert given.items() <= container.items()
    assert answer["taskDefinition"]["enableFaultInjection"] is True
    assert "executionRoleArn" not in answer["taskDefinition"] and "tags" not in answer


def test_a_whole_cluster_is_read_in_pages(cloud, shop, name, eventually):
    definition = shop.define(cloud.image(name, image.push(cloud, name, "v1")))
    alarms = {"alarmNames": ["errors"], "enable": True, "rollback": False}
    wanted = {"taskDefinition": definition, "desiredCount": 1, "deploymentConfiguration": {"alarms": alarms}}
    services = [f"s{number:02}" for number in range(12)]
    for service in services:
        shop.ecs.create_service(cluster=name, serviceName=service, **wanted)

    pages = [shop.ecs.list_services(cluster=name)]
    pages.append(shop.ecs.list_services(cluster=name, nextToken=pages[0]["nextToken"]))
    assert [len(page["serviceArns"]) for page in pages] == [10, 2] and "nextToken" not in pages[1]
    arns = [arn for page in pages for arn in page["serviceArns"]]
    with pytest.raises(ClientError, match="cannot have more than 10"):
        shop.ecs.describe_services(cluster=name, services=arns)
    described = shop.ecs.describe_services(cluster=name, services=arns[:10])["services"]
    assert [each["deploymentConfiguration"]["alarms"] for each in described] == [alarms] * 10

    def groups() -> list[str]:
        listed = shop.ecs.list_tasks(cluster=name)["taskArns"]
        tasks = shop.ecs.describe_tasks(cluster=name, tasks=listed)["tasks"] if listed else []
        return sorted(task["group"] for task in tasks if task["lastStatus"] == "RUNNING")

    eventually(lambda: groups() == [f"service:{service}" for service in services])


def test_a_task_is_run_once_for_each_token_and_what_aws_refuses_is_refused(cloud, shop, name, eventually):
    definition = shop.define(cloud.image(name, image.push(cloud, name, "v1")))
    given = {"cluster": name, "taskDefinition": definition, "networkConfiguration": NETWORK}
    given |= {"clientToken": "t" * 64, "startedBy": "tidegate-1"}
    [first], [again] = (shop.ecs.run_task(**given)["tasks"] for _ in range(2))
    assert first["taskArn"] == again["taskArn"]

    def refusal(**more) -> dict:
        with pytest.raises(ClientError) as refused:
            shop.ecs.run_task(**{**given, **more})
        return refused.value.response

    unplaced = refusal(clientToken="unplaced", networkConfiguration={})
    assert "Network Configuration must be provided" in unplaced["Error"]["Message"]
    conflict = refusal(startedBy="tidegate-2")
    assert conflict["Error"]["Code"] == "ConflictException" and conflict["resourceIds"] == [first["taskArn"]]
    [container] = shop.ecs.describe_task_definition(taskDefinition=definition)["taskDefinition"]["containerDefinitions"]
    told = {"name": container["name"], "environment": [{"name": "LONG", "value": "x" * 8192}]}
    for override in ({"name": "no"}, told):
        wrong = refusal(clientToken="other", overrides={"containerOverrides": [override]})
        assert wrong["Error"]["Code"] == "InvalidParameterException"
    shop.ecs.stop_task(cluster=name, task=first["taskArn"])

    def stopped() -> bool:
        [task] = shop.ecs.describe_tasks(cluster=name, tasks=[first["taskArn"]])["tasks"]
        return task["lastStatus"] == "STOPPED"

    eventually(stopped)
