"""The template, deployed as `make demo` deploys it, with bootstraps that do nothing."""

import json

import permissions
import pytest
import stack

# Nothing that another test pushes may start this stack's machine.
PARAMETERS = {"Clusters": "one,two", "RepositoryPrefix": "stack-test/", "Architecture": "x86_64"}
BINARIES = ["release", "retag", "deploy", "health-test", "rollback", "alert", "dashboard", "dashboard-acts"]


@pytest.fixture
def binaries(tmp_path):
    folder = tmp_path / "binaries"
    folder.mkdir()
    for name in BINARIES:
        (folder / name).write_text(f"#!/bin/sh\n# {name}\n")
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture
def build(tmp_path, binaries):
    stack.lay_out(binaries, tmp_path / "build")
    return tmp_path / "build"


def test_it_stands_and_is_left_alone_when_nothing_changed(cloud, build):
    outputs = stack.deploy(cloud, build, PARAMETERS, name="stands")
    assert outputs["StateMachineArn"].startswith("arn:aws:states:")
    assert stack.deploy(cloud, build, PARAMETERS, name="stands") == outputs


def test_an_update_brings_a_new_bootstrap(cloud, build, binaries):
    name = stack.deploy(cloud, build, PARAMETERS, name="changes")["AlertFunction"]
    code = cloud.client("lambda").get_function_configuration(FunctionName=name)["CodeSha256"]
    (binaries / "alert").unlink()
    (binaries / "alert").write_text("#!/bin/sh\n# another\n")
    stack.lay_out(binaries, build)
    assert stack.deploy(cloud, build, PARAMETERS, name="changes")["AlertFunction"] == name
    assert cloud.client("lambda").get_function_configuration(FunctionName=name)["CodeSha256"] != code


@pytest.mark.parametrize("binary", BINARIES)
def test_a_missing_binary_is_named(tmp_path, binaries, binary):
    (binaries / binary).unlink()
    with pytest.raises(stack.StackError, match=f"Function has no bootstrap: .*/{binary} does not exist"):
        stack.lay_out(binaries, tmp_path / "build")


@pytest.mark.parametrize("function", ["ReleaseFunction", "AlertFunction"])
def test_a_bootstrap_taken_away_is_named(cloud, build, function):
    (build / function / "bootstrap").unlink()
    with pytest.raises(stack.StackError, match=f"{function} has no bootstrap"):
        stack.deploy(cloud, build, PARAMETERS, name="lacks")


def test_task_roles_and_the_vpc_are_granted_only_where_they_are_asked_for(cloud, build):
    stack.deploy(cloud, build, PARAMETERS, name="plain")
    role = "arn:aws:iam::123456789012:role/task"
    more = {"TaskRoleArns": role, "SubnetIds": "subnet-1,subnet-2", "SecurityGroupIds": "sg-1"}
    stack.deploy(cloud, build, PARAMETERS | more, name="full")
    assert _passed_roles(cloud, "plain") == []
    assert _passed_roles(cloud, "full") == [[role]]
    assert "AWSLambdaVPCAccessExecutionRole" not in _managed(cloud, "plain")
    assert "AWSLambdaVPCAccessExecutionRole" in _managed(cloud, "full")


def test_the_clusters_become_one_condition_each(cloud, build):
    stack.deploy(cloud, build, PARAMETERS, name="clusters")
    services = next(
        each for each in _statements(cloud, "clusters", "DeployFunctionRole") if each["Sid"] == "Services"
    )
    assert services["Condition"] == {
        "ArnLike": {"ecs:cluster": ["arn:*:ecs:*:*:cluster/one", "arn:*:ecs:*:*:cluster/two"]}
    }


@pytest.mark.parametrize(
    ("repository", "detail", "starts"),
    [
        ("stack-test/users", {"image-tag": "main-1"}, True),
        ("stack-test/users", {"image-tag": "tidegate.dev.users.live"}, False),
        ("stack-test/users", {}, False),
        ("stack-test/users", {"image-tag": "main-1", "action-type": "DELETE"}, False),
        ("stack-test/users", {"image-tag": "main-1", "result": "FAILURE"}, False),
        ("elsewhere/users", {"image-tag": "main-1"}, False),
    ],
)
def test_the_rule_takes_pushes_with_a_tag_that_is_not_ours(cloud, build, repository, detail, starts):
    stack.deploy(cloud, build, PARAMETERS, name="rule")
    events = cloud.client("events")
    event = {
        "id": "1",
        "source": "aws.ecr",
        "detail-type": "ECR Image Action",
        "account": "123456789012",
        "time": "2026-01-01T00:00:00Z",
        "region": "us-east-1",
        "resources": [],
        "detail": {"action-type": "PUSH", "result": "SUCCESS", "repository-name": repository} | detail,
    }
    pattern = events.describe_rule(Name="rule-image-pushed")["EventPattern"]
    assert events.test_event_pattern(EventPattern=pattern, Event=json.dumps(event))["Result"] is starts


def test_its_own_alarms_tell_the_topic_and_start_no_rollback(cloud, build):
    topic = stack.deploy(cloud, build, PARAMETERS, name="own")["TopicArn"]
    sqs, queue = cloud.client("sqs"), cloud.client("sqs").create_queue(QueueName="own-told")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    cloud.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    alarms, events = cloud.client("cloudwatch"), cloud.client("events")
    pattern = events.describe_rule(Name="own-guard")["EventPattern"]
    own = alarms.describe_alarms(AlarmNamePrefix="own-")["MetricAlarms"]
    assert len(own) > 2 and any(each.get("Metrics") for each in own)
    for alarm in own:
        name = alarm["AlarmName"]
        alarms.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="by hand")
        [message] = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1)["Messages"]
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        told = json.loads(json.loads(message["Body"])["Message"])
        assert (told["AlarmName"], told["AlarmDescription"]) == (name, alarm["AlarmDescription"])
        assert not events.test_event_pattern(EventPattern=pattern, Event=red(cloud, name))["Result"], name
    assert events.test_event_pattern(EventPattern=pattern, Event=red(cloud, "own-shop-5xx"))["Result"]


def red(cloud, alarm: str) -> str:
    """The event of an alarm that went to ALARM."""
    event = {
        "id": "1",
        "source": "aws.cloudwatch",
        "detail-type": "CloudWatch Alarm State Change",
        "account": cloud.account,
        "time": "2026-01-01T00:00:00Z",
        "region": cloud.region,
        "resources": [f"arn:aws:cloudwatch:{cloud.region}:{cloud.account}:alarm:{alarm}"],
        "detail": {"alarmName": alarm, "state": {"value": "ALARM"}, "previousState": {"value": "OK"}},
    }
    return json.dumps(event)


def test_a_right_that_is_missing_and_one_that_is_too_much_are_seen(cloud, build):
    """The calls of whole releases are compared in the same way, after the last test that made some."""
    stack.deploy(cloud, build, PARAMETERS, name="roles")
    container = {"name": "app", "image": "app"}
    cloud.client("ecs").register_task_definition(family="roles", containerDefinitions=[container])
    for function in ["deploy", "release"]:
        cloud.client("ecs", agent=f"tidegate-{function}").describe_task_definition(taskDefinition="roles")
        cloud.client("ecs", agent=f"tidegate-{function}").list_clusters()
    # A call of release, as if it were one of deploy: the role of release has a right too much then.
    cloud.client("ecr", agent="tidegate-deploy").describe_repositories()
    missing = "its role does not allow it"
    assert permissions.faults(cloud, "roles") == [
        f"deploy: ecr:DescribeRepositories: {missing}",
        f"deploy: ecs:ListClusters: {missing}",
        "release: ecr:DescribeRepositories: its role allows what is for deploy alone",
        f"release: ecs:ListClusters: {missing}",
    ]


def test_a_template_that_is_a_circle_is_refused(cloud, build):
    template = json.loads((build / "template.yaml").read_text())
    variables = template["Globals"]["Function"]["Environment"]["Variables"]
    variables["MACHINE"] = {"Ref": "ReleaseMachine"}
    (build / "template.yaml").write_text(json.dumps(template))
    with pytest.raises(Exception, match="(?i)circular"):
        stack.deploy(cloud, build, PARAMETERS, name="circle")


def _role(cloud, name: str, resource: str) -> str:
    formation = cloud.client("cloudformation")
    described = formation.describe_stack_resource(StackName=name, LogicalResourceId=resource)
    return described["StackResourceDetail"]["PhysicalResourceId"]


def _statements(cloud, name: str, resource: str) -> list[dict]:
    iam = cloud.client("iam")
    role = _role(cloud, name, resource)
    policies = iam.list_role_policies(RoleName=role)["PolicyNames"]
    documents = [iam.get_role_policy(RoleName=role, PolicyName=each)["PolicyDocument"] for each in policies]
    return [statement for document in documents for statement in document["Statement"]]


def _passed_roles(cloud, name: str) -> list[list[str]]:
    statements = _statements(cloud, name, "DeployFunctionRole")
    return [each["Resource"] for each in statements if each["Action"] == "iam:PassRole"]


def _managed(cloud, name: str) -> str:
    role = _role(cloud, name, "HealthTestFunctionRole")
    return str(cloud.client("iam").list_attached_role_policies(RoleName=role)["AttachedPolicies"])
