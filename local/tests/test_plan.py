"""`make plan`, asked as an engineer asks: it tells what a release would do, and nothing is written for it."""

import os
import subprocess
import sys

import pytest

import cli
import build
import plan
from pipeline import written
from service import Service, open_environment

OLD, NEW = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
HOST = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"


def move(**more) -> dict:
    """A move as the machine answers it."""
    image = f"{HOST}/shop/users"
    change = {"container": "app", "from": f"{image}@{OLD}", "to": f"{image}@{NEW}"}
    digests = {"from": OLD, "to": NEW, "commit": "1a2b3c4d5e6f7a8b"}
    return {"wave": 0, "service": "users", "repository": "shop/users", "changes": [change], "tests": "1 open, 3 live", **digests, **more}


def answer(**more) -> dict:
    """A plan as the machine answers it."""
    because = {"because": "2 services in prod; on failure: roll back every updated service"}
    empty = {"plan": [], "waves": [], "approvalMinutes": 0, "etaSeconds": 0}
    return {"next": "Planned", "environment": "prod", "pauseSeconds": 0, **because, **empty, **more}


def test_a_plan_is_a_table_of_moves_and_what_else_is_to_know():
    tagged = {"container": "proxy", "from": f"{HOST}/shop/users:main-1", "to": f"{HOST}/shop/users@{NEW}"}
    first = move(service="canary", commit=None, **{"from": None})
    second = move(wave=1, changes=[*move()["changes"], tagged])
    waves = [{"services": 1, "seconds": 95}, {"services": 901, "seconds": 4200}]
    untouched = [{"service": "web", "why": "it runs bbbbbbbbbbbb already"}]
    found = [{"kind": "refuses", "text": "dev has not verified it for 30 minutes"}]
    more = {"more": 900, "untouched": untouched, "findings": found}
    document = answer(plan=[first, second], waves=waves, etaSeconds=4295, approvalMinutes=1440, **more)
    assert plan.text(document).splitlines() == [
        "prod: 2 services in prod; on failure: roll back every updated service",
        "  WAVE  SERVICE  FROM          TO            COMMIT        TESTS           IMAGES",
        "  0     canary   -             bbbbbbbbbbbb  -             1 open, 3 live  "
        "app: shop/users@aaaaaaaaaaaa -> @bbbbbbbbbbbb",
        "  1     users    aaaaaaaaaaaa  bbbbbbbbbbbb  1a2b3c4d5e6f  1 open, 3 live  "
        "app: shop/users@aaaaaaaaaaaa -> @bbbbbbbbbbbb, proxy: shop/users:main-1 -> @bbbbbbbbbbbb",
        "  and 900 more",
        "untouched",
        "  web  it runs bbbbbbbbbbbb already",
        "findings",
        "  refuses  dev has not verified it for 30 minutes",
        "about 1 hour 12 minutes: 1 service in 95 seconds, then 901 services in 1 hour 10 minutes; "
        "it needs an approval first, within 24 hours",
    ]


def test_an_image_of_another_name_is_said_in_full():
    [change] = move()["changes"]
    moved = move(changes=[{**change, "from": "shop/old:1"}])
    assert "app: shop/old:1 -> shop/users@bbbbbbbbbbbb" in plan.text(answer(plan=[moved]))


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 seconds"), (1, "1 second"), (119, "119 seconds"), (120, "2 minutes"), (7230, "2 hours")],
)
def test_a_duration_in_words(seconds, said):
    assert plan.words(seconds) == said


@pytest.fixture(scope="module")
def planned(pipeline):
    """An environment at rest, and an image that it could run."""
    service = pipeline.service("planned")
    service.image = service.push("wanted", "v2", commit="1a2b3c4d5e6f7a8b")["digest"]
    return service


@pytest.fixture(scope="module")
def following(pipeline, planned):
    """The environment after it, where an image has to have been good for an hour before."""
    open_environment(pipeline.cloud, "planned-next", **{"from": "planned", "soakMinutes": 60})
    service = Service(pipeline.cloud, "planned-next", planned.repository, "planned")
    service.create(planned.tagged("baseline"), tasks=1)
    service.wait()
    return service


def ask(pipeline, *arguments: str) -> subprocess.CompletedProcess:
    """Runs the program as `make plan` does."""
    settings = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    settings |= pipeline.cloud.environment
    command = [sys.executable, "local/plan.py", *arguments]
    return subprocess.run(command, cwd=build.ROOT, env=settings, capture_output=True, text=True, check=False)


def test_an_environment_alone_shows_what_would_be_managed(pipeline, planned):
    with pipeline.calls() as calls:
        shown = ask(pipeline, "--environment", "planned")
    assert shown.stdout.splitlines()[1:] == [
        "  SERVICE  REPOSITORY       BLOCKED BY",
        "  planned  release/planned  -",
    ]
    assert written(calls) == [] and {call["agent"] for call in calls} == {"tidegate-release"}


@pytest.mark.parametrize("some", [[], ["--scope", "image"], ["--services", "planned"]])
def test_an_image_shows_its_moves(pipeline, planned, some):
    old, new = planned.tagged("baseline"), planned.image
    request = ["--environment", "planned", "--repository", planned.repository, "--image", "wanted", *some]
    with pipeline.calls() as calls:
        shown = ask(pipeline, *request)
    assert shown.returncode == 0, shown.stderr
    _, titles, move, took = shown.stdout.splitlines()
    short = {"old": plan.short(old), "new": plan.short(new)}
    change = "app: release/planned@{old} -> @{new}".format(**short)
    assert titles.split() == list(plan.MOVES)
    tests = ["3", "live"]
    assert move.split(maxsplit=7) == ["0", "planned", short["old"], short["new"], "1a2b3c4d5e6f", *tests, change]
    assert took.startswith("about ") and "1 service in " in took
    assert written(calls) == [] and {call["agent"] for call in calls} == {"tidegate-release"}


def test_a_cluster_shows_what_would_be_refused(pipeline, planned, following):
    images = {planned.repository: planned.image}
    request = {"environment": "planned-next", "scope": "cluster", "images": images, "mode": "plan"}
    with pipeline.calls() as calls:
        run = pipeline.run(request)
    assert run.outcome == "Planned", run.cause
    assert any("planned has not verified" in finding["text"] for finding in run.output["findings"])
    assert [move["to"] for move in run.output["plan"]] == [planned.image]
    assert written(calls) == []

    assert pipeline.request(planned, planned.image, "v2").faults() == []
    shown = ask(pipeline, "--environment", "planned-next", "--scope", "cluster")
    assert shown.returncode == 0, shown.stderr
    findings = shown.stdout.partition("\nfindings\n")[2]
    assert "needs 60 minutes of soak" in findings
    assert plan.short(planned.image) in shown.stdout.partition("\nfindings\n")[0]


def test_a_frozen_environment_would_refuse(pipeline, planned):
    planned.push("later", "v3")
    freeze = {"environment": "planned", "mode": "freeze", "reason": "the sale"}
    assert pipeline.run(freeze).outcome == "Answered"
    shown = ask(pipeline, "--environment", "planned", "--repository", planned.repository, "--image", "later")
    assert pipeline.run({"environment": "planned", "mode": "resume"}).outcome == "Answered"
    assert "planned is frozen since" in shown.stdout + shown.stderr
    assert "(the sale)" in shown.stdout + shown.stderr


def test_what_is_wrong_is_a_sentence(pipeline, planned):
    unknown = ask(pipeline, "--environment", "planed")
    assert unknown.returncode == 1 and unknown.stdout == ""
    assert unknown.stderr.startswith('FAILED  there is no environment "planed": expected one of')
    missing = ask(pipeline, "--environment", "planned", "--stack", "elsewhere")
    assert missing.returncode == 1 and "elsewhere" in missing.stderr


def test_a_demo_that_was_left_running(pipeline, planned, monkeypatch, capsys):
    monkeypatch.setattr(cli, "DEMO", pipeline.cloud.state / "aws.json")
    assert plan.main(["--local", "--environment", "planned"]) == 0
    assert "release/planned" in capsys.readouterr().out
