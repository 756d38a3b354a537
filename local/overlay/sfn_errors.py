"""Step Functions: error names and retries as a Retry and a Catch see them on AWS.

Plain ministack calls a throttled function `Lambda.Unknown`, lets `States.ALL` catch what AWS lets nothing
catch, ignores `MaxDelaySeconds`, and waits for a task token after the function that should return it failed.
"""

import contextvars
import random

from ministack.services import stepfunctions as sfn

from .wrap import need, wrap

need(sfn, "_ExecutionError", "_task_tokens")

_UNCATCHABLE = {"States.Runtime", "States.DataLimitExceeded"}
_token: contextvars.ContextVar[str | None] = contextvars.ContextVar("task token", default=None)


@wrap(sfn, "_call_lambda")
def name_the_error(original, func_ref, event):
    try:
        return original(func_ref, event)
    except sfn._ExecutionError as error:
        if "TooManyRequestsException" in error.cause and error.error == "Lambda.Unknown":
            error = sfn._ExecutionError("Lambda.TooManyRequestsException", error.cause)
        waiting = sfn._task_tokens.get(_token.get())
        if waiting:
            waiting["error"] = {"Error": error.error, "Cause": error.cause}
            waiting["event"].set()
        raise error from None


@wrap(sfn, "_invoke_with_callback")
def fail_with_the_function(original, resource, input_data, token, state_def):
    reset = _token.set(token)
    try:
        return original(resource, input_data, token, state_def)
    finally:
        _token.reset(reset)


@wrap(sfn, "_error_matches")
def not_everything(original, error_equals: list, error: str) -> bool:
    if error in _UNCATCHABLE:
        return error in error_equals
    return original(error_equals, error)


@wrap(sfn, "_find_matching_retrier")
def delays(original, retriers: list, error: str, retry_counts: dict):
    retrier, index = original(retriers, error, retry_counts)
    if retrier is None:
        return retrier, index
    backoff = retrier.get("BackoffRate", 2.0) ** retry_counts.get(index, 0)
    delay = min(retrier.get("IntervalSeconds", 1) * backoff, retrier.get("MaxDelaySeconds", float("inf")))
    if retrier.get("JitterStrategy") == "FULL":
        delay = random.uniform(0, delay)
    return {**retrier, "IntervalSeconds": delay, "BackoffRate": 1}, index
