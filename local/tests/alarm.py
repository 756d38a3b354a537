"""An alarm of CloudWatch that only changes when somebody sets it."""


def create(cloud, name: str):
    """Creates it; returns what sets its state."""
    client = cloud.client("cloudwatch")
    client.put_metric_alarm(
        AlarmName=name,
        Namespace="Shop",
        MetricName="Errors",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )

    def to(state: str, reason: str = "by the test") -> None:
        client.set_alarm_state(AlarmName=name, StateValue=state, StateReason=reason)

    return to
