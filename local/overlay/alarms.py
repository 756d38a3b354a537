"""CloudWatch: an event for every change of an alarm's state, and its moment; alarms in templates that compute.

Plain ministack tells SNS of it, but not EventBridge, where a release's guard listens. It knows the moment of a
composite alarm alone, in whole seconds: a release would take what went red after its lease for what was red before.
It refuses a stack with an alarm that computes. Here one is created and described; nothing but SetAlarmState changes it.
"""

import time
from datetime import datetime, timezone

from ministack.services import cloudwatch
from ministack.services.cloudformation import provisioners

from . import events
from .wrap import wrap


@wrap(cloudwatch, "_dispatch_alarm_actions")
def announce(original, alarm: dict, old_state: str, new_state: str, reason: str) -> None:
    # Sent whether or not the alarm's actions are enabled: those are something else.
    alarm["StateTransitionedTimestamp"] = time.time()
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "+0000")
    detail = {
        "alarmName": alarm["AlarmName"],
        "configuration": {"description": alarm.get("AlarmDescription") or "", **_metrics(alarm)},
        "previousState": {"value": old_state},
        "state": {"value": new_state, "reason": reason, "timestamp": now},
    }
    if "StateReasonData" in alarm:
        detail["state"]["reasonData"] = alarm["StateReasonData"]
    events.publish("aws.cloudwatch", "CloudWatch Alarm State Change", detail, [alarm["AlarmArn"]])
    original(alarm, old_state, new_state, reason)


@wrap(provisioners, "_cw_metric_alarm_record")
def computing(original, name: str, props: dict) -> dict:
    if not props.get("Metrics"):
        return original(name, props)
    of_one_metric = {"MetricName": "none", "Namespace": "none", **props, "Metrics": None}
    alarm = original(name, of_one_metric)
    # What an alarm of one metric has beside.
    for key in ("MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Period", "Dimensions", "Unit"):
        del alarm[key]
    return {**alarm, "Metrics": props["Metrics"]}


def _metrics(alarm: dict) -> dict:
    if "AlarmRule" in alarm:
        return {"alarmRule": alarm["AlarmRule"]}
    if "Metrics" in alarm:
        return {"metrics": [_computed(query) for query in alarm["Metrics"]]}
    statistic = {"metric": _metric(alarm), "period": alarm.get("Period"), "stat": alarm.get("Statistic")}
    return {"metrics": [{"id": "m1", "metricStat": statistic, "returnData": True}]}


def _computed(query: dict) -> dict:
    """One query of an alarm that computes, as events have it."""
    told = {"id": query["Id"], "returnData": query.get("ReturnData", True)}
    if "Expression" in query:
        return {**told, "expression": query["Expression"]}
    asked = query["MetricStat"]
    statistic = {"metric": _metric(asked["Metric"]), "period": asked["Period"], "stat": asked["Stat"]}
    return {**told, "metricStat": statistic}


def _metric(of: dict) -> dict:
    dimensions = {dimension["Name"]: dimension["Value"] for dimension in of.get("Dimensions") or []}
    return {"namespace": of.get("Namespace"), "name": of.get("MetricName"), "dimensions": dimensions}
