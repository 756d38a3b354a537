"""A push that nobody was told of, and the list of the runs that it led to."""

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager

import build
import watch

RULE = "tidegate-image-pushed"


@contextmanager
def without_events(pipeline):
    """Meanwhile the event of a push reaches nobody."""
    events = pipeline.cloud.client("events")
    events.disable_rule(Name=RULE)
    try:
        yield
    finally:
        events.enable_rule(Name=RULE)


def ask(pipeline, program: str, *arguments: str) -> str:
    """What a program prints that `make` runs, with credentials in the environment."""
    settings = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    settings |= pipeline.cloud.environment
    command = [sys.executable, f"local/{program}.py", *arguments]
    done = subprocess.run(command, cwd=build.ROOT, env=settings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_push_whose_event_was_lost_is_started_by_a_sweep(pipeline):
    service = pipeline.service("swept")
    sweep = {"mode": "reconcile", "environment": "swept"}
    before = pipeline.run(sweep)
    assert (before.outcome, before.states) == ("Answered", ["OpenRelease", "IsAccepted", "Answered"])
    time.sleep(1)  # ECR tells whole seconds, and what was pushed in the second before the sweep is left alone
    with without_events(pipeline):
        digest = service.push("swept-7", "v2")["digest"]
        found = pipeline.run(sweep)
    assert found.outcome == "Answered" and "Alert" in found.states
    by_topic, by_webhook = pipeline.inbox.about(found.name)
    assert "swept: the push of swept-7 to release/swept at 20" in by_topic and by_webhook["severity"] == "warning"

    execution = watch.started_by_push(pipeline.cloud, pipeline.machine, digest, "swept-7")
    proof = pipeline._proof(service, digest, "v2", watch.follow(pipeline.cloud, execution))
    assert proof.faults() == [] and proof.run.name.startswith("lost-swept-") and proof.run.name in by_topic

    # Its own event comes after all.
    late = pipeline.event(proof.run) | {"id": "the-late-event"}
    ignored = pipeline.run(late)
    assert ignored.outcome == "Ignored"
    assert "the push of swept-7 of release/swept was found before, by " in json.dumps(ignored.output)
    assert pipeline.run(sweep).states == ["OpenRelease", "IsAccepted", "Answered"]

    listed = ask(pipeline, "runs", "--environment", "swept").splitlines()
    assert listed[0] == "swept: the newest first" and len(listed) == 3, listed
    assert all(word in listed[2] for word in ("push", proof.run.name, "Deployed", "the push of swept-7"))
    # Until a sweep that began after it has ended has looked again.
    assert "  found: the push of swept-7" in ask(pipeline, "where", "--environment", "swept")


def test_a_resume_names_what_the_freeze_refused_and_the_list_says_so(pipeline):
    service = pipeline.service("held")
    assert pipeline.run({"environment": "held", "mode": "freeze", "reason": "the sale"}).outcome == "Answered"
    digest = service.push("held-7", "v2")["digest"]
    execution = watch.started_by_push(pipeline.cloud, pipeline.machine, digest, "held-7")
    assert watch.follow(pipeline.cloud, execution).outcome == "Refused"
    resumed = pipeline.run({"environment": "held", "mode": "resume"})
    by_topic, _ = pipeline.inbox.about(resumed.name)
    request = {"environment": "held", "image": digest, "repository": "release/held"}
    assert json.dumps(request, separators=(",", ":")) in by_topic
    listed = ask(pipeline, "runs", "--environment", "held", "--last", "2").splitlines()
    assert [line.split()[2] for line in listed[2:]] == ["resume", "push"] and "Refused" in listed[3]
    assert "no run was accepted or refused here yet" in ask(pipeline, "runs", "--environment", "nowhere")
