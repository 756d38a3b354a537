"""Step Functions: as strict as AWS where the release machine depends on it."""

import time
from datetime import datetime, timedelta, timezone

import pytest
from botocore.exceptions import ClientError

import machine


@pytest.fixture
def run(cloud, name, eventually):
    """Runs a machine of these states to its end."""

    def run(states: dict, **arguments) -> dict:
        execution = machine.start(cloud, machine.create(cloud, name, states), **arguments)
        return eventually(lambda: machine.ended(cloud, execution))

    return run


def fan_out(item_states: dict, **more) -> dict:
    processor = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}}
    processor |= {"StartAt": next(iter(item_states)), "States": item_states}
    return {"Type": "Map", "ItemProcessor": processor, "ToleratedFailurePercentage": 100, **more}


def test_distributed_map(cloud, run):
    items = {
        "Look": {
            "Type": "Choice",
            "Default": "Rest",
            "Choices": [{"Condition": "{% $states.input.n = 1 %}", "Next": "Die"}],
        },
        "Die": {"Type": "Fail", "Error": "Bad", "Cause": "{% 'item ' & $string($states.input.n) %}"},
        "Rest": {"Type": "Wait", "Seconds": 2, "Next": "Say"},
        "Say": {
            "Type": "Pass",
            "Output": {
                "n": "{% $states.input.n %}",
                "id": "{% $states.context.Execution.Id %}",
                "from": "{% $states.input.from %}",
            },
            "Next": "Ended",
        },
        "Ended": {"Type": "Succeed"},
    }
    wave = fan_out(
        items,
        Label="Wave",
        Items="{% [0..($count-1)] %}",
        ItemSelector={
            "n": "{% $states.context.Map.Item.Value %}",
            "from": "{% $states.context.Execution.Id %}",
        },
        MaxConcurrency="{% $count %}",
        Assign={"seen": "{% $states.result.n %}"},
        Output={"results": "{% $states.result %}"},
        Next="Done",
    )
    done = {"Type": "Succeed", "Output": {"seen": "{% $seen %}", "results": "{% $states.input.results %}"}}
    outcome = run(
        {"Set": {"Type": "Pass", "Assign": {"count": 3}, "Next": "Wave"}, "Wave": wave, "Done": done}
    )
    assert outcome["status"] == "SUCCEEDED" and outcome["output"]["seen"] == [0, 2]
    results = outcome["output"]["results"]
    assert {result["from"] for result in results} == {outcome["executionArn"]}
    sfn = cloud.client("stepfunctions")
    [map_run] = sfn.list_map_runs(executionArn=outcome["executionArn"])["mapRuns"]
    children = sfn.list_executions(mapRunArn=map_run["mapRunArn"])["executions"]
    assert {result["id"] for result in results} < {child["executionArn"] for child in children}
    assert all("/Wave:" in child["executionArn"] for child in children)
    assert sorted(child["status"] for child in children) == ["FAILED", "SUCCEEDED", "SUCCEEDED"]
    assert machine.history(cloud, results[0]["id"]) == [
        *("ExecutionStarted", "ChoiceStateEntered Look", "ChoiceStateExited"),
        *("WaitStateEntered Rest", "WaitStateExited", "PassStateEntered Say", "PassStateExited"),
        *("SucceedStateEntered Ended", "SucceedStateExited", "ExecutionSucceeded"),
    ]

    [failed] = [child["executionArn"] for child in children if child["status"] == "FAILED"]
    assert machine.history(cloud, failed)[-2:] == ["FailStateEntered Die", "ExecutionFailed"]


def test_history_of_nested_states(cloud, name, run):
    call = machine.invoke(machine.function(cloud, name), {}, End=True)
    both = {"Type": "Parallel", "Branches": [{"StartAt": "Call", "States": {"Call": call}}], "End": True}
    each = {"Type": "Map", "Items": [1], "ItemProcessor": {"StartAt": "Both", "States": {"Both": both}}}
    outcome = run({"Wave": fan_out({"Each": {**each, "End": True}}, Items=[1], End=True)})
    sfn = cloud.client("stepfunctions")
    [map_run] = sfn.list_map_runs(executionArn=outcome["executionArn"])["mapRuns"]
    [child] = sfn.list_executions(mapRunArn=map_run["mapRunArn"])["executions"]
    assert machine.history(cloud, child["executionArn"]) == [
        *("ExecutionStarted", "MapStateEntered Each", "ParallelStateEntered Both", "TaskStateEntered Call"),
        *("TaskScheduled", "TaskSucceeded", "TaskStateExited", "ParallelStateExited", "MapStateExited"),
        "ExecutionSucceeded",
    ]


def test_items_do_not_see_outer_variables(run):
    wave = fan_out({"Peek": {"Type": "Pass", "Output": "{% $secret %}", "End": True}}, Items=[1], End=True)
    wave |= {"ToleratedFailurePercentage": 0}
    outcome = run({"Set": {"Type": "Pass", "Assign": {"secret": 1}, "Next": "Wave"}, "Wave": wave})
    assert outcome["error"] == "States.ExceedToleratedFailureThreshold"


def test_stopped_execution_stops_its_items(cloud, name, eventually):
    """Nothing in the history of an item follows the state in which the parent was stopped."""
    items = {"Rest": {"Type": "Wait", "Seconds": 60, "Next": "After"}, "After": {"Type": "Pass", "End": True}}
    arn = machine.create(
        cloud, name, {"Wave": fan_out(items, Items=[1, 2], ToleratedFailureCount=0, End=True)}
    )
    execution, sfn = machine.start(cloud, arn), cloud.client("stepfunctions")
    [map_run] = eventually(lambda: sfn.list_map_runs(executionArn=execution)["mapRuns"])
    sfn.stop_execution(executionArn=execution)

    def children() -> list[str]:
        found = sfn.list_executions(mapRunArn=map_run["mapRunArn"])["executions"]
        return [child["executionArn"] for child in found if child["status"] == "ABORTED"]

    ended = eventually(lambda: len(children()) == 2 and children())
    assert not any("After" in event for child in ended for event in machine.history(cloud, child))
    time.sleep(0.1)
    assert machine.ended(cloud, execution)["status"] == "ABORTED"


def test_start_is_idempotent_while_running(cloud, name):
    sfn = cloud.client("stepfunctions")
    arn = machine.create(cloud, name, {"Rest": {"Type": "Wait", "Seconds": 100, "End": True}})
    first = machine.start(cloud, arn, name="one", input='{"a":1}')
    assert machine.start(cloud, arn, name="one", input='{"a":1}') == first
    for wrong, code in (
        ({"name": "one"}, "ExecutionAlreadyExists"),
        ({"name": "sha256:1"}, "InvalidName"),
        ({"input": f'"{"x" * 256 * 1024}"'}, "ValidationException"),
    ):
        with pytest.raises(ClientError) as refused:
            machine.start(cloud, arn, **wrong)
        assert refused.value.response["Error"]["Code"] == code
    sfn.stop_execution(executionArn=first)
    with pytest.raises(ClientError):
        machine.start(cloud, arn, name="one", input='{"a":1}')


def test_assign_sees_values_from_entry(run):
    states = {
        "Set": {"Type": "Pass", "Assign": {"n": 1}, "Next": "Step"},
        "Step": {"Type": "Pass", "Assign": {"n": "{% $n + 1 %}", "before": "{% $n %}"}, "Next": "Tell"},
        "Tell": {"Type": "Succeed", "Output": "{% [$n, $before] %}"},
    }
    assert run(states)["output"] == [2, 1]


def test_throttled_function_has_its_name(cloud, name, run):
    function = machine.function(cloud, name)
    cloud.client("lambda").put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
    catch = {
        "ErrorEquals": ["Lambda.TooManyRequestsException"],
        "Assign": {"was": "{% $states.errorOutput.Error %}"},
    }
    tell = {"Type": "Succeed", "Output": "{% $was %}"}
    states = {"Call": machine.invoke(function, {}, Catch=[{**catch, "Next": "Tell"}], End=True), "Tell": tell}
    assert run(states)["output"] == "Lambda.TooManyRequestsException"


def test_retry_and_fail(cloud, name, run):
    function = machine.function(cloud, name)
    retry = {"ErrorEquals": ["Slow"], "IntervalSeconds": 1, "MaxDelaySeconds": 2, "MaxAttempts": 8}
    retry |= {"BackoffRate": 100, "JitterStrategy": "FULL"}
    catch = {"ErrorEquals": ["States.ALL"], "Next": "Broken", "Output": "{% $states.errorOutput.Error %}"}
    call = machine.invoke(function, {"fault": "Slow"}, Retry=[retry], Catch=[catch], End=True)
    states = {
        "Call": call,
        "Broken": {"Type": "Fail", "Error": "{% $states.input %}", "Cause": "as {% not %} given"},
    }
    outcome = run(states)
    assert (outcome["error"], outcome["cause"]) == ("Slow", "as {% not %} given")
    assert machine.history(cloud, outcome["executionArn"]).count("TaskFailed") == 9
    # Without the greatest delay all pauses but the first would last a minute, a hundred times as fast as asked.
    assert min(pauses(cloud, outcome["executionArn"])[1:]) < 0.6


def pauses(cloud, execution: str) -> list[float]:
    """The seconds from each failure of a Task to what follows it in the history."""
    events = cloud.client("stepfunctions").get_execution_history(executionArn=execution)["events"]
    pairs = [pair for pair in zip(events, events[1:]) if pair[0]["type"] == "TaskFailed"]
    return [(after["timestamp"] - failed["timestamp"]).total_seconds() for failed, after in pairs]


def test_runtime_error_passes_every_catch(run):
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]
    call = {"Type": "Task", "Resource": "arn:aws:states:::http:invoke", "Catch": catch, "End": True}
    assert run({"Call": call, "Caught": {"Type": "Succeed"}})["error"] == "States.Runtime"


def test_an_end_is_as_long_ago_as_waits_since_then_would_say(cloud, run, eventually):
    """A hundred times as long: more than a minute is over in less than a second."""
    outcome = run({"Done": {"Type": "Succeed"}})
    described = lambda: machine.ended(cloud, outcome["executionArn"])  # noqa: E731
    minute = timedelta(seconds=70)
    eventually(lambda: datetime.now(timezone.utc) - described()["stopDate"] > minute)
    # How long it took is told as it was.
    later = described()
    assert later["stopDate"] - later["startDate"] == outcome["stopDate"] - outcome["startDate"]


def test_wait_takes_jsonata(run):
    states = {
        "Slot": {"Type": "Wait", "Timestamp": "{% $states.input.at %}", "Next": "Pause"},
        "Pause": {"Type": "Wait", "Seconds": "{% 2 * 5 %}", "End": True},
    }
    outcome = run(states, input='{"at":"2020-01-01T00:00:00.5Z"}')
    assert outcome["status"] == "SUCCEEDED"
    # Ten seconds, a hundred times as fast as asked.
    assert 0.1 <= (outcome["stopDate"] - outcome["startDate"]).total_seconds() < 10


def test_token_task(cloud, name, run):
    """A token task takes its limit by JSONata, and fails with its function instead of waiting for ever."""
    function, resource = machine.function(cloud, name), "arn:aws:states:::lambda:invoke.waitForTaskToken"
    ask = machine.invoke(function, {}, resource, TimeoutSeconds="{% $states.input.limit %}", Next="Fault")
    ask["Catch"] = [{"ErrorEquals": ["States.Timeout"], "Next": "Fault"}]
    fault = machine.invoke(function, {"fault": "Refused"}, resource, TimeoutSeconds=60, End=True)
    assert run({"Ask": ask, "Fault": fault}, input='{"limit":1}')["error"] == "Refused"


def test_a_call_that_is_handed_over(cloud, name, run, eventually):
    """A task that hands a call over waits for nothing and does not fail with it; Lambda keeps what fails in the end."""
    function, sqs = machine.function(cloud, name), cloud.client("sqs")
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    kept = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    cloud.client("lambda").put_function_event_invoke_config(
        FunctionName=function,
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": kept}},
    )
    catch = {"ErrorEquals": ["States.ALL"], "Assign": {"gone": "{% $states.errorOutput.Error %}"}, "Next": "Tell"}
    gone = machine.invoke(f"{function}-gone", {}, Catch=[catch], End=True)
    output = "{% [$gone, $string($states.result.StatusCode)] %}"
    tell = machine.invoke(function, {"fault": "Bad"}, Output=output, End=True)
    for state in (gone, tell):
        state["Arguments"]["InvocationType"] = "Event"
    assert run({"Gone": gone, "Tell": tell})["output"] == ["Lambda.ResourceNotFoundException", "202"]
    messages = eventually(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"))
    assert '"fault": "Bad"' in messages[0]["Body"]


def test_function_environment(cloud, name, run):
    """A function finds this AWS in its environment, the leave to probe loopback, and nothing of ours."""
    output = {"env": "{% $states.result.Payload.env %}"}
    environment = run({"Call": machine.invoke(machine.function(cloud, name), {}, Output=output, End=True)})
    seen = environment["output"]["env"]
    assert seen["AWS_ENDPOINT_URL"] == cloud.endpoint
    assert seen["TIDEGATE_PROBE_LOOPBACK"] == "allowed"
    assert not {"PYTEST_CURRENT_TEST", "TIDEGATE_LOCAL_AWS_PARENT"} & seen.keys()
