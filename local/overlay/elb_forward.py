"""ELBv2: a forward action names several target groups, each with a weight.

Plain ministack knows one target group per action. Here `ForwardConfig.TargetGroups` is read, shown and obeyed, in
listeners and in rules. A change of a rule takes effect after a second, so that nobody may count on it at once.
Stickiness is not played.
"""

import random
import time

from ministack.services import alb

from . import elb_forward_counts
from .wrap import Response, need, wrap

need(alb, "_p", "_rules", "_listeners")

LAG = 1.0
# After so long no request is under way any more to where the rule sent it before: ECS lets targets drain, too.
DRAINED = LAG + 0.5


class Actions(list):
    """The actions of a rule that was changed, with those that still apply until the change takes effect."""

    def __init__(self, actions: list[dict], replaced: list[dict]) -> None:
        super().__init__(actions)
        self.replaced, self.due = in_effect(replaced), time.monotonic() + LAG


def in_effect(actions: list[dict]) -> list[dict]:
    """The actions that apply now, given those that a rule shows."""
    waits = isinstance(actions, Actions) and time.monotonic() < actions.due
    return actions.replaced if waits else actions


def change(rule: dict, actions: list[dict]) -> None:
    """Gives a rule other actions; those of a default rule are its listener's, too."""
    rule["Actions"] = Actions(actions, rule["Actions"])
    if rule["IsDefault"]:
        alb._listeners[rule["ListenerArn"]]["DefaultActions"] = rule["Actions"]


def forward(weights: dict[str, int]) -> list[dict]:
    """The actions that forward to target groups by weight."""
    groups = [{"TargetGroupArn": group, "Weight": weight} for group, weight in weights.items()]
    return [{"Type": "forward", "Order": 1, "ForwardConfig": {"TargetGroups": groups}}]


@wrap(alb, "_parse_actions")
def with_weights(original, params, prefix="DefaultActions") -> list[dict]:
    actions = original(params, prefix)
    for number, action in enumerate(actions, 1):
        groups = _groups(params, f"{prefix}.member.{number}.ForwardConfig.TargetGroups")
        if action["Type"] == "forward" and not groups and "TargetGroupArn" in action:
            groups = [{"TargetGroupArn": action["TargetGroupArn"], "Weight": 1}]
        if groups:
            action["ForwardConfig"] = {"TargetGroups": groups}
        if len(groups) == 1:
            action["TargetGroupArn"] = groups[0]["TargetGroupArn"]
    return actions


def _groups(params: dict, prefix: str) -> list[dict]:
    groups = []
    while arn := alb._p(params, f"{prefix}.member.{len(groups) + 1}.TargetGroupArn"):
        weight = alb._p(params, f"{prefix}.member.{len(groups) + 1}.Weight", "1")
        groups.append({"TargetGroupArn": arn, "Weight": int(weight)})
    return groups


@wrap(alb, "_action_xml")
def show_weights(original, a) -> str:
    shown = original(a)
    if "ForwardConfig" not in a:
        return shown
    groups = "".join(
        f"<member><TargetGroupArn>{group['TargetGroupArn']}</TargetGroupArn><Weight>{group['Weight']}</Weight></member>"
        for group in a["ForwardConfig"]["TargetGroups"]
    )
    config = f"<ForwardConfig><TargetGroups>{groups}</TargetGroups></ForwardConfig>"
    return f"{shown.removesuffix('</member>')}{config}</member>"


@wrap(alb, "_modify_rule")
def a_changed_rule_lags(original, params) -> Response:
    rule = alb._rules.get(alb._p(params, "RuleArn"))
    before = rule["Actions"] if rule else None
    response = original(params)
    if rule and rule["Actions"] is not before:
        rule["Actions"] = Actions(rule["Actions"], before)
    return response


@wrap(alb, "_modify_listener")
def a_changed_listener_lags(original, params) -> Response:
    arn = alb._p(params, "ListenerArn")
    default = [rule for rule in alb._rules.values() if rule["ListenerArn"] == arn and rule["IsDefault"]]
    before = [rule["Actions"] for rule in default]
    response = original(params)
    for rule, actions in zip(default, before):
        if rule["Actions"] is not actions:
            rule["Actions"] = Actions(rule["Actions"], actions)
    return response


@wrap(alb, "_execute_actions")
async def by_weight(
    original,
    actions,
    method,
    path,
    headers,
    body,
    query_params,
    listener_port=80,
    lb_arn="",
    target_host=None,
    raw_query_string=None,
    raw_path=None,
) -> Response:
    drawn = [_drawn(action) for action in in_effect(actions)]
    for action in drawn:
        if action["Type"] == "forward":
            elb_forward_counts.count(lb_arn, action["TargetGroupArn"])
    request = (method, path, headers, body, query_params, listener_port)
    return await original(drawn, *request, lb_arn, target_host, raw_query_string, raw_path)


def _drawn(action: dict) -> dict:
    """A forward action with one of its target groups, drawn by weight."""
    groups = action.get("ForwardConfig", {}).get("TargetGroups", [])
    weights = [group["Weight"] for group in groups]
    if not any(weights):
        return {"TargetGroupArn": "", **action}
    [group] = random.choices(groups, weights)
    return {**action, "TargetGroupArn": group["TargetGroupArn"]}
