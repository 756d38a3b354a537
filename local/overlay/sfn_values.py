"""Step Functions: JSONata fields that plain ministack overlooks.

It ignores the `Output` of a Succeed, takes no expression for a time-out, and lets the expressions of one
`Assign` see each other's results, where on AWS all of them see the values from the entry of the state.
"""

from ministack.services import stepfunctions as sfn

from .wrap import need, wrap

need(sfn, "_state_query_language", "_apply_jsonata_output", "_jsonata_state_field")


@wrap(sfn, "_apply_output_path")
def output_of_succeed(original, state_def: dict, data, ctx=None):
    if state_def.get("Type") == "Succeed" and sfn._state_query_language(state_def, ctx) == "JSONata":
        return sfn._apply_jsonata_output(state_def, data, ctx, default=data)
    return original(state_def, data, ctx)


@wrap(sfn, "_execute_task")
def time_limits(original, state_def: dict, raw_input, execution: dict, ctx: dict):
    texts = [
        field for field in ("TimeoutSeconds", "HeartbeatSeconds") if isinstance(state_def.get(field), str)
    ]
    limits = {field: sfn._jsonata_state_field(state_def, field, "number", raw_input, ctx) for field in texts}
    return original({**state_def, **limits}, raw_input, execution, ctx)


@wrap(sfn, "_apply_state_assign")
def assign_at_once(original, state_def, raw_input, ctx, result=None, error_output=None) -> None:
    if ctx is None or sfn._state_query_language(state_def, ctx) != "JSONata":
        return
    assigned = {}
    for name, template in (state_def.get("Assign") or {}).items():
        scope = {**ctx, "variables": dict(ctx.get("variables", {}))}
        original({**state_def, "Assign": {name: template}}, raw_input, scope, result, error_output)
        assigned[name] = scope["variables"][name]
    ctx.setdefault("variables", {}).update(assigned)
