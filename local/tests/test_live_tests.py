"""Live tests: those that cannot be asked stop a release before it begins, and those that fail leave a record."""

import json
import platform
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import build
import canary
import stack
import watch
from service import PACK, SoleService, put


@pytest.fixture(scope="module")
def silent() -> Iterator[str]:
    """An address where a connection is neither taken nor refused: its queue is full, and the kernel drops the rest."""
    with ExitStack() as opened:
        listening = opened.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(2):
            waiting = opened.enter_context(socket.socket())
            waiting.settimeout(0.2)
            in_time = waiting.connect_ex(listening.getsockname()) == 0
        assert not in_time, "the queue took two connections"
        yield "{}:{}".format(*listening.getsockname())


@pytest.fixture(scope="module", autouse=True)
def unreachable(pipeline, silent):
    """A release whose live tests ask where nobody answers: the other tests use the half minute that it needs."""
    service = pipeline.service("unreachable")
    checks = [{"name": name, "http": {"url": f"http://{name}/"}} for name in (silent, "nowhere.invalid")]
    checks = [{**check, "name": f"check-{number}"} for number, check in enumerate(checks)]
    put(pipeline.cloud, "environments/unreachable/services/unreachable/tests", {"checks": checks})
    before = service.described()["deployments"][0]["id"], service.tagged("unreachable")
    digest = service.push("unreachable-1", "v2")["digest"]
    return service, before, watch.started_by_push(pipeline.cloud, pipeline.machine, digest, "unreachable-1")


@pytest.fixture
def service(pipeline, name):
    """A service of the test's own."""
    return pipeline.service(name)


def test_a_mistake_in_the_live_tests_is_found_before_the_service_is_touched(pipeline, service):
    name = service.environment
    put(pipeline.cloud, f"environments/{name}/services/{name}/tests", {"cheks": PACK["checks"]})
    before = service.described()["deployments"][0]["id"]
    run = pipeline.push(service, f"{name}-1", "v2").run
    assert run.outcome == "Refused" and "did you mean `checks`?" in run.cause
    assert service.described()["deployments"][0]["id"] == before


def test_a_crash_leaves_its_exit_code_and_its_last_line(pipeline, service):
    service.distrust()
    run = rolled_back(pipeline, service, "crashes")
    bundle = pipeline.row(run, "move#0#0")["bundle"]
    crashed = "(EssentialContainerExited); app exit code 1"
    assert any(line.endswith(crashed) for line in bundle["stopped"]), bundle
    assert any(line.endswith("fatal: crashes as baked in") for line in bundle["logs"]), bundle


def test_a_wrong_answer_leaves_what_was_logged(pipeline, service):
    run = rolled_back(pipeline, service, "answers-500")
    logs = pipeline.row(run, "move#0#0")["bundle"]["logs"]
    assert logs and not logs[0].startswith("logs: "), logs
    assert len(logs) <= 10 and max(map(len, logs)) <= 200


def test_a_journey_compares_what_one_step_answers_with_what_another_one_does(pipeline, service):
    name, task = service.environment, "http://${task.address}"
    version = {"name": "version", "url": f"{task}/version", "captures": {"version": {"json": "$.version"}}}
    greeting = {"name": "greeting", "url": f"{task}/", "contains": "hello from ${version}"}
    greeting |= {"headers": {"x-run": "${release.id}"}, "answerHeaders": {"content-type": "text/plain*"}}
    checks = {"checks": [{"name": "visit", "journey": [version, greeting]}]}
    put(pipeline.cloud, f"environments/{name}/services/{name}/tests", checks)
    good = pipeline.push(service, f"{name}-1", "v2").run
    assert good.outcome == "Deployed", good.cause
    bad = pipeline.push(service, f"{name}-2", "v3", behaviour="wrong-content").run
    assert bad.outcome == "RolledBack", bad.cause
    step = 'live test "visit" failed 1 of 1 times: step "greeting": GET http://'
    assert step in bad.cause and 'expected a body that contains "hello from v3"' in bad.cause
    assert list(service.answers().values()) == ["hello from v2"] * 2


class Neighbour(BaseHTTPRequestHandler):
    """Another system of the team, which knows a secret; it says it back to whoever does not."""

    def do_GET(self) -> None:  # noqa: N802 (the name is given)
        knows = self.headers["authorization"] == f"Bearer {canary.PACK_SECRET}"
        self.send_response(self.server.status if knows else 401)
        self.end_headers()
        self.wfile.write(f"not {canary.PACK_SECRET}".encode())

    def log_message(self, *_) -> None:
        pass


@pytest.fixture
def neighbour() -> Iterator[ThreadingHTTPServer]:
    """A server of the test's own, which answers with its `status`."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Neighbour) as server:
        server.status = 200
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_what_is_asked_before_keeps_a_bad_image_away_and_what_is_watched_rolls_one_back(pipeline, name, neighbour):
    service = pipeline.service(name, tests={"hosts": ["127.0.0.1"]})
    ssm = pipeline.cloud.client("ssm")
    ssm.put_parameter(Name=canary.PACK_PARAMETER, Value=canary.PACK_SECRET, Type="SecureString", Overwrite=True)
    at = "http://127.0.0.1:{}/".format(neighbour.server_address[1])
    known = {"url": at, "headers": {"authorization": "Bearer ${secret.token}"}}
    home = {"url": "http://${target.address}/", "contains": "hello"}
    checks = [
        {"name": "neighbour", "on": ["before"], "http": known},
        {"name": "often", "http": home, "attempts": 3, "passes": 2, "interval": "1s"},
        {"name": "watched", "on": ["bake"], "for": "3s", "interval": "1s", "http": known, "attempts": 2},
    ]
    pack = {"secrets": {"token": {"parameter": canary.PACK_PARAMETER}}, "checks": checks}
    put(pipeline.cloud, f"environments/{name}/services/{name}/tests", pack)
    good = pipeline.push(service, f"{name}-1", "v2").run
    assert good.outcome == "Deployed", good.cause
    kept = pipeline.row(good, "tests#0#0#after")
    assert (kept["phase"], kept["transcript"]["often"]["last"]["phase"]) == ("bake", "live")
    assert pipeline.row(good, "tests#0#0#before")["checks"]["neighbour"]["passed"] == 1

    neighbour.status, before = 503, service.described()["deployments"][0]["id"]
    refused = pipeline.push(service, f"{name}-2", "v3").run
    assert refused.outcome == "RolledBack", refused.cause
    assert 'live test "neighbour" failed 1 of 1 times: GET http://127.0.0.1' in refused.cause
    assert "got status 503" in refused.cause and "not ***" in refused.cause
    assert service.described()["deployments"][0]["id"] == before, "its service was touched"

    checks[0]["http"] = home | {"url": at, "status": 401, "contains": "not"}
    put(pipeline.cloud, f"environments/{name}/services/{name}/tests", pack)
    watched = pipeline.push(service, f"{name}-3", "v4").run
    assert watched.outcome == "RolledBack", watched.cause
    assert 'live test "watched" failed 2 of 2 times' in watched.cause
    assert list(service.answers().values()) == ["hello from v2"] * 2


def test_a_critical_finding_refuses_an_image_before_any_tag_moves_unless_it_is_excepted(pipeline, service):
    name = service.environment
    labels, rule = {"org.opencontainers.image.revision": "1a2b3c"}, {"below": "HIGH"}
    # The image is built for this machine, and the task definition does not say what that is.
    image = {"labels": labels, "platform": platform.machine() == "x86_64", "scan": rule}
    checks = [{"name": "image", "image": image}]
    put(pipeline.cloud, f"environments/{name}/services/{name}/tests", {"checks": checks})
    package = {"name": "openssl", "version": "3.0.1", "fixedInVersion": "3.0.2"}
    details = {"vulnerabilityId": "CVE-2024-1234", "vulnerablePackages": [package]}
    found = {"severity": "CRITICAL", "status": "ACTIVE", "packageVulnerabilityDetails": details}
    digest = service.push("scanned", "v2", commit="1a2b3c")["digest"]
    pipeline.cloud.scanned(digest, "ACTIVE", enhancedFindings=[found])
    before, tagged = service.described()["deployments"][0]["id"], service.tagged(name)
    refused = pipeline.push(service, f"{name}-1", "v2", commit="1a2b3c").run
    sentence = 'check "image": CRITICAL CVE-2024-1234 in openssl 3.0.1 (fixed in 3.0.2): expected nothing of HIGH'
    assert refused.outcome == "Refused" and sentence in refused.cause, refused.cause
    assert refused.states == ["OpenRelease", "IsAccepted", "Alert", "WhichOutcome", "Refused"]
    assert (service.described()["deployments"][0]["id"], service.tagged(name)) == (before, tagged)
    rule["except"] = ["CVE-2024-1234"]
    put(pipeline.cloud, f"environments/{name}/services/{name}/tests", {"checks": checks})
    passed = pipeline.push(service, f"{name}-2", "v2", commit="1a2b3c").run
    assert passed.outcome == "Deployed", passed.cause
    assert len(pipeline.cloud.calls(agent="tidegate-release", operation="DescribeImageScanFindings")) == 3


def test_an_image_that_the_profile_of_the_team_has_not_signed_is_refused_before_any_tag_moves(pipeline, service):
    name, cloud = service.environment, pipeline.cloud
    ours, theirs = (f"arn:aws:signer:eu-west-1:123456789012:/signing-profiles/{who}" for who in ("shop", "mall"))
    image = {"platform": False, "signature": {"ecr": {"profiles": [ours]}}}
    put(cloud, f"environments/{name}/services/{name}/tests", {"checks": [{"name": "signed", "image": image}]})
    digest = service.push("unsigned", "v2", commit="1a2b3c")["digest"]
    cloud.signed(digest, theirs)
    before, tagged = service.described()["deployments"][0]["id"], service.tagged(name)
    refused = pipeline.push(service, f"{name}-1", "v2", commit="1a2b3c").run
    sentence = f'check "signed": ECR signs it with {theirs}: expected a signature of {ours}; add the profile'
    assert refused.outcome == "Refused" and sentence in refused.cause, refused.cause
    assert refused.states == ["OpenRelease", "IsAccepted", "Alert", "WhichOutcome", "Refused"]
    assert (service.described()["deployments"][0]["id"], service.tagged(name)) == (before, tagged)
    cloud.signed(digest, ours)
    passed = pipeline.push(service, f"{name}-2", "v2", commit="1a2b3c").run
    assert passed.outcome == "Deployed", passed.cause
    assert len(cloud.calls(agent="tidegate-release", operation="DescribeImageSigningStatus")) == 3


class OnAnInstance(SoleService):
    """A service of tasks that share the address of their instance, each at a port of its own; no load balancer."""

    def create(self, digest: str, tasks: int) -> None:
        self.cloud.client("logs").create_log_group(logGroupName=f"/ecs/{self.environment}/{self.name}")
        definition = self.define(digest, requiresCompatibilities=["EC2"], networkMode="bridge")
        service = {"serviceName": self.name, "taskDefinition": definition, "desiredCount": tasks}
        self.ecs.create_service(cluster=self.environment, launchType="EC2", **service)

    def instance(self) -> str:
        """The instance that its tasks are on."""
        arns = sorted({task["containerInstanceArn"] for task in self.tasks()})
        asked = {"cluster": self.environment, "containerInstances": arns}
        [instance] = self.ecs.describe_container_instances(**asked)["containerInstances"]
        return instance["ec2InstanceId"]

    def ports(self) -> list[int]:
        """The ports of the instance that its tasks have."""
        return sorted(task["containers"][0]["networkBindings"][0]["hostPort"] for task in self.tasks())

    def answers(self) -> dict[str, str]:
        return {}


def test_tasks_that_share_the_address_of_an_instance_are_asked_there_once_systems_manager_knows_it(pipeline, name):
    service = OnAnInstance(pipeline.cloud, name, f"release/{name}", name, deployOn=[f"{name}-*"], bakeSeconds=0)
    service.run(service.push("baseline", "v1")["digest"])
    home = {"url": "http://${task.address}/", "contains": "hello from"}
    checks = [{"name": "home", "http": home}]
    put(pipeline.cloud, f"environments/{name}/services/{name}/tests", {"checks": checks})
    before, tagged, instance = service.described()["deployments"][0]["id"], service.tagged(name), service.instance()
    assert len(set(service.ports())) == 2, "two tasks of one instance have two ports"
    refused = pipeline.push(service, f"{name}-1", "v2").run
    assert refused.outcome == "Refused", refused.cause
    assert f'live test "home" of {name} cannot be asked: the address of the instance {instance} is not' in refused.cause
    assert "run the SSM Agent on it" in refused.cause
    assert (service.described()["deployments"][0]["id"], service.tagged(name)) == (before, tagged)

    pipeline.cloud.managed(instance)
    good = pipeline.push(service, f"{name}-2", "v2").run
    assert good.outcome == "Deployed", good.cause
    assert pipeline.row(good, "tests#0#0#after")["transcript"]["home"]["last"]["text"].startswith("as expected at 2 ")
    kept = set(service.ports())
    home["contains"] = "hello from v2"
    put(pipeline.cloud, f"environments/{name}/services/{name}/tests", {"checks": checks})
    bad = pipeline.push(service, f"{name}-3", "v3").run
    assert bad.outcome == "RolledBack", bad.cause
    assert 'live test "home" failed 1 of 1 times: GET http://127.' in bad.cause, bad.cause
    assert len(kept | set(service.ports())) == 4, "it went back to new tasks"


def test_a_panic_that_only_the_log_tells_of_rolls_back_while_it_is_watched(pipeline, service):
    name = service.environment
    home = {"name": "home", "http": {"url": "http://${target.address}/", "contains": "hello"}}
    quiet = {"name": "quiet", "logs": {"pattern": "?panicked ?FATAL", "onlyNew": True}, "for": "2s", "interval": "1s"}
    put(pipeline.cloud, f"environments/{name}/services/{name}/tests", {"checks": [home, quiet]})
    good = pipeline.push(service, f"{name}-1", "v2").run
    assert good.outcome == "Deployed", good.cause
    shown = pipeline.row(good, "tests#0#0#after")["transcript"]["quiet"]["last"]
    assert shown["text"].startswith("0 lines in 2 streams, as expected"), shown
    bad = pipeline.push(service, f"{name}-2", "v3", behaviour="panics")
    assert bad.run.outcome == "RolledBack", bad.run.cause
    for told in (bad.run.cause, bad.by_topic):
        assert 'live test "quiet" failed 1 of 1 times: expected at most 0 lines like' in told, told
        assert f"of /ecs/{name}/{name}: thread 'orders' panicked at src/orders.rs:42:9: v3 lost" in told, told
    assert list(service.answers().values()) == ["hello from v2"] * 2


def test_a_metric_is_read_of_the_target_group_and_the_period_that_is_over(pipeline, service):
    name, ours = service.environment, service.described()["deployments"][0]
    group = service.described()["loadBalancers"][0]["targetGroupArn"].rsplit(":")[-1]
    metric = {"namespace": name, "metric": "Latency", "stat": "Maximum", "max": 0.5, "timesBefore": 2}
    metric["dimensions"] = {"TargetGroup": "${target.group}"}
    checks = [{"name": "latency", "metric": metric, "for": "1s", "interval": "1s"}]
    put(pipeline.cloud, f"environments/{name}/services/{name}/tests", {"checks": checks})
    minute = int(time.time()) // 60 * 60
    dimensions = [{"Name": "TargetGroup", "Value": group}]

    def measured(values: dict[int, float]) -> None:
        points = [{"Timestamp": minute + 60 * at, "Value": value} for at, value in values.items()]
        data = [{"MetricName": "Latency", "Dimensions": dimensions, **point} for point in points]
        pipeline.cloud.client("cloudwatch").put_metric_data(Namespace=name, MetricData=data)

    def verdict() -> tuple[str, str]:
        """What health-test says of the service, as if it had been touched nine minutes ago."""
        sample = json.loads((build.ROOT / "events/health-test/good.json").read_text())
        row = sample["move"] | {"environment": name, "cluster": name, "service": name, "repository": service.repository}
        touched = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(minute - 540))
        row |= {"touched": touched, "digest": service.digests()[0], "deployment": ours["id"]}
        row |= {"registered": ours["taskDefinition"]}
        asked, answer = {**sample, "move": row, "looks": {}}, {"verdict": "Pending"}
        while answer["verdict"] == "Pending":
            answer = _invoked(pipeline.cloud, "HealthTestFunction", asked)
            asked["looks"] = answer["looks"]
        return answer["verdict"], answer["reason"]

    # The service was touched in the minute -9; whatever the clock does meanwhile, one of these is the last that counts.
    measured({-10: 0.2, **{at: 0.4 for at in range(-3, 1)}})
    assert verdict() == ("Healthy", "it is stable; its live test passed")
    measured({at: 0.45 for at in range(-3, 1)})
    checks[0]["metric"] = {"queries": _half_of(name, dimensions), "max": 0.2}
    put(pipeline.cloud, f"environments/{name}/services/{name}/tests", {"checks": checks})
    said, reason = verdict()
    assert said == "Unhealthy" and 'the query "half": expected at most 0.2, got 0.225' in reason, reason


def _half_of(namespace: str, dimensions: list[dict]) -> list[dict]:
    """The queries for half of a metric."""
    dimensions = [{**one, "Value": "${target.group}"} for one in dimensions]
    read = {"Namespace": namespace, "MetricName": "Latency", "Dimensions": dimensions}
    stat = {"Metric": read, "Period": 60, "Stat": "Maximum"}
    return [{"Id": "half", "Expression": "m / 2"}, {"Id": "m", "ReturnData": False, "MetricStat": stat}]


def _invoked(cloud, function: str, payload: dict) -> dict:
    """What a function of the stack answers."""
    found = cloud.client("cloudformation").describe_stack_resource(StackName=stack.STACK, LogicalResourceId=function)
    name = found["StackResourceDetail"]["PhysicalResourceId"]
    answer = cloud.client("lambda").invoke(FunctionName=name, Payload=json.dumps(payload).encode())
    said = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, said
    return said


def rolled_back(pipeline, service, behaviour: str):
    """Pushes a bad image and makes sure that the good one answers again."""
    run = pipeline.push(service, f"{service.environment}-1", "v2", behaviour=behaviour).run
    assert run.outcome == "RolledBack", run.cause
    assert list(service.answers().values()) == ["hello from v1"] * 2
    return run


def test_what_the_live_tests_cannot_reach_refuses_a_release_before_anything_is_touched(
    pipeline, unreachable, silent
):
    service, before, execution = unreachable
    run = pipeline.ended(execution)
    assert run.outcome == "Refused", run.cause
    assert "Reach" in run.states and "Wave" not in run.states
    assert (service.described()["deployments"][0]["id"], service.tagged("unreachable")) == before
    assert f"cannot reach {silent}" in run.cause and "no connection within" in run.cause
    assert "cannot reach nowhere.invalid:80" in run.cause
    assert "set the stack parameters SubnetIds and SecurityGroupIds" in run.cause
