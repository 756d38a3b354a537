"""Step Functions: a task token is good for one answer, and only while its task waits.

Plain ministack takes a second answer, and one for an execution that was stopped; it forgets a token whose
task has timed out, where AWS says that it did; and it waits in full where it shortens every Wait.
"""

import contextvars
import json
import threading

from ministack.core.responses import error_response_json
from ministack.services import stepfunctions as sfn

from .wrap import Response, need, wrap

need(sfn, "_task_tokens", "_SFN_WAIT_SCALE")

# The execution that waits, by every token that was ever given out.
_issued: dict[str, dict] = {}
_waiting: contextvars.ContextVar[dict] = contextvars.ContextVar("execution of a task")
_answering = threading.Lock()


@wrap(sfn, "_execute_task")
def know_the_execution(original, state_def, raw_input, execution, ctx):
    reset = _waiting.set(execution)
    try:
        return original(state_def, raw_input, execution, ctx)
    finally:
        _waiting.reset(reset)


@wrap(sfn, "_invoke_with_callback")
def wait_as_a_wait_does(original, resource, input_data, token, state_def):
    _issued[token] = _waiting.get()
    if "TimeoutSeconds" in state_def:
        seconds = state_def["TimeoutSeconds"] * sfn._SFN_WAIT_SCALE
        state_def = {**state_def, "TimeoutSeconds": seconds}
    return original(resource, input_data, token, state_def)


def _one_answer(original, data: dict) -> Response:
    with _answering:
        problem = _problem(data.get("taskToken"), data.get("output", "{}"))
        return error_response_json(*problem, 400) if problem else original(data)


def _problem(token: str | None, output: str) -> tuple[str, str] | None:
    waiting = sfn._task_tokens.get(token)
    if waiting is None and token not in _issued:
        return "InvalidToken", "Invalid Token: 'Invalid token'"
    ended = token in _issued and _issued[token]["status"] != "RUNNING"
    if waiting is None or waiting["event"].is_set() or ended:
        return "TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'"
    try:
        json.loads(output)
    except ValueError:
        return "InvalidOutput", "Invalid Output: 'the output is no JSON'"
    return None


for _action in ("_send_task_success", "_send_task_failure", "_send_task_heartbeat"):
    wrap(sfn, _action)(lambda original, *call: _one_answer(original, *call))
