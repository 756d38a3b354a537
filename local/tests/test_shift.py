"""ECS: deployments that shift traffic; a client that asks the production listener all the time is the proof."""

import time

import pytest

from balancer import Client, ask
from service import eventually
from shift_shop import ShiftShop, pause

GATES = (
    "PRE_SCALE_UP",
    "POST_SCALE_UP",
    "POST_TEST_TRAFFIC_SHIFT",
    "PRE_PRODUCTION_TRAFFIC_SHIFT",
    "POST_PRODUCTION_TRAFFIC_SHIFT",
)


@pytest.fixture
def shop(cloud, name):
    shop = ShiftShop(cloud, name)
    yield shop
    shop.ecs.delete_service(cluster=name, service="users", force=True)


def weights(seen: dict) -> tuple[float, float]:
    target = seen["targetServiceRevision"]
    return target["requestedTestTrafficWeight"], target["requestedProductionTrafficWeight"]


def test_a_good_version_takes_the_traffic_after_its_gates(shop):
    shop.open(count=2, bakeTimeInMinutes=2, lifecycleHooks=[pause(*GATES)])
    first, old = shop.service()["deployments"][0]["id"], shop.running()
    with Client(shop.balancer.production) as client:
        deployment, hook = shop.deploy("v2"), {"hookId": ""}
        found = {}
        for stage in GATES[:-1]:
            hook = shop.gate(stage, after=hook["hookId"])
            target = shop.seen()["targetServiceRevision"]
            found[stage] = (target["requestedTaskCount"], target["runningTaskCount"], *weights(shop.seen()))
            if stage != GATES[3]:
                shop.answer(hook)
        assert found == dict(zip(GATES, [(0, 0, 0, 0), (2, 2, 0, 0), (2, 2, 100, 0), (2, 2, 100, 0)]))
        shop.settle()
        assert ask(shop.balancer.test) == "v2" and client.heard() == {"v1"}

        shown = shop.service()
        assert [each["id"] for each in shown["deployments"]] == [deployment, first]
        assert [each["status"] for each in shown["deployments"]] == ["PRIMARY", "ACTIVE"]
        assert all("rolloutState" not in each for each in shown["deployments"])
        assert shown["deploymentConfiguration"]["lifecycleHooks"] == [{"lifecycleStages": list(GATES)}]
        revision = f"/{deployment.removeprefix('ecs-svc/')}"
        assert shown["currentServiceRevisions"][0]["arn"].endswith(revision)
        assert shop.seen()["targetServiceRevision"]["arn"].endswith(revision)
        assert {task["startedBy"] for task in shop.tasks()} == {first, deployment}

        shop.answer(hook)
        hook = shop.gate(GATES[-1])
        since = shop.settle()
        assert client.heard(since) == {"v2"} and weights(shop.seen()) == (100, 100)
        assert set(old) < set(shop.running())
        shop.answer(hook)
        baking = time.monotonic()
        eventually(lambda: shop.seen()["lifecycleStage"] == "BAKE_TIME", "it baked")
        assert set(old) < set(shop.running())
        ended = shop.ended("SUCCESSFUL")
        # Two minutes of a second each.
        assert time.monotonic() - baking > 2 and ended["lifecycleStage"] == "CLEAN_UP"
        assert client.heard() == {"v1", "v2"}
    assert [each["id"] for each in shop.service()["deployments"]] == [deployment]
    assert len(shop.running()) == 2 and not set(old) & set(shop.running())
    assert ended["sourceServiceRevisions"][0]["requestedTaskCount"] == 0


def test_from_every_gate_there_is_a_way_back(shop):
    shop.open(bakeTimeInMinutes=60, lifecycleHooks=[pause(*GATES)])
    [first], old = shop.service()["deployments"], shop.running()
    before = [shop.balancer.weights(rule) for rule in (shop.balancer.production_rule, shop.balancer.test_rule)]
    with Client(shop.balancer.production) as client:
        for last in GATES:
            shop.deploy("v2")
            hook = {"hookId": ""}
            for stage in GATES[: GATES.index(last) + 1]:
                hook = shop.gate(stage, after=hook["hookId"])
                if stage == GATES[-1]:
                    # Nobody has heard of the new version before; now everybody does.
                    assert client.heard() == {"v1"}
                    assert client.heard(shop.settle()) == {"v2"}
                shop.answer(hook, "ROLLBACK" if stage == last else "CONTINUE")
            ended = shop.ended("ROLLBACK_SUCCESSFUL")
            assert ended["lifecycleStage"] == last and weights(ended) == (0, 0)
            assert ended["lifecycleHookDetails"][0]["status"] == "FAILED"
            assert ended["rollback"]["serviceRevisionArn"].endswith(first["id"].removeprefix("ecs-svc/"))
            [shown] = shop.service()["deployments"]
            assert (shown["id"], shown["status"]) == (first["id"], "PRIMARY")
            assert shop.service()["taskDefinition"] == first["taskDefinition"] and shop.running() == old
        since = shop.settle()
        assert client.heard(since) == {"v1"} and client.heard() == {"v1", "v2"}
    rules = (shop.balancer.production_rule, shop.balancer.test_rule)
    assert [shop.balancer.weights(rule) for rule in rules] == before


def test_a_gate_runs_out(shop):
    goes_on = pause("POST_SCALE_UP", timeoutInMinutes=1, action="CONTINUE")
    goes_back = pause("POST_TEST_TRAFFIC_SHIFT", timeoutInMinutes=2)
    shop.open(lifecycleHooks=[goes_on, goes_back])
    old = shop.running()
    with Client(shop.balancer.production) as client:
        shop.deploy("v2")
        hook = shop.gate("POST_SCALE_UP")
        assert hook["timeoutAction"] == "CONTINUE" and hook["expiresAt"].timestamp() < time.time() + 1
        ended = shop.ended("ROLLBACK_SUCCESSFUL")
        assert client.heard() == {"v1"}
    [hook] = ended["lifecycleHookDetails"]
    assert (hook["status"], hook["timeoutAction"]) == ("TIMED_OUT", "ROLLBACK")
    assert ended["lifecycleStage"] == "POST_TEST_TRAFFIC_SHIFT" and shop.running() == old


def test_a_stop_in_the_bake_brings_the_old_tasks_back(shop):
    shop.open(bakeTimeInMinutes=600)
    old = shop.running()
    with Client(shop.balancer.production) as client:
        shop.deploy("v2")
        eventually(lambda: "v2" in client.heard(), "the traffic was shifted")
        assert shop.seen()["lifecycleStage"] == "BAKE_TIME"
        arn = shop.listed()[0]["serviceDeploymentArn"]
        shop.ecs.stop_service_deployment(serviceDeploymentArn=arn, stopType="ROLLBACK")
        # Harmless, as long as it goes back.
        shop.ecs.stop_service_deployment(serviceDeploymentArn=arn)
        shop.ended("ROLLBACK_SUCCESSFUL")
        since = shop.settle()
        assert client.heard(since) == {"v1"} and client.heard() == {"v1", "v2"}
    assert shop.running() == old
    assert "stopped by a user" in shop.seen()["rollback"]["reason"]


def test_another_update_stops_the_one_before(shop):
    shop.open(lifecycleHooks=[pause("RECONCILE_SERVICE", "POST_TEST_TRAFFIC_SHIFT")])
    with Client(shop.balancer.production) as client:
        shop.deploy("v2")
        dark = shop.gate("POST_TEST_TRAFFIC_SHIFT")
        third = shop.deploy("v3")
        shop.answer(shop.gate("RECONCILE_SERVICE", after=dark["hookId"]))
        newest, overtaken, _ = shop.listed()
        assert (newest["status"], overtaken["status"]) == ("IN_PROGRESS", "STOPPED")
        shop.answer(shop.gate("POST_TEST_TRAFFIC_SHIFT", after=dark["hookId"]))
        shop.ended("SUCCESSFUL")
        since = shop.settle()
        assert client.heard(since) == {"v3"} and client.heard() == {"v1", "v3"}
    assert {task["startedBy"] for task in shop.tasks()} == {third}


def test_a_canary_takes_its_share_behind_a_gate_for_each_step(shop):
    canary = {"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 1}
    hooks = [pause("PRE_PRODUCTION_TRAFFIC_SHIFT")]
    shop.open(strategy="CANARY", canaryConfiguration=canary, lifecycleHooks=hooks)
    with Client(shop.balancer.production) as client:
        shop.deploy("v2")
        first = shop.gate("PRE_PRODUCTION_TRAFFIC_SHIFT")
        assert weights(shop.seen()) == (100, 0)
        shop.answer(first)
        second = shop.gate("PRE_PRODUCTION_TRAFFIC_SHIFT", after=first["hookId"])
        assert weights(shop.seen()) == (100, 10) and second["hookId"] != first["hookId"]
        assert sorted(shop.balancer.weights(shop.balancer.production_rule).values()) == [10, 90]
        since = shop.settle()
        eventually(lambda: "v2" in client.heard(since), "the new version had its share")
        time.sleep(1)
        assert client.heard() == {"v1", "v2"} and client.share("v2", since) < 0.4
        shop.answer(second)
        shop.ended("SUCCESSFUL")
        since = shop.settle()
        assert client.heard(since) == {"v2"} and client.heard() == {"v1", "v2"}


def test_traffic_moves_in_equal_steps(shop):
    linear = {"stepPercent": 40.0, "stepBakeTimeInMinutes": 1}
    shop.open(strategy="LINEAR", linearConfiguration=linear)
    shop.deploy("v2")
    seen = []
    while "finishedAt" not in (state := shop.seen()):
        seen.append(weights(state)[1])
        time.sleep(0.05)
    assert list(dict.fromkeys(seen)) == [0, 40, 80, 100]


def test_reset_weights_mix_the_versions_and_nothing_fails(shop):
    shop.open(bakeTimeInMinutes=3)
    # The first deployment went into the group that was not live.
    assert len(shop.balancer.targets(shop.balancer.green)) == 1
    shop.balancer.reset(live=shop.balancer.blue)
    shop.deploy("v2")
    eventually(lambda: shop.seen()["lifecycleStage"] == "BAKE_TIME", "the traffic was shifted")
    time.sleep(1)
    assert len(shop.balancer.targets(shop.balancer.green)) == 2
    with Client(shop.balancer.production) as client:
        eventually(lambda: client.heard() == {"v1", "v2"}, "both versions answered")
        shop.ended("SUCCESSFUL")


def test_a_group_in_neither_rule_is_rolled_back(shop):
    shop.open()
    alone = [{"Type": "forward", "TargetGroupArn": shop.balancer.green}]
    listeners = shop.balancer.elbv2.describe_listeners(LoadBalancerArn=shop.balancer.arn)["Listeners"]
    for listener in listeners:
        shop.balancer.elbv2.modify_listener(ListenerArn=listener["ListenerArn"], DefaultActions=alone)
    old = shop.running()
    shop.deploy("v2")
    ended = shop.ended("ROLLBACK_SUCCESSFUL")
    assert "must be associated with" in ended["statusReason"] and shop.running() == old


def test_a_version_that_crashes_never_leaves_scale_up(shop):
    shop.open()
    [first], old = shop.service()["deployments"], shop.running()
    with Client(shop.balancer.production) as client:
        broken = shop.deploy("crash")
        eventually(lambda: shop.deployments()[broken].failedTasks >= 3, "it crashed three times")
        assert shop.seen()["lifecycleStage"] == "SCALE_UP"
        shop.ecs.stop_service_deployment(serviceDeploymentArn=shop.listed()[0]["serviceDeploymentArn"])
        shop.ended("ROLLBACK_SUCCESSFUL")
        assert client.heard() == {"v1"}
    assert list(shop.deployments()) == [first["id"]] and shop.running() == old


def test_a_first_deployment_has_nothing_to_return_to(shop):
    hooks = [pause("POST_TEST_TRAFFIC_SHIFT")]
    shop.start("v1", strategy="BLUE_GREEN", bakeTimeInMinutes=0, lifecycleHooks=hooks)
    shop.answer(shop.gate("POST_TEST_TRAFFIC_SHIFT"), "ROLLBACK")
    shop.ended("ROLLBACK_FAILED")
    assert shop.running() == []
    shop.deploy("v2")
    shop.answer(shop.gate("POST_TEST_TRAFFIC_SHIFT"))
    shop.ended("SUCCESSFUL")
    assert len(shop.service()["deployments"]) == 1
