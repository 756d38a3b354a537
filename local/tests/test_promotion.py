"""From dev to staging to prod: the same digest, with evidence, and with the consent that prod asks for."""

import json

import pytest

from service import eventually
from watch import release_of
from promotion_chain import SERVICES, PromotionChain


@pytest.fixture(scope="module")
def chain(pipeline):
    """Three environments, the last of which asks a person."""
    chain = PromotionChain(pipeline, "chain", SERVICES, prod={"approval": "required", "approvalMinutes": 600})
    yield chain
    for fleet in chain.fleets.values():
        fleet.end()


def test_one_digest_goes_from_dev_to_prod_with_consent(chain):
    dev, prod = chain.fleets["dev"], chain.fleets["prod"]
    images = dev.push("v2", commit="1a2b3c4d")
    first = chain.pipeline.run(chain.ask("dev", scope="cluster", images=images))
    assert first.outcome == "Deployed", first.cause
    second = chain.pipeline.run(chain.ask("staging"))
    assert second.outcome == "Deployed", second.cause

    before = prod.digests()
    execution, text = chain.waiting()
    for service in SERVICES:
        repository = prod.services[service].repository
        old, new = before[repository][7:19], images[repository][7:19]
        assert any(f"{service}: {old} -> {new}" in line for line in text.splitlines()), text
    assert "1a2b3c4d" in text
    assert prod.digests() == before
    [request] = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    assert request == chain.ask("prod", mode="approve", release=release_of(execution))
    assert chain.pipeline.run(request).outcome == "Answered"
    third = chain.pipeline.ended(execution)
    assert third.outcome == "Deployed", third.cause

    for stage, fleet in chain.fleets.items():
        assert fleet.digests() == images == fleet.tagged(f"chain-{stage}") == chain.verified(stage), stage
        assert set(fleet.answers().values()) == {"hello from v2"}
    too_late = chain.answer("approve", execution)
    assert too_late.outcome == "Refused", too_late.cause


def test_a_person_says_no(chain):
    prod = chain.fleets["prod"]
    chain.to_staging("v3")
    before = prod.deployments()
    execution, _ = chain.waiting()
    assert chain.answer("reject", execution, reason="not on a Friday").outcome == "Answered"
    run = chain.pipeline.ended(execution)
    assert run.outcome == "Rejected", run.cause
    _, posted = chain.pipeline.inbox.about(run.name, "Rejected")
    assert "not on a Friday" in posted["because"]
    assert prod.deployments() == before


def test_nobody_answers_in_time(chain):
    prod = chain.fleets["prod"]
    before = prod.deployments()
    chain.to_staging("v4")
    prod.change(approvalMinutes=5)
    execution, _ = chain.waiting()
    prod.change(approvalMinutes=600)
    run = chain.pipeline.ended(execution)
    assert run.outcome == "Expired", run.cause
    assert prod.deployments() == before
    assert chain.answer("approve", execution).outcome == "Refused"


def test_a_newer_release_takes_services_out_of_a_waiting_one(chain):
    prod, inbox = chain.fleets["prod"], chain.pipeline.inbox
    old = chain.to_staging("v5")
    first, _ = chain.waiting()
    new = chain.to_staging("v6")
    second, text = chain.waiting(services=["users"])
    assert "users:" in text and "orders:" not in text
    asked = lambda: inbox.about(release_of(first), "WaitingForApproval")[0]  # noqa: E731
    eventually(lambda: "users:" not in asked(), "it was asked again, for what is left of it")
    third, _ = chain.waiting()
    run = chain.pipeline.ended(first)
    assert run.outcome == "Superseded", run.cause
    for execution in (second, third):
        chain.answer("approve", execution)
        chain.pipeline.ended(execution)
    assert prod.digests() == new != old
    assert set(prod.answers().values()) == {"hello from v6"}


def test_what_the_environment_before_has_not_verified_is_named(chain):
    staging = chain.fleets["staging"]
    images = staging.push("v7")
    refused = chain.pipeline.run(chain.ask("staging", scope="cluster", images=images))
    assert refused.outcome == "Refused"
    assert "chain-dev has not verified release/chain/" in refused.cause
    forced = chain.ask("staging", scope="cluster", images=images, force=True, reason="dev is down")
    run = chain.pipeline.run(forced)
    assert run.outcome == "Deployed", run.cause
    assert staging.digests() == images
    assert chain.pipeline.row(run, "head")["request"]["reason"] == "dev is down"


def test_what_failed_in_the_environment_before_is_kept_out(chain):
    images, failed = chain.to_dev("v8", users="wrong-content")
    assert failed.outcome == "RolledBack", failed.cause
    bad = chain.ask("staging", repository="release/chain/users", image=images["release/chain/users"])
    refused = chain.pipeline.run(bad)
    assert refused.outcome == "Refused" and "in quarantine in chain-dev" in refused.cause


def test_what_is_half_there_is_promoted_to_the_end(chain):
    staging = chain.fleets["staging"]
    images, run = chain.to_dev("v9")
    assert run.outcome == "Deployed", run.cause
    half = chain.pipeline.run(chain.ask("staging", services=["users"]))
    assert half.outcome == "Deployed", half.cause
    rest = chain.pipeline.run(chain.ask("staging"))
    assert rest.outcome == "Deployed", rest.cause
    assert [move["service"] for move in rest.output["moves"]] == ["orders"]
    assert staging.digests() == images
    again = chain.pipeline.run(chain.ask("staging"))
    assert again.outcome == "Refused" and "runs 2 images already" in again.cause


def test_what_the_environment_before_has_rolled_back_from_proves_nothing(chain):
    images, run = chain.to_dev("v10")
    assert run.outcome == "Deployed", run.cause
    back = chain.pipeline.run(chain.ask("dev", mode="rollback"))
    assert back.outcome == "Deployed", back.cause
    refused = chain.pipeline.run(chain.ask("staging", scope="cluster", images=images))
    assert refused.outcome == "Refused" and "chain-dev has not verified" in refused.cause


@pytest.fixture
def short_chain(pipeline):
    """Makes three environments of one service each, and ends them."""
    made = []

    def short_chain(name: str, **policies: dict) -> PromotionChain:
        made.append(PromotionChain(pipeline, name, ["users"], **policies))
        return made[-1]

    yield short_chain
    for fleet in [fleet for chain in made for fleet in chain.fleets.values()]:
        fleet.end()


def test_an_image_that_is_too_young_says_for_how_long(short_chain):
    chain = short_chain("young", dev={"promote": "auto"}, staging={"soakMinutes": 60})
    images, run = chain.to_dev("v2")
    assert run.outcome == "Deployed", run.cause
    # What goes on by itself has time; a person who asks is told at once.
    follows = chain.following("staging", run.name)
    chain.pipeline.reached(follows, "WaitToOpen")
    chain.pipeline.cloud.client("stepfunctions").stop_execution(executionArn=follows)
    refused = chain.pipeline.run(chain.ask("staging"))
    assert refused.outcome == "Refused" and "needs 60 minutes of soak" in refused.cause, refused.cause
    forced = chain.pipeline.run(chain.ask("staging", force=True, reason="a hot fix"))
    assert forced.outcome == "Deployed", forced.cause
    assert chain.fleets["staging"].digests() == images


def test_a_good_release_goes_on_by_itself_until_a_person_is_asked(short_chain):
    auto = {"promote": "auto"}
    chain = short_chain("auto", dev=auto, staging=auto, prod={"approval": "required"})
    images, run = chain.to_dev("v2")
    assert run.outcome == "Deployed", run.cause
    staging = chain.pipeline.ended(chain.following("staging", run.name))
    assert staging.outcome == "Deployed", staging.cause

    waiting = chain.following("prod", staging.name)
    assert "users" in chain.pipeline.asked("auto-prod", waiting)
    started = chain.pipeline.cloud.client("stepfunctions").describe_execution(executionArn=waiting)["input"]
    asked = {**chain.ask("prod", scope="cluster", images=images), "promotedBy": staging.name}
    assert json.loads(started) == asked
    assert chain.answer("approve", waiting).outcome == "Answered"
    assert chain.pipeline.ended(waiting).outcome == "Deployed"
    for fleet in chain.fleets.values():
        assert fleet.digests() == images
