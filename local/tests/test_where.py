"""`make where`, asked as an engineer asks: with credentials in the environment, of the real ledger."""

import json
import os
import subprocess
import sys
from collections import Counter

import pytest

import cli
import build
import where


@pytest.fixture(scope="module")
def released(pipeline):
    """An environment with a verified release, and that release."""
    service = pipeline.service("where")
    proof = pipeline.push(service, "where-1a2b3c", "v2", commit="1a2b3c4d5e6f7a8b9c0d")
    assert proof.faults() == []
    return service, proof


def ask(pipeline, *arguments: str) -> subprocess.CompletedProcess:
    """Runs the program as `make where` does."""
    # Nothing of this machine's own settings: an account that a test meets by chance is not asked.
    settings = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    settings |= pipeline.cloud.environment
    command = [sys.executable, "local/where.py", *arguments]
    return subprocess.run(command, cwd=build.ROOT, env=settings, capture_output=True, text=True, check=False)


def row(answer: subprocess.CompletedProcess) -> dict[str, str]:
    """The one service of the answer, by the table's own titles."""
    assert answer.returncode == 0, answer.stderr
    _, titles, line, *_ = answer.stdout.splitlines()
    starts = [titles.index(title) for title in where.TITLES]
    ends = [*starts[1:], None]
    return {title: line[a:b].strip() for title, a, b in zip(where.TITLES, starts, ends)}


def test_what_was_released_is_shown_with_its_evidence(pipeline, released):
    service, proof = released
    baseline = service.tagged("baseline").removeprefix("sha256:")[:12]
    answer = ask(pipeline, "--environment", "where")
    assert answer.stdout.startswith("where: cluster where\n")
    shown = row(answer)
    known = known_of(pipeline, "where")
    assert shown.pop("SINCE (UTC)") == known["since"]["S"][:19].replace("T", " ")
    assert shown == {
        "SERVICE": "where",
        "IMAGE": f"release/where@{proof.digest.removeprefix('sha256:')[:12]}",
        "COMMIT": "1a2b3c4d5e6f",
        "TAGS": "where-1a2b3c",
        "RUNS": "as verified",
        "PREVIOUS": baseline,
        "VERIFIED BY": proof.run.name,
    }


def known_of(pipeline, name: str) -> dict:
    """What the ledger itself has."""
    dynamodb = pipeline.cloud.client("dynamodb")
    [table] = [each for each in dynamodb.list_tables()["TableNames"] if "-Ledger-" in each]
    key = {"pk": {"S": f"env#{name}"}, "sk": {"S": f"service#{name}"}}
    return dynamodb.get_item(TableName=table, Key=key)["Item"]["verified"]["M"]


def alerts(answer: subprocess.CompletedProcess) -> list[str]:
    """What the answer says of alerts."""
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.partition("  alerts, the newest run first\n")[2].splitlines()


def test_each_channel_is_shown_with_what_it_was_told(pipeline, released):
    told, name = alerts(ask(pipeline, "--environment", "where")), released[1].run.name
    when = pipeline.row(released[1].run, "alert#sns")["time"][:19].replace("T", " ")
    assert [told[0], told[1]] == [f"    {name}", f"      sns      Deployed  sent  {when}"]
    assert [line.split()[:3] for line in told[2:]] == [["webhook", "Deployed", "sent"]]


def test_of_the_runs_before_the_last_one_only_what_a_channel_lacks_is_shown(pipeline, released):
    """Written here as the ledger has it: the newest run has told nothing yet, and the oldest is one too many."""
    put(pipeline, "where-told", {"cluster": "where-told", "tag": "where-told"})
    why = "it answered 503, which it does whenever somebody who is very important deploys, and then for an hour at least"
    deliveries = {
        "r1": {"chat": {"status": "failed", "error": "it is one of too many"}},
        "r2": {"chat": {"status": "failed", "error": "Slack answered not_in_channel"}, "sns": {}},
        "r3": {"chat": {"status": "sent"}},
        "r4": {},
        "r5": {"chat": {"status": "sent", "error": "an hour ago"}, "mail": {"status": "due", "error": why}},
        "r6": {},
    }
    table = pipeline.cloud.client("dynamodb")
    for n, (run, channels) in enumerate(deliveries.items()):
        write(table, pipeline.ledger, {"pk": "runs#where-told", "sk": f"2026-11-23T10:0{n}:00.000Z#{run}"})
        for channel, row in channels.items():
            told = {"outcome": "RolledBack", "time": f"2026-11-23T10:0{n}:30Z", **row}
            write(table, pipeline.ledger, {"pk": f"release#{run}", "sk": f"alert#{channel}", **told})
    shown = alerts(ask(pipeline, "--environment", "where-told"))
    assert shown == [
        "    r5",
        "      chat  RolledBack  sent  2026-11-23 10:04:30",
        "      mail  RolledBack  due   2026-11-23 10:04:30",
        "        why: it answered 503, which it does whenever somebody who is very",
        "          important deploys, and then for an hour at least",
        "    r2",
        "      chat  RolledBack  failed  2026-11-23 10:01:30",
        "        why: Slack answered not_in_channel",
    ]
    assert all(len(line) <= 80 for line in shown)


def write(dynamodb, table: str, row: dict[str, str]) -> None:
    """Puts a row of texts into the ledger."""
    dynamodb.put_item(TableName=table, Item={name: {"S": value} for name, value in row.items()})


def test_a_few_queries_for_an_environment_and_no_scan(pipeline, released):
    before = len(pipeline.cloud.calls(agent="where"))
    assert ask(pipeline, "--environment", "where").returncode == 0
    calls = pipeline.cloud.calls(agent="where")[before:]
    assert Counter(call["operation"] for call in calls) == {
        "DescribeStacks": 1,
        "GetParametersByPath": pipeline.pages(),
        "Query": 3,  # the environment, its last runs, and what was told of the only one
        "DescribeServices": 1,
        "DescribeImages": 1,
    }


def test_what_somebody_deployed_by_hand_is_drift(pipeline, released):
    service, _ = released
    verified = service.described()["taskDefinition"]
    theirs = service.push("by-hand", "v3")["digest"]
    described = service.ecs.describe_task_definition(taskDefinition=verified)["taskDefinition"]
    [container] = described["containerDefinitions"]
    kept = {name: described[name] for name in ("networkMode", "requiresCompatibilities", "cpu", "memory")}

    def deploy(image: str) -> str:
        changed = [{**container, "image": image}]
        made = service.ecs.register_task_definition(family="hand", containerDefinitions=changed, **kept)
        revision = made["taskDefinition"]["taskDefinitionArn"]
        service.ecs.update_service(cluster="where", service="where", taskDefinition=revision)
        return revision.rsplit("/", 1)[-1]

    try:
        same = deploy(container["image"])
        assert row(ask(pipeline, "--environment", "where"))["RUNS"] == f"as verified, by {same}"
        other = deploy(pipeline.cloud.image(service.repository, theirs))
        shown = row(ask(pipeline, "--environment", "where"))["RUNS"]
        assert shown == f"DRIFT: {other}, release/where@{theirs.removeprefix('sha256:')[:12]}"
    finally:
        service.ecs.update_service(cluster="where", service="where", taskDefinition=verified)


def test_an_environment_without_a_release_says_so(pipeline):
    put(pipeline, "where-new", {"cluster": "where-new", "tag": "where-new"})
    answer = ask(pipeline, "--environment", "where-new")
    assert answer.stdout == "where-new: cluster where-new\n  no release was verified here yet\n"


def test_a_frozen_environment_says_so(pipeline):
    put(pipeline, "where-frozen", {"cluster": "where-frozen", "tag": "where-frozen"})
    frozen = {"environment": "where-frozen", "mode": "freeze", "reason": "the sale"}
    assert pipeline.run(frozen).outcome == "Answered"
    answer = ask(pipeline, "--environment", "where-frozen")
    assert "where-frozen, frozen since 20" in answer.stdout and "(the sale)" in answer.stdout


def put(pipeline, name: str, document: dict) -> None:
    """Writes the document of an environment that has no service."""
    text = json.dumps(document)
    parameter = {"Name": f"{where.ENVIRONMENTS}/{name}", "Value": text, "Type": "String", "Overwrite": True}
    pipeline.cloud.client("ssm").put_parameter(**parameter)


def test_what_is_wrong_is_a_sentence(pipeline, released):
    unknown = ask(pipeline, "--environment", "wher")
    assert unknown.returncode == 1 and "there is no environment 'wher': expected " in unknown.stderr
    missing = ask(pipeline, "--stack", "elsewhere")
    assert missing.returncode == 1 and missing.stderr.startswith("FAILED  ") and "elsewhere" in missing.stderr


def test_a_demo_that_was_left_running(pipeline, released, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(cli, "DEMO", pipeline.cloud.state / "aws.json")
    assert where.main(["--local", "--environment", "where"]) == 0
    assert released[1].run.name in capsys.readouterr().out
    monkeypatch.setattr(cli, "DEMO", tmp_path / "aws.json")
    assert where.main(["--local"]) == 1
    assert "make demo KEEP=1" in capsys.readouterr().err
