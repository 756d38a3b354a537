"""ECS: lifecycle hooks of type PAUSE, at which a service deployment waits for an answer.

All hooks of a stage wait at the same time. Each needs a CONTINUE, or a time-out that means one; a single ROLLBACK
ends the deployment. Hooks of type AWS_LAMBDA are refused when a service names one.
"""

import math
import secrets
import time

from . import ecs_events
from .ecs_shift_deployments import MINUTE, RollBack, ServiceDeployment, now

_DEFAULT_TIMEOUT = {"timeoutInMinutes": 1440, "action": "ROLLBACK"}
_REFUSED = "Service deployment rolled back because the lifecycle hook {} was answered with ROLLBACK."
_TIMED_OUT = "Service deployment rolled back because the lifecycle hook {} timed out."


def pass_gates(deployment: ServiceDeployment) -> None:
    """Waits until each hook of the deployment's stage lets it go on."""
    for hook in deployment.configuration.get("lifecycleHooks", []):
        if deployment.stage in hook["lifecycleStages"]:
            _open(deployment, hook.get("timeoutConfiguration", {}))
    deployment.wait(math.inf, lambda: _all_passed(deployment))


def answer(deployment: ServiceDeployment, hook_id: str, action: str) -> bool:
    """Answers a hook; says whether that hook waited."""
    hook = next((each for each in deployment.hooks if each["hookId"] == hook_id), None)
    if hook is None or deployment.status != "IN_PROGRESS" or hook["status"] != "AWAITING_ACTION":
        return False
    if action == "ROLLBACK" and not deployment.become("ROLLBACK_REQUESTED", _REFUSED.format(hook_id)):
        return False
    _end(deployment, hook, "SUCCEEDED" if action == "CONTINUE" else "FAILED")
    deployment.wake()
    return True


def _open(deployment: ServiceDeployment, timeout: dict) -> None:
    timeout = {**_DEFAULT_TIMEOUT, **timeout}
    hook = {
        "hookId": f"ecs-pause-{secrets.token_urlsafe(32)}",
        "targetType": "PAUSE",
        "status": "AWAITING_ACTION",
        "expiresAt": now() + timeout["timeoutInMinutes"] * MINUTE,
        "timeoutAction": timeout["action"],
    }
    deployment.hooks.append(hook)
    ecs_events.announce_hook(deployment, hook)


def _all_passed(deployment: ServiceDeployment) -> bool:
    for hook in deployment.hooks:
        if hook["status"] == "AWAITING_ACTION" and time.time() >= hook["expiresAt"]:
            _end(deployment, hook, "TIMED_OUT")
            if hook["timeoutAction"] == "ROLLBACK":
                raise RollBack(_TIMED_OUT.format(hook["hookId"]))
    return all(hook["status"] != "AWAITING_ACTION" for hook in deployment.hooks)


def _end(deployment: ServiceDeployment, hook: dict, status: str) -> None:
    hook["status"] = status
    ecs_events.announce_hook(deployment, hook)
