"""Step Functions: a Task that hands a call over to Lambda goes on at once, whatever becomes of the call.

Plain ministack overlooks the `InvocationType` of a Task, waits for the function and fails with it.  As on AWS
Lambda then calls again by itself, and keeps what failed each time.
"""

from ministack.services import lambda_svc
from ministack.services import stepfunctions as sfn

from .wrap import need, wrap

need(sfn, "_resolve_lambda_function_ref", "_ExecutionError")
need(lambda_svc, "_get_func_record_for_ref", "_execution_record_for_config", "invoke_async_with_retry")


@wrap(sfn, "_invoke_resource")
def hand_over(original, resource, input_data):
    if "states:::lambda:invoke" not in resource or input_data.get("InvocationType") != "Event":
        return original(resource, input_data)
    reference = sfn._resolve_lambda_function_ref(input_data.get("FunctionName", ""), optimized=True)
    function, config, name = lambda_svc._get_func_record_for_ref(reference)
    if not function or not config:
        raise sfn._ExecutionError("Lambda.ResourceNotFoundException", f"Function not found: {name}")
    record = lambda_svc._execution_record_for_config(function, config)
    lambda_svc.invoke_async_with_retry(record, input_data.get("Payload", {}))
    return {"StatusCode": 202, "Payload": ""}
