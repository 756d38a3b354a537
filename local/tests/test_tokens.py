"""Step Functions: what answers to a task token do, in time, twice, and too late."""

import pytest
from botocore.exceptions import ClientError

import machine

TOKEN = "{% $states.context.Task.Token %}"


@pytest.fixture
def waiting(cloud, name, eventually):
    """Starts a machine that hands out a token and waits; returns the execution and the token."""
    sqs, queue = cloud.client("sqs"), cloud.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    ask = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Arguments": {"QueueUrl": queue, "MessageBody": TOKEN},
        "TimeoutSeconds": "{% $states.input.limit %}",
        "Output": {"said": "{% $states.result %}"},
        "End": True,
    }
    asks = machine.create(cloud, name, {"Ask": ask})

    def start(limit: int) -> tuple[str, str]:
        execution = machine.start(cloud, asks, input=f'{{"limit":{limit}}}')
        got = eventually(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"))
        return execution, got[0]["Body"]

    return start


@pytest.fixture
def refusal(cloud):
    """Answers a token, and returns the error that this is."""

    def refusal(token: str, output: str = "{}") -> str:
        with pytest.raises(ClientError) as refused:
            cloud.client("stepfunctions").send_task_success(taskToken=token, output=output)
        return refused.value.response["Error"]["Code"]

    return refusal


def test_an_answer_goes_on_and_a_second_one_comes_too_late(cloud, waiting, refusal, eventually):
    execution, token = waiting(3600)
    assert refusal(token, "no JSON") == "InvalidOutput"
    cloud.client("stepfunctions").send_task_success(taskToken=token, output='{"next":"Approved"}')
    assert refusal(token) == "TaskTimedOut"
    ended = eventually(lambda: machine.ended(cloud, execution))
    assert ended["output"] == {"said": {"next": "Approved"}}
    assert refusal(token) == "TaskTimedOut"


def test_a_failure_is_an_answer_too(cloud, waiting, eventually):
    execution, token = waiting(3600)
    cloud.client("stepfunctions").send_task_failure(taskToken=token, error="No", cause="not today")
    ended = eventually(lambda: machine.ended(cloud, execution))
    assert (ended["error"], ended["cause"]) == ("No", "not today")


def test_nobody_answers_in_time(cloud, waiting, refusal, eventually):
    execution, token = waiting(60)
    # A hundred times as fast as asked, like every Wait here: `eventually` does not wait for a minute.
    assert eventually(lambda: machine.ended(cloud, execution))["error"] == "States.Timeout"
    assert refusal(token) == "TaskTimedOut"


def test_an_execution_that_was_stopped_takes_no_answer(cloud, waiting, refusal):
    execution, token = waiting(3600)
    cloud.client("stepfunctions").stop_execution(executionArn=execution)
    assert refusal(token) == "TaskTimedOut"


def test_a_token_that_nobody_gave_out(refusal):
    assert refusal("made-up") == "InvalidToken"
