"""Live tests: those that cannot be asked stop a release before it begins, and those that fail leave a record."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

import watch
from service import PACK, put


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
    name, task = service.environment, "http://${target.address}"
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
