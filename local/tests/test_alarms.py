"""CloudWatch: alarms that are asked for by name, in the protocol of the functions, and events of them."""

import json
import time
import urllib.request

import cbor2
import pytest

NAME = "tidegate-users"


@pytest.fixture
def alarms(cloud):
    """A client, and an alarm that somebody has set."""
    client = cloud.client("cloudwatch")
    client.put_metric_alarm(
        AlarmName=NAME,
        Namespace="AWS/ApplicationELB",
        MetricName="HTTPCode_Target_5XX_Count",
        Dimensions=[{"Name": "TargetGroup", "Value": "users"}],
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )
    yield client
    client.delete_alarms(AlarmNames=[NAME])


def test_changes_are_events(cloud, name, alarms):
    sqs = cloud.client("sqs")
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    pattern = {"source": ["aws.cloudwatch"], "detail": {"state": {"value": ["ALARM"]}}}
    cloud.client("events").put_rule(Name=name, EventPattern=json.dumps(pattern))
    arn = f"arn:aws:sqs:{cloud.region}:{cloud.account}:{name}"
    cloud.client("events").put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    alarms.set_alarm_state(AlarmName=NAME, StateValue="ALARM", StateReason="by hand")
    [message] = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1)["Messages"]
    event = json.loads(message["Body"])
    assert event["resources"] == [f"arn:aws:cloudwatch:{cloud.region}:{cloud.account}:alarm:{NAME}"]
    assert event["detail"]["alarmName"] == NAME
    assert event["detail"]["previousState"]["value"] == "INSUFFICIENT_DATA"
    [metric] = event["detail"]["configuration"]["metrics"]
    assert metric["metricStat"]["metric"]["dimensions"] == {"TargetGroup": "users"}


def test_the_moment_of_a_change_is_told_and_kept(alarms):
    def set_to(state):
        """Returns when the alarm came to its state, as it is described after it was set to one."""
        before = time.time()
        alarms.set_alarm_state(AlarmName=NAME, StateValue=state, StateReason="by hand")
        [found] = alarms.describe_alarms(AlarmNames=[NAME])["MetricAlarms"]
        return before, found["StateTransitionedTimestamp"].timestamp()

    before, changed = set_to("ALARM")
    assert before <= changed + 0.001
    assert set_to("ALARM")[1] == changed
    before, changed = set_to("OK")
    assert before <= changed + 0.001


def test_they_are_found_by_their_names(alarms):
    alarms.set_alarm_state(AlarmName=NAME, StateValue="ALARM", StateReason="by hand")
    found = alarms.describe_alarms(AlarmNames=[NAME, "tidegate-nobody"])["MetricAlarms"]
    assert [(each["AlarmName"], each["StateValue"]) for each in found] == [(NAME, "ALARM")]


def test_the_protocol_of_the_functions_is_spoken_and_recorded_as_policies_name_it(cloud, alarms):
    """What the SDK for Rust sends, where boto3 sends JSON."""
    path = "/service/GraniteServiceVersion20100801/operation/DescribeAlarms"
    scope = f"test/20260101/{cloud.region}/monitoring/aws4_request"
    headers = {
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}",
        "Content-Type": "application/cbor",
        "Smithy-Protocol": "rpc-v2-cbor",
        "User-Agent": "app/test-cbor",
    }
    body = cbor2.dumps({"AlarmNames": [NAME]})
    with urllib.request.urlopen(urllib.request.Request(cloud.endpoint + path, body, headers)) as answer:
        [found] = cbor2.loads(answer.read())["MetricAlarms"]
    assert (found["AlarmName"], found["StateValue"]) == (NAME, "INSUFFICIENT_DATA")
    [call] = cloud.calls(agent="test-cbor")
    assert (call["service"], call["operation"]) == ("cloudwatch", "DescribeAlarms")
