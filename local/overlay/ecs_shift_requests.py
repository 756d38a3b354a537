"""ECS: deployment configurations that AWS refuses, and those that the local AWS cannot play.

Plain ministack stores any. What AWS plays and this does not is an UnsupportedFeatureException: a Lambda hook, Service
Connect, a Network Load Balancer.
"""

from collections.abc import Iterator

from ministack.core.responses import error_response_json
from ministack.services import ecs

from .ecs_shift_revisions import STRATEGIES
from .wrap import Response, wrap

_INVALID, _NOT_PLAYED = "InvalidParameterException", "UnsupportedFeatureException"
_STAGES = {
    *("RECONCILE_SERVICE", "PRE_SCALE_UP", "POST_SCALE_UP", "TEST_TRAFFIC_SHIFT", "POST_TEST_TRAFFIC_SHIFT"),
    *("PRE_PRODUCTION_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT", "POST_PRODUCTION_TRAFFIC_SHIFT"),
}
# These come again in a rollback, which must not wait.
_NO_PAUSE = {"TEST_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT"}
_MOST_HOOKS = 10
_LONGEST_TIMEOUT = 20160


@wrap(ecs, "_dispatch_action")
def refuse(original, action: str, data: dict) -> Response:
    asked = action in ("CreateService", "UpdateService")
    problem = next(_problems(data), None) if asked else None
    return error_response_json(*problem, 400) if problem else original(action, data)


def _problems(data: dict) -> Iterator[tuple[str, str]]:
    configuration = data.get("deploymentConfiguration", {})
    strategy = configuration.get("strategy", "ROLLING")
    if strategy not in ("ROLLING", *STRATEGIES):
        yield _INVALID, f"Invalid deployment strategy: {strategy}."
    if strategy == "BLUE_GREEN" and "bakeTimeInMinutes" not in configuration:
        yield _INVALID, "bakeTimeInMinutes must be specified for the BLUE_GREEN deployment strategy."
    if strategy in STRATEGIES and data.get("serviceConnectConfiguration", {}).get("enabled"):
        yield _NOT_PLAYED, "The local AWS shifts no traffic of Service Connect."
    for balancer in data.get("loadBalancers", []):
        rules = balancer.get("advancedConfiguration", {})
        for rule in (rules.get("productionListenerRule", ""), rules.get("testListenerRule", "")):
            if ":listener/net/" in rule:
                yield _NOT_PLAYED, "The local AWS shifts no traffic of Network Load Balancers."
            if ":listener/app/" in rule:
                yield _INVALID, f"A listener rule of an Application Load Balancer is expected. Got: {rule}"
    hooks = configuration.get("lifecycleHooks", [])
    if len(hooks) > _MOST_HOOKS:
        yield _INVALID, f"lifecycleHooks cannot have more than {_MOST_HOOKS} PAUSE hooks."
    for hook in hooks:
        yield from _problems_of(hook)


def _problems_of(hook: dict) -> Iterator[tuple[str, str]]:
    kind, stages = hook.get("targetType", "AWS_LAMBDA"), hook.get("lifecycleStages", [])
    if kind == "AWS_LAMBDA" and not hook.get("hookTargetArn"):
        yield _INVALID, "hookTargetArn must be specified for an AWS_LAMBDA lifecycle hook."
    if kind == "AWS_LAMBDA":
        yield _NOT_PLAYED, "The local AWS calls no Lambda hooks."
    if not stages or not set(stages) <= _STAGES:
        yield _INVALID, f"Invalid lifecycle stages: {stages}."
    if paused := sorted(_NO_PAUSE.intersection(stages)):
        yield _INVALID, f"PAUSE lifecycle hooks are not supported at {', '.join(paused)}."
    minutes = hook.get("timeoutConfiguration", {}).get("timeoutInMinutes", 1)
    if not 1 <= minutes <= _LONGEST_TIMEOUT:
        yield _INVALID, f"timeoutInMinutes must be between 1 and {_LONGEST_TIMEOUT}."
