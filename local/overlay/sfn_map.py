"""Step Functions: a distributed Map as strict as AWS's, in a JSONata machine.

Plain ministack reads its items by JSONPath, so that `Items`, `ItemSelector`, `Assign` and `Output` are
ignored. Here its own runner gets the finished items. An item is an execution of its own: it sees neither the
variables nor the execution of its parent, and its history holds the states it entered.
"""

import json

from ministack.services import stepfunctions as sfn

from .sfn_executions import current, stop_if_aborted
from .wrap import need, wrap

need(sfn, "_apply_jsonata_template", "_apply_jsonata_output", "_apply_state_assign", "_jsonata_state_field")
need(sfn, "_state_query_language", "_next_or_end", "_executions", "_map_runs", "_emit_execution_status_event")

_NUMBERS = ("MaxConcurrency", "ToleratedFailurePercentage", "ToleratedFailureCount")


@wrap(sfn, "_run_distributed_map")
def by_jsonata(original, state_def, raw_input, effective, iterator, execution, ctx):
    if sfn._state_query_language(state_def, ctx) != "JSONata" or "ItemReader" in state_def:
        return original(state_def, raw_input, effective, iterator, execution, ctx)
    items = _items(state_def, raw_input, ctx)
    plain = {key: state_def[key] for key in ("Type", "Label", "Next", "End") if key in state_def}
    plain |= {"QueryLanguage": "JSONPath", "ItemsPath": "$"}
    for field in _NUMBERS:
        if field in state_def:
            plain[field] = sfn._jsonata_state_field(state_def, field, "number", raw_input, ctx)
    try:
        results, _ = original(plain, items, items, iterator, execution, ctx)
    finally:
        _name_aborted()
    # ministack leaves None where an item failed; AWS leaves failed items out.
    results = [result for result in results if result is not None]
    output = sfn._apply_jsonata_output(state_def, raw_input, ctx, result=results, default=results)
    sfn._apply_state_assign(state_def, raw_input, ctx, result=results)
    return output, sfn._next_or_end(state_def)


def _name_aborted() -> None:
    for execution in list(sfn._executions.values()):
        if execution.get("error") == "States.Aborted":
            execution["status"] = "ABORTED"


def _items(state_def: dict, raw_input, ctx: dict) -> list:
    """The input of every item: `ItemSelector` is evaluated in the parent, which alone knows the variables."""
    items = raw_input
    if "Items" in state_def:
        items = sfn._jsonata_state_field(state_def, "Items", "array", raw_input, ctx)
    if "ItemSelector" not in state_def:
        return items
    scopes = [{**ctx, "Map": {"Item": {"Index": index, "Value": item}}} for index, item in enumerate(items)]
    return [sfn._apply_jsonata_template(state_def["ItemSelector"], raw_input, scope) for scope in scopes]


@wrap(sfn, "_run_sub_machine")
def on_its_own(original, states, start_at, input_data, execution, ctx):
    if "mapRunArn" not in execution or current.get() is execution:
        return _recorded(original, states, start_at, input_data, execution, ctx)
    started = {"input": execution["input"]}
    sfn._add_event(execution, "ExecutionStarted", {"executionStartedEventDetails": started})
    sfn._emit_execution_status_event(execution)
    try:
        stop_if_aborted(execution)
        output = _recorded(original, states, start_at, input_data, execution, _context(execution, ctx))
    except Exception as problem:
        _close(execution, problem)
        raise
    succeeded = {"output": json.dumps(output)}
    sfn._add_event(execution, "ExecutionSucceeded", {"executionSucceededEventDetails": succeeded})
    sfn._emit_execution_status_event({**execution, "status": "SUCCEEDED", **succeeded})
    return output


def _recorded(original, states, start_at, input_data, execution, ctx):
    reset = current.set(execution)
    try:
        return original(states, start_at, input_data, execution, ctx)
    finally:
        current.reset(reset)


def _context(execution: dict, ctx: dict) -> dict:
    return {
        "QueryLanguage": ctx["QueryLanguage"],
        "Execution": {
            "Id": execution["executionArn"],
            "Input": json.loads(execution["input"]),
            "Name": execution["name"],
            "StartTime": execution["startDate"],
        },
        "StateMachine": {"Id": execution["stateMachineArn"], "Name": ctx["StateMachine"]["Name"]},
        "variables": {},
    }


def _close(execution: dict, problem: Exception) -> None:
    error, cause = getattr(problem, "error", "States.Runtime"), getattr(problem, "cause", str(problem))
    status = "ABORTED" if error == "States.Aborted" else "FAILED"
    details = {f"execution{status.title()}EventDetails": {"error": error, "cause": cause}}
    sfn._add_event(execution, f"Execution{status.title()}", details)
    sfn._emit_execution_status_event({**execution, "status": status, "error": error, "cause": cause})
