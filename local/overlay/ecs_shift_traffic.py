"""ECS: traffic, which goes where the listener rules of a service send it.

ECS keeps no memory of its own: it reads from the production rule's weights which target group is live, so that a
rule that somebody reset has new tasks join the old ones in one group, and nothing fails.
"""

from ministack.services import alb

from . import elb_forward
from .wrap import need

need(alb, "_rules")

PRODUCTION, TEST = "productionListenerRule", "testListenerRule"
_UNFIT = (
    "Service deployment rolled back because of invalid networking configuration. Both targetGroup and "
    "alternateTargetGroup must be associated with the productionListenerRule or testListenerRule."
)
_MIXED = "Service deployment rolled back because {rule} has actions other than forward."


def both(balancer: dict) -> list[str]:
    """The two target groups of a load balancer, or the one that it has."""
    groups = (balancer.get("targetGroupArn"), _advanced(balancer).get("alternateTargetGroupArn"))
    return [group for group in groups if group]


def dark(balancer: dict) -> str | None:
    """The target group that production traffic does not go to."""
    weights = _weights(_advanced(balancer).get(PRODUCTION))
    # The alternate one comes last, which is where the tasks go if neither is live.
    return min(both(balancer), key=lambda group: (weights.get(group, 0), -both(balancer).index(group)), default=None)


def problem(service: dict) -> str | None:
    """Why ECS rolls a deployment back before it begins, if it does."""
    for balancer in service["loadBalancers"]:
        rules = [_advanced(balancer)[kind] for kind in (PRODUCTION, TEST) if kind in _advanced(balancer)]
        for rule in rules:
            if any(action["Type"] != "forward" for action in _actions(rule)):
                return _MIXED.format(rule=rule)
        if not set(both(balancer)) <= {group for rule in rules for group in _weights(rule)}:
            return _UNFIT
    return None


def send(service: dict, kind: str, groups: list[str], percent: float) -> None:
    """Makes the rules of a kind send a share of the traffic to these target groups, and the rest to the others."""
    for balancer, group in zip(service["loadBalancers"], groups):
        rule = alb._rules.get(_advanced(balancer).get(kind))
        if rule is None:
            continue
        new, old = _as_weights(percent)
        weights = {each: new if each == group else old for each in both(balancer)}
        elb_forward.change(rule, elb_forward.forward(weights))


def _as_weights(percent: float) -> tuple[int, int]:
    # Percentages of ECS may have a decimal place, weights of a rule have none.
    total = 100 if percent == int(percent) else 900
    share = round(total * percent / 100)
    return share, total - share


def _weights(rule: str | None) -> dict[str, int]:
    weights: dict[str, int] = {}
    for action in _actions(rule):
        for group in action.get("ForwardConfig", {}).get("TargetGroups", []):
            weights[group["TargetGroupArn"]] = group["Weight"]
    return weights


def _actions(rule: str | None) -> list[dict]:
    return alb._rules.get(rule, {}).get("Actions", [])


def _advanced(balancer: dict) -> dict:
    return balancer.get("advancedConfiguration") or {}
