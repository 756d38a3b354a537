"""Step Functions: executions start once, stay aborted, and tell what happened inside them.

Plain ministack refuses a repeated StartExecution that AWS answers, lets the items of a stopped execution go
on and turns ABORTED into FAILED, and leaves the states inside a Map out of every history. Where it shortens
Waits, it does not shorten what others wait after an execution's end.
"""

import contextvars
import json
import re
from datetime import datetime, timedelta, timezone

from ministack.core.responses import error_response_json, json_response
from ministack.services import stepfunctions as sfn

from .wrap import Response, content, need, succeeded, wrap

need(sfn, "_executions", "_map_runs", "_add_event", "_resolve_state_machine_arn", "_ExecutionError")
need(sfn, "_SFN_WAIT_SCALE")

# The execution to whose history the states now running belong; unset where ministack itself records them.
current: contextvars.ContextVar[dict | None] = contextvars.ContextVar("current execution", default=None)

_NAME = re.compile(r"[^\s?*<>{}\[\]\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]{1,80}")
_LONGEST_INPUT = 256 * 1024


@wrap(sfn, "_start_execution")
def start_once(original, data: dict) -> Response:
    name, text = data.get("name"), data.get("input", "{}")
    if name is not None and not _NAME.fullmatch(name):
        return error_response_json("InvalidName", f"Invalid Name: '{name}'", 400)
    try:
        json.loads(text)
    except ValueError:
        return error_response_json("InvalidExecutionInput", "Invalid State Machine Execution Input", 400)
    if len(text.encode()) > _LONGEST_INPUT:
        message = f"Value at 'input' must have at most {_LONGEST_INPUT} bytes"
        return error_response_json("ValidationException", message, 400)
    machine = sfn._resolve_state_machine_arn(data.get("stateMachineArn", "")) or ""
    running = sfn._executions.get(f"{machine.replace(':stateMachine:', ':execution:')}:{name}")
    if running and (running["status"], running["input"]) == ("RUNNING", text):
        return json_response({key: running[key] for key in ("executionArn", "startDate")})
    return original(data)


@wrap(sfn, "_describe_execution")
def ended_long_ago(original, data: dict) -> Response:
    """Says of an end that it is as long ago as a Wait of that real time would be in a machine's own seconds."""
    response = original(data)
    if not succeeded(response) or not 0 < sfn._SFN_WAIT_SCALE < 1:
        return response
    described = content(response)
    if described["stopDate"]:
        since = datetime.now(timezone.utc) - _moment(described["stopDate"])
        earlier = since / sfn._SFN_WAIT_SCALE - since
        described |= {key: _earlier(described[key], earlier) for key in ("startDate", "stopDate")}
    return json_response(described)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _earlier(moment: str, by: timedelta) -> str:
    return (_moment(moment) - by).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@wrap(sfn, "_fail_execution")
def stay_aborted(original, execution: dict, error: str, cause: str) -> None:
    if execution["status"] == "RUNNING":
        original(execution, error, cause)


@wrap(sfn, "_fail_state_error")
def record_fail(original, state_def: dict, raw_input, ctx=None) -> tuple[str, str]:
    if execution := current.get():
        _record(execution, "FailStateEntered", ctx["State"]["Name"], raw_input)
    return original(state_def, raw_input, ctx)


@wrap(sfn, "_apply_output_path")
def record_succeed(original, state_def: dict, data, ctx=None):
    execution = current.get() if state_def.get("Type") == "Succeed" else None
    if execution:
        _record(execution, "SucceedStateEntered", ctx["State"]["Name"], data)
    output = original(state_def, data, ctx)
    if execution:
        _record(execution, "SucceedStateExited", ctx["State"]["Name"], output)
    return output


def stop_if_aborted(execution: dict) -> None:
    """Ends an item that somebody stopped, and all of an execution that was: AWS aborts them with it."""
    run = sfn._map_runs.get(execution.get("mapRunArn"))
    parent = sfn._executions.get(run["executionArn"]) if run else execution
    if any(each and each["status"] == "ABORTED" for each in (execution, parent)):
        raise sfn._ExecutionError("States.Aborted", "the execution was stopped")


def _record(execution: dict, event: str, name: str, value) -> None:
    side, text = ("Exited", "output") if event.endswith("Exited") else ("Entered", "input")
    sfn._add_event(execution, event, {f"state{side}EventDetails": {"name": name, text: json.dumps(value)}})


def _in_the_history(original, state_def: dict, raw_input, *rest):
    execution = current.get()
    if execution is None:
        return original(state_def, raw_input, *rest)
    stop_if_aborted(execution)
    kind, name = state_def["Type"], rest[-1]["State"]["Name"]
    _record(execution, f"{kind}StateEntered", name, raw_input)
    output, following = original(state_def, raw_input, *rest)
    _record(execution, f"{kind}StateExited", name, output)
    return output, following


for _kind in ("pass", "task", "choice", "wait", "parallel", "map"):
    wrap(sfn, f"_execute_{_kind}")(lambda original, *call: _in_the_history(original, *call))
