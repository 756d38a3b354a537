"""From dev to staging to prod: the same digest, with evidence, and with the consent that prod asks for."""

import json

import pytest

from scene import eventually
from street import SERVICES, Street, name_of


@pytest.fixture(scope="module")
def street(pipeline):
    """Three environments, the last of which asks a person."""
    street = Street(pipeline, "street", SERVICES, prod={"approval": "required", "approvalMinutes": 30})
    yield street
    for fleet in street.fleets.values():
        fleet.end()


def test_one_digest_goes_from_dev_to_prod_with_consent(street):
    dev, prod = street.fleets["dev"], street.fleets["prod"]
    images = dev.push("v2", commit="1a2b3c4d")
    first = street.pipeline.run(street.ask("dev", scope="cluster", images=images))
    assert first.outcome == "Deployed", first.cause
    second = street.pipeline.run(street.ask("staging"))
    assert second.outcome == "Deployed", second.cause

    before = prod.digests()
    execution, text = street.waiting()
    for service in SERVICES:
        repository = prod.services[service].repository
        old, new = before[repository][7:19], images[repository][7:19]
        assert any(f"{service}: {old} -> {new}" in line for line in text.splitlines()), text
    assert "1a2b3c4d" in text
    assert prod.digests() == before
    [request] = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    assert request == street.ask("prod", mode="approve", release=name_of(execution))
    assert street.pipeline.run(request).outcome == "Answered"
    third = street.pipeline.ended(execution)
    assert third.outcome == "Deployed", third.cause

    for stage, fleet in street.fleets.items():
        assert fleet.digests() == images == fleet.tagged(f"street-{stage}") == street.verified(stage), stage
        assert set(fleet.answers().values()) == {"hello from v2"}
    too_late = street.answer("approve", execution)
    assert too_late.outcome == "Refused", too_late.cause


def test_a_person_says_no(street):
    prod = street.fleets["prod"]
    street.to_staging("v3")
    before = prod.deployments()
    execution, _ = street.waiting()
    assert street.answer("reject", execution, reason="not on a Friday").outcome == "Answered"
    run = street.pipeline.ended(execution)
    assert run.outcome == "Rejected", run.cause
    _, posted = street.pipeline.inbox.about(run.name, "Rejected")
    assert "not on a Friday" in posted["because"]
    assert prod.deployments() == before


def test_nobody_answers_in_time(street):
    prod = street.fleets["prod"]
    before = prod.deployments()
    street.to_staging("v4")
    prod.change(approvalMinutes=2)
    execution, _ = street.waiting()
    prod.change(approvalMinutes=30)
    run = street.pipeline.ended(execution)
    assert run.outcome == "Expired", run.cause
    assert prod.deployments() == before
    assert street.answer("approve", execution).outcome == "Refused"


def test_a_newer_release_takes_services_out_of_a_waiting_one(street):
    prod, inbox = street.fleets["prod"], street.pipeline.inbox
    old = street.to_staging("v5")
    first, _ = street.waiting()
    new = street.to_staging("v6")
    second, text = street.waiting(services=["users"])
    assert "users:" in text and "orders:" not in text
    asked = lambda: inbox.about(name_of(first), "WaitingForApproval")[0]  # noqa: E731
    eventually(lambda: "users:" not in asked(), "it was asked again, for what is left of it")
    third, _ = street.waiting()
    run = street.pipeline.ended(first)
    assert run.outcome == "Superseded", run.cause
    for execution in (second, third):
        street.answer("approve", execution)
        street.pipeline.ended(execution)
    assert prod.digests() == new != old
    assert set(prod.answers().values()) == {"hello from v6"}


def test_what_the_environment_before_has_not_verified_is_named(street):
    staging = street.fleets["staging"]
    images = staging.push("v7")
    refused = street.pipeline.run(street.ask("staging", scope="cluster", images=images))
    assert refused.outcome == "Refused"
    assert "street-dev has not verified release/street/" in refused.cause
    forced = street.ask("staging", scope="cluster", images=images, force=True, reason="dev is down")
    run = street.pipeline.run(forced)
    assert run.outcome == "Deployed", run.cause
    assert staging.digests() == images
    assert street.pipeline.row(run, "head")["request"]["reason"] == "dev is down"


def test_what_failed_in_the_environment_before_is_kept_out(street):
    images, failed = street.to_dev("v8", users="wrong-content")
    assert failed.outcome == "RolledBack", failed.cause
    bad = street.ask("staging", repository="release/street/users", image=images["release/street/users"])
    refused = street.pipeline.run(bad)
    assert refused.outcome == "Refused" and "in quarantine in street-dev" in refused.cause


def test_what_is_half_there_is_promoted_to_the_end(street):
    staging = street.fleets["staging"]
    images, run = street.to_dev("v9")
    assert run.outcome == "Deployed", run.cause
    half = street.pipeline.run(street.ask("staging", services=["users"]))
    assert half.outcome == "Deployed", half.cause
    rest = street.pipeline.run(street.ask("staging"))
    assert rest.outcome == "Deployed", rest.cause
    assert [move["service"] for move in rest.output["moves"]] == ["orders"]
    assert staging.digests() == images
    again = street.pipeline.run(street.ask("staging"))
    assert again.outcome == "Refused" and "runs 2 images already" in again.cause


def test_what_the_environment_before_has_rolled_back_from_proves_nothing(street):
    images, run = street.to_dev("v10")
    assert run.outcome == "Deployed", run.cause
    back = street.pipeline.run(street.ask("dev", mode="rollback"))
    assert back.outcome == "Deployed", back.cause
    refused = street.pipeline.run(street.ask("staging", scope="cluster", images=images))
    assert refused.outcome == "Refused" and "street-dev has not verified" in refused.cause


@pytest.fixture
def short_street(pipeline):
    """Makes three environments of one service each, and ends them."""
    made = []

    def short_street(name: str, **policies: dict) -> Street:
        made.append(Street(pipeline, name, ["users"], **policies))
        return made[-1]

    yield short_street
    for fleet in [fleet for street in made for fleet in street.fleets.values()]:
        fleet.end()


def test_an_image_that_is_too_young_says_for_how_long(short_street):
    street = short_street("young", dev={"promote": "auto"}, staging={"soakMinutes": 60})
    images, run = street.to_dev("v2")
    assert run.outcome == "Deployed", run.cause
    # What goes on by itself has time; a person who asks is told at once.
    follows = street.following("staging", run.name)
    street.pipeline.reached(follows, "WaitToOpen")
    street.pipeline.cloud.client("stepfunctions").stop_execution(executionArn=follows)
    refused = street.pipeline.run(street.ask("staging"))
    assert refused.outcome == "Refused" and "expected 60 minutes" in refused.cause, refused.cause
    forced = street.pipeline.run(street.ask("staging", force=True, reason="a hot fix"))
    assert forced.outcome == "Deployed", forced.cause
    assert street.fleets["staging"].digests() == images


def test_a_good_release_goes_on_by_itself_until_a_person_is_asked(short_street):
    auto = {"promote": "auto"}
    street = short_street("auto", dev=auto, staging=auto, prod={"approval": "required"})
    images, run = street.to_dev("v2")
    assert run.outcome == "Deployed", run.cause
    staging = street.pipeline.ended(street.following("staging", run.name))
    assert staging.outcome == "Deployed", staging.cause

    waiting = street.following("prod", staging.name)
    assert "users" in street.pipeline.asked("auto-prod", waiting)
    started = street.pipeline.cloud.client("stepfunctions").describe_execution(executionArn=waiting)["input"]
    asked = {**street.ask("prod", scope="cluster", images=images), "promotedBy": staging.name}
    assert json.loads(started) == asked
    assert street.answer("approve", waiting).outcome == "Answered"
    assert street.pipeline.ended(waiting).outcome == "Deployed"
    for fleet in street.fleets.values():
        assert fleet.digests() == images
