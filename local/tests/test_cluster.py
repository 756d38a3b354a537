"""Whole clusters: one release of many services goes wave by wave, and comes back as one."""

import pytest

import alarm
import watch

FORTY = ["canary", *(f"s{number:02}" for number in range(1, 40))]


@pytest.fixture
def fleet(pipeline):
    """Makes environments of many services, and ends them."""
    made = []

    def fleet(environment: str, services: list[str], **policy):
        made.append(pipeline.fleet(environment, services, **policy))
        return made[-1]

    yield fleet
    for each in made:
        each.end()


def wanted(fleet, images: dict[str, str], **more) -> dict:
    """The request for a release of a whole cluster."""
    return {"environment": fleet.environment, "scope": "cluster", "images": images, **more}


def assert_versions(fleet, version: str, **others: str) -> None:
    """Makes sure that every service answers with a version, and the named ones with another."""
    assert fleet.answers() == {name: f"hello from {others.get(name, version)}" for name in fleet.services}


def test_forty_services_come_back_for_one_that_is_bad(pipeline, fleet):
    shop = fleet("forty", FORTY, waves=[["canary"], ["s0*", "s1*"]], concurrency=20)
    good = shop.digests()
    images = shop.push("v2", s39="wrong-content")
    run = pipeline.ended(pipeline.start(wanted(shop, images)), seconds=300)
    assert run.outcome == "RolledBack", run.cause
    assert "s39" in run.cause and "goodbye from v2" in run.cause
    assert [run.states.count(state) for state in ("Wave", "RollbackWave", "RestoreTags")] == [3, 3, 1]

    assert_versions(shop, "v1")
    assert shop.digests() == good and shop.tagged("forty") == good
    assert pipeline.fates(run) == {"undone": 40}
    assert pipeline.row(run, "head")["outcome"] == "RolledBack"
    text, posted = pipeline.inbox.about(run.name)
    assert text.startswith("ROLLED BACK s39 and 39 more in forty: ")
    assert (posted["outcome"], posted["moves"][0]["service"]) == ("RolledBack", "s39")
    assert {move["fate"] for move in posted["moves"]} == {"undone"} and len(posted["moves"]) == 40


def test_a_good_release_of_a_cluster_and_the_way_back_on_request(pipeline, fleet):
    shop = fleet("good", ["canary", "orders", "users", "web"], waves=[["canary"], ["*"]])
    images = shop.push("v2", commit="1a2b3c4d")
    run = pipeline.run(wanted(shop, images))
    assert run.outcome == "Deployed", run.cause
    assert_versions(shop, "v2")
    assert shop.digests() == images == shop.tagged("good")
    assert run.output["fates"] == pipeline.fates(run) == {"deployed": 4}

    canary, others = pipeline.row(run, "move#0#0"), [pipeline.row(run, f"move#1#{n}") for n in range(3)]
    assert canary["service"] == "canary" and canary["commit"] == "1a2b3c4d"
    assert all(other["touched"] > canary["decided"] for other in others)

    newer = pipeline.run(wanted(shop, shop.push("v3")))
    assert newer.outcome == "Deployed", newer.cause
    back = pipeline.run({"environment": "good", "mode": "rollback"})
    assert back.outcome == "Deployed", back.cause
    assert_versions(shop, "v2")
    assert shop.tagged("good") == images and pipeline.fates(back) == {"deployed": 4}


def test_only_what_failed_goes_back_where_that_is_asked_for(pipeline, fleet):
    policy = {"waves": [["orders", "users"], ["*"]], "onFailure": "undo-failed"}
    shop = fleet("partly", ["orders", "users", "web"], **policy)
    run = pipeline.run(wanted(shop, shop.push("v2", users="wrong-content")))
    assert run.outcome == "RolledBack", run.cause
    assert_versions(shop, "v1", orders="v2")
    assert pipeline.fates(run) == {"deployed": 1, "undone": 1, "untouched": 1}


def test_a_frozen_failure_lets_nothing_in_but_a_rollback(pipeline, fleet):
    shop = fleet("stays", ["orders", "users"], waves=[["orders"], ["*"]], onFailure="freeze")
    run = pipeline.run(wanted(shop, shop.push("v2", users="wrong-content")))
    assert run.outcome == "NeedsHuman", run.cause
    assert shop.answers() == {"orders": "hello from v2", "users": "goodbye from v2"}
    assert pipeline.fates(run) == {"deployed": 1, "needs-human": 1}

    refused = pipeline.run(wanted(shop, shop.push("v3")))
    assert refused.outcome == "Refused" and "frozen" in refused.cause
    back = pipeline.run({"environment": "stays", "mode": "rollback", "release": run.name})
    assert back.outcome == "Deployed", back.cause
    assert_versions(shop, "v1")
    assert pipeline.run({"environment": "stays", "mode": "resume"}).outcome == "Answered"
    assert pipeline.run(wanted(shop, shop.push("v4"))).outcome == "Deployed"


def test_what_may_only_go_forward_is_not_put_back(pipeline, fleet):
    policy = {"waves": [["orders", "schema"], ["*"]], "forwardOnly": ["sch*"]}
    shop = fleet("forward", ["orders", "schema", "users"], **policy)
    images, good = shop.push("v2", users="wrong-content"), shop.digests()
    run = pipeline.run(wanted(shop, images))
    assert run.outcome == "RolledBack", run.cause
    assert_versions(shop, "v1", schema="v2")
    assert pipeline.fates(run) == {"deployed": 1, "undone": 2}
    stays = "release/forward/schema"
    assert shop.tagged("forward") == {**good, stays: images[stays]}


@pytest.mark.parametrize(
    ("orders", "outcome", "sum_of_fates"),
    [("good", "NeedsHuman", {"deployed": 1, "needs-human": 1}), ("wrong-content", "RolledBack", {"undone": 2})],
)
def test_an_item_that_dies_after_its_service_was_changed_is_counted(
    pipeline, fleet, orders, outcome, sum_of_fates
):
    """As of a fault that no state catches: `States.Runtime`, or `States.DataLimitExceeded`."""
    shop = fleet(f"died-{orders}", ["orders", "users"])
    execution = pipeline.start(wanted(shop, shop.push("v2", orders=orders, users="never-ready")))
    item = pipeline.item(execution, "Pause", "users")
    pipeline.cloud.client("stepfunctions").stop_execution(executionArn=item)
    run = pipeline.ended(execution)
    assert run.outcome == outcome, run.cause
    assert pipeline.fates(run) == sum_of_fates
    if outcome == "RolledBack":
        assert_versions(shop, "v1")


def test_an_alarm_that_goes_red_while_a_wave_bakes_undoes_the_release(pipeline, fleet):
    policy = {"waves": [["orders"], ["*"]], "bakeSeconds": 10, "alarms": {"ord*": ["too-many-errors"]}}
    shop = fleet("alarmed", ["orders", "users"], **policy)
    good, images = shop.digests(), shop.push("v2")
    errors = alarm.create(pipeline.cloud, "too-many-errors")
    errors("OK", "quiet so far")
    execution = pipeline.start(wanted(shop, images))
    pipeline.reached(execution, "Bake")
    errors("ALARM", "9 errors a minute")
    run = pipeline.ended(execution)
    assert run.outcome == "RolledBack" and "too-many-errors" in run.cause
    assert_versions(shop, "v1")
    assert shop.digests() == good
    assert pipeline.fates(run) == {"undone": 1, "untouched": 1}
    assert pipeline.row(run, "move#0#0")["verdict"] == "Unhealthy"
