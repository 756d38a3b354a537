"""CloudWatch: how many requests a load balancer sent to each target group, minute by minute.

Plain ministack counts none. The metric has AWS's names and dimensions, and minutes are real ones, however short the
minutes of deployments are. What is counted can be read at once; AWS takes its time. Health checks go to targets
past the load balancer, so that they do not count. A group that gets no request has no datum.
"""

import threading
import time

from ministack.core.responses import get_region
from ministack.services import alb, cloudwatch

from .wrap import need

need(alb, "_targets")
need(cloudwatch, "_metric_bucket", "_dims_key", "record_metric")

_NAMESPACE, _METRIC = "AWS/ApplicationELB", "RequestCount"
_counting = threading.Lock()


def count(balancer: str, group: str) -> None:
    """Counts one request that a load balancer sends to a target group with targets."""
    if not alb._targets.get(group):
        return
    of = {"LoadBalancer": balancer.partition(":loadbalancer/")[2], "TargetGroup": group.rpartition(":")[2]}
    with _counting:
        _add(of)
        _add({**of, "AvailabilityZone": f"{get_region()}a"})


def _add(dimensions: dict[str, str]) -> None:
    points = cloudwatch._metric_bucket((_NAMESPACE, _METRIC, cloudwatch._dims_key(dimensions)))
    minute = time.time() // 60 * 60
    if points and points[-1]["Timestamp"] == minute:
        points[-1]["Value"] += 1
    else:
        cloudwatch.record_metric(_NAMESPACE, _METRIC, 1, "Count", dimensions)
        points[-1]["Timestamp"] = minute
