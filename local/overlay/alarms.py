"""CloudWatch: an event for every change of an alarm's state, and its moment.

Plain ministack tells SNS of it, but not EventBridge, where a release's guard listens. It knows the moment of a
composite alarm alone, in whole seconds: a release would take what went red after its lease for what was red before.
"""

import time
from datetime import datetime, timezone

from ministack.services import cloudwatch

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


def _metrics(alarm: dict) -> dict:
    if "AlarmRule" in alarm:
        return {"alarmRule": alarm["AlarmRule"]}
    dimensions = {dimension["Name"]: dimension["Value"] for dimension in alarm.get("Dimensions") or []}
    metric = {
        "namespace": alarm.get("Namespace"),
        "name": alarm.get("MetricName"),
        "dimensions": dimensions,
    }
    statistic = {"metric": metric, "period": alarm.get("Period"), "stat": alarm.get("Statistic")}
    return {"metrics": [{"id": "m1", "metricStat": statistic, "returnData": True}]}
