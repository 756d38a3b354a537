"""Target groups, a load balancer in front of a service whose traffic ECS shifts, and a client that asks it all the time.

balancer = Balancer(cloud, "dev-users", port=8080)
with Client(balancer.production) as client: ...
"""

import threading
import time
import urllib.error
import urllib.request

_PRODUCTION, _TEST = 8000, 8001


def target_group(elbv2, name: str, port: int) -> str:
    """Creates a target group that looks at the health of tasks; returns its ARN."""
    groups = elbv2.create_target_group(
        Name=name[:32].strip("-"),
        Protocol="HTTP",
        Port=port,
        TargetType="ip",
        VpcId="vpc-1",
        HealthCheckPath="/health",
        HealthCheckIntervalSeconds=5,
        HealthyThresholdCount=2,
        UnhealthyThresholdCount=2,
    )
    return groups["TargetGroups"][0]["TargetGroupArn"]


class Balancer:
    """Two target groups behind a production listener and a test listener; the first group is live."""

    def __init__(self, cloud, name: str, port: int) -> None:
        self.elbv2, self.port = cloud.client("elbv2"), port
        made = self.elbv2.create_load_balancer(Name=name, Subnets=["subnet-1", "subnet-2"])
        [balancer] = made["LoadBalancers"]
        self.arn, self.address = balancer["LoadBalancerArn"], balancer["DNSName"]
        groups = (target_group(self.elbv2, f"{name}-{colour}", port) for colour in ("blue", "green"))
        self.blue, self.green = groups
        self.production_rule, self.test_rule = self._listen(_PRODUCTION), self._listen(_TEST)
        self.production, self.test = (f"http://{self.address}:{each}/" for each in (_PRODUCTION, _TEST))

    def behind(self, container: str) -> dict:
        """The entry of this load balancer in a service."""
        return {
            "targetGroupArn": self.blue,
            "containerName": container,
            "containerPort": self.port,
            "advancedConfiguration": {
                "alternateTargetGroupArn": self.green,
                "productionListenerRule": self.production_rule,
                "testListenerRule": self.test_rule,
                "roleArn": "arn:aws:iam::123456789012:role/ecs-infrastructure",
            },
        }

    def reset(self, live: str) -> None:
        """Sends production traffic to one group, as infrastructure code does that knows of no shift."""
        self.elbv2.modify_listener(ListenerArn=self._listener(_PRODUCTION), DefaultActions=self._actions(live))

    def weights(self, rule: str) -> dict[str, int]:
        """The weight of each target group in a rule."""
        [found] = self.elbv2.describe_rules(RuleArns=[rule])["Rules"]
        groups = found["Actions"][0]["ForwardConfig"]["TargetGroups"]
        return {group["TargetGroupArn"]: group["Weight"] for group in groups}

    def targets(self, group: str) -> list[str]:
        """The addresses that are registered in a group."""
        found = self.elbv2.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        return sorted(each["Target"]["Id"] for each in found)

    def _listen(self, port: int) -> str:
        """Creates a listener, and returns the ARN of its only rule."""
        self.elbv2.create_listener(
            LoadBalancerArn=self.arn, Protocol="HTTP", Port=port, DefaultActions=self._actions(self.blue)
        )
        return self.elbv2.describe_rules(ListenerArn=self._listener(port))["Rules"][0]["RuleArn"]

    def _listener(self, port: int) -> str:
        listeners = self.elbv2.describe_listeners(LoadBalancerArn=self.arn)["Listeners"]
        return next(each["ListenerArn"] for each in listeners if each["Port"] == port)

    def _actions(self, live: str) -> list[dict]:
        weights = [
            {"TargetGroupArn": group, "Weight": 100 * (group == live)} for group in (self.blue, self.green)
        ]
        return [{"Type": "forward", "ForwardConfig": {"TargetGroups": weights}}]


class Client:
    """Asks one address again and again, from `start` to `stop`, and keeps every answer."""

    def __init__(self, url: str, pause: float = 0.01) -> None:
        self.url, self.pause = url, pause
        self.answers: list[tuple[float, str]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True, name=f"client of {url}")

    def __enter__(self) -> "Client":
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._ended.set()
        self._thread.join()

    def heard(self, since: float = 0.0) -> set[str]:
        """The different answers since a moment of `time.monotonic()`."""
        return {answer for at, answer in list(self.answers) if at >= since}

    def share(self, answer: str, since: float) -> float:
        """The share of an answer in all of them since a moment."""
        answers = [each for at, each in list(self.answers) if at >= since]
        return answers.count(answer) / len(answers) if answers else 0.0

    def _ask(self) -> None:
        while not self._ended.wait(self.pause):
            at = time.monotonic()
            self.answers.append((at, ask(self.url)))


def ask(url: str) -> str:
    """What an address answers; the status or the fault in angle brackets if it is no success."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as refused:
        return f"<{refused.code}>"
    except OSError as fault:
        return f"<{fault}>"
