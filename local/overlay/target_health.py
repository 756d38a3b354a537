"""ELBv2: target health is looked at, not assumed.

Plain ministack calls every target healthy, even a dead port. Here DescribeTargetHealth requests the target
group's health check path from each target when asked: one look decides, there are no intervals to wait for.
"""

import asyncio
import http.client
import socket
from concurrent.futures import ThreadPoolExecutor
from xml.sax.saxutils import escape

from ministack.services import alb

from .wrap import Response, need, wrap

need(alb, "_tgs", "_targets", "_xml", "_p", "_parse_targets_param")

_TIMEOUT = 1.0
Health = tuple[str, str, str]


def look(group: dict, address: str | None, port: int | None) -> Health:
    """What the health check of a target group says about one target now: state, reason, description."""
    if group["HealthCheckPort"] != "traffic-port":
        port = int(group["HealthCheckPort"])
    if address is None:
        return "unhealthy", "Target.FailedHealthChecks", "Health checks failed"
    timeout = min(group["HealthCheckTimeoutSeconds"], _TIMEOUT)
    try:
        if group["HealthCheckProtocol"] == "TCP":
            socket.create_connection((address, port), timeout).close()
            return "healthy", "", ""
        connection = http.client.HTTPConnection(address, port or group["Port"], timeout=timeout)
        connection.request("GET", group["HealthCheckPath"])
        code = connection.getresponse().status
        connection.close()
    except TimeoutError:
        return "unhealthy", "Target.Timeout", "Request timed out"
    except (OSError, http.client.HTTPException):
        return "unhealthy", "Target.FailedHealthChecks", "Health checks failed"
    if _matches(group["Matcher"]["HttpCode"], code):
        return "healthy", "", ""
    return "unhealthy", "Target.ResponseCodeMismatch", f"Health checks failed with these codes: [{code}]"


def _matches(matcher: str, code: int) -> bool:
    for part in matcher.split(","):
        low, _, high = part.partition("-")
        if int(low) <= code <= int(high or low):
            return True
    return False


@wrap(alb, "_describe_target_health")
def describe(original, params: dict) -> Response:
    group = alb._tgs.get(alb._p(params, "TargetGroupArn"))
    if group is None:
        return original(params)
    registered = alb._targets.get(group["TargetGroupArn"], [])
    asked = alb._parse_targets_param(params)
    known = {target["Id"] for target in registered}
    wanted = {target["Id"] for target in asked} or known
    present = [target for target in registered if target["Id"] in wanted]
    with ThreadPoolExecutor(max_workers=32) as pool:
        states = list(pool.map(lambda target: look(group, target["Id"], target.get("Port")), present))
    members = [_member(group, target, health) for target, health in zip(present, states)]
    absent = ("unused", "Target.NotRegistered", "Target is not registered to the target group")
    members += [_member(group, target, absent) for target in asked if target["Id"] not in known]
    descriptions = f"<TargetHealthDescriptions>{''.join(members)}</TargetHealthDescriptions>"
    return alb._xml(200, "DescribeTargetHealth", descriptions)


def _member(group: dict, target: dict, health: Health) -> str:
    port = target.get("Port") or group["Port"]
    tags = zip(("State", "Reason", "Description"), health)
    inner = "".join(f"<{tag}>{escape(text)}</{tag}>" for tag, text in tags if text)
    return (
        f"<member><Target><Id>{target['Id']}</Id><Port>{port}</Port></Target>"
        f"<HealthCheckPort>{port}</HealthCheckPort><TargetHealth>{inner}</TargetHealth></member>"
    )


@wrap(alb, "handle_request")
async def off_the_loop(original, method, path, headers, body, query_params) -> Response:
    """Runs ELBv2 requests on threads: a target that asks this server something must not wait for itself."""
    return await asyncio.to_thread(asyncio.run, original(method, path, headers, body, query_params))
