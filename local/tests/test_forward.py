"""ELBv2: a listener forwards to target groups by weight, and its requests are counted."""

import threading
import time
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from balancer import Balancer, Client, ask
from cloud import Cloud


@pytest.fixture
def balancer(cloud, name):
    """A load balancer whose groups have one target each, which answers with the colour of its group."""
    balancer = Balancer(cloud, name, port=8080)
    servers = [_answering(colour) for colour in ("blue", "green")]
    for group, server in zip((balancer.blue, balancer.green), servers):
        target = {"Id": "127.0.0.1", "Port": server.server_port}
        balancer.elbv2.register_targets(TargetGroupArn=group, Targets=[target])
    yield balancer
    for server in servers:
        server.shutdown()


def _answering(text: str) -> ThreadingHTTPServer:
    class Answer(BaseHTTPRequestHandler):
        def do_POST(self):
            told = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(f"{text}{self.path[1:]}".encode() + told)

        do_GET = do_POST

        def log_message(self, *_):
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def forward(**weights: int) -> list[dict]:
    groups = [{"TargetGroupArn": group, "Weight": weight} for group, weight in weights.items()]
    return [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]


def test_weights_are_shown_and_obeyed_after_a_moment(balancer):
    [listener] = [
        each
        for each in balancer.elbv2.describe_listeners(LoadBalancerArn=balancer.arn)["Listeners"]
        if each["Port"] == 8000
    ]
    assert listener["DefaultActions"][0]["ForwardConfig"]["TargetGroups"][1]["Weight"] == 0
    with Client(balancer.production) as client:
        time.sleep(0.3)
        half = forward(**{balancer.blue: 1, balancer.green: 1})
        changed = time.monotonic()
        balancer.elbv2.modify_listener(ListenerArn=listener["ListenerArn"], DefaultActions=half)
        assert balancer.weights(balancer.production_rule) == {balancer.blue: 1, balancer.green: 1}
        time.sleep(2.5)
    assert {answer for at, answer in client.answers if at < changed + 0.8} == {"blue"}
    assert 0.15 < client.share("green", changed + 1.1) < 0.85


def test_a_rule_forwards_what_it_matches(balancer):
    listeners = balancer.elbv2.describe_listeners(LoadBalancerArn=balancer.arn)["Listeners"]
    conditions = [{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/new*"]}}]
    alone = [{"Type": "forward", "TargetGroupArn": balancer.green}]
    rule = balancer.elbv2.create_rule(
        ListenerArn=listeners[0]["ListenerArn"], Priority=1, Conditions=conditions, Actions=alone
    )["Rules"][0]
    # One group by itself has a weight, too.
    assert balancer.weights(rule["RuleArn"]) == {balancer.green: 1}
    url = f"http://{balancer.address}:{listeners[0]['Port']}"
    assert [ask(f"{url}/"), ask(f"{url}/new?a=b")] == ["blue", "greennew?a=b"]
    balancer.elbv2.modify_rule(
        RuleArn=rule["RuleArn"], Actions=forward(**{balancer.blue: 0, balancer.green: 0})
    )
    time.sleep(1.1)
    assert ask(f"{url}/new").startswith("<50")


def test_requests_are_counted_for_each_group_and_minute(cloud, balancer):
    balancer.elbv2.describe_target_health(TargetGroupArn=balancer.green)
    answers = [ask(balancer.production) for _ in range(5)] + [ask(balancer.test) for _ in range(2)]
    assert answers == ["blue"] * 7
    now = datetime.now(timezone.utc)
    span = {"StartTime": now - timedelta(minutes=2), "EndTime": now + timedelta(minutes=1)}

    def counted(group: str, **more) -> float:
        of = {"LoadBalancer": balancer.arn.partition("loadbalancer/")[2], "TargetGroup": group.rpartition(":")[2]}
        dimensions = [{"Name": each, "Value": value} for each, value in {**of, **more}.items()]
        metric = {"Namespace": "AWS/ApplicationELB", "MetricName": "RequestCount", "Dimensions": dimensions}
        query = {"Id": "all", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}
        [result] = cloud.client("cloudwatch").get_metric_data(MetricDataQueries=[query], **span)[
            "MetricDataResults"
        ]
        assert all(at.second == 0 for at in result["Timestamps"])
        return sum(result["Values"])

    assert counted(balancer.blue) == counted(balancer.blue, AvailabilityZone=f"{cloud.region}a") == 7
    assert counted(balancer.green) == 0


def test_a_listener_that_is_gone_answers_no_more(balancer):
    assert ask(balancer.production) == "blue"
    for listener in balancer.elbv2.describe_listeners(LoadBalancerArn=balancer.arn)["Listeners"]:
        balancer.elbv2.delete_listener(ListenerArn=listener["ListenerArn"])
    assert "refused" in ask(balancer.production)


def test_two_local_aws_listen_at_the_same_port(tmp_path, balancer):
    with Cloud(tmp_path) as other:
        apart = Balancer(other, "apart", port=8080)
        assert apart.address != balancer.address
        assert (ask(apart.production), ask(balancer.production)) == ("<503>", "blue")
    assert "refused" in ask(apart.production)
