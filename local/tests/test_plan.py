"""`make plan`, asked as an engineer asks: it tells what a release would do, and nothing is written for it."""

import os
import subprocess
import sys

import pytest

import asking
import build
import plan
from pipeline import written

OLD, NEW = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
HOST = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"


def move(**more) -> dict:
    """A move as the machine answers it."""
    image = f"{HOST}/shop/users"
    change = {"container": "app", "from": f"{image}@{OLD}", "to": f"{image}@{NEW}"}
    digests = {"from": OLD, "to": NEW, "commit": "1a2b3c4d5e6f7a8b"}
    return {"wave": 0, "service": "users", "repository": "shop/users", "changes": [change], **digests, **more}


def answer(**more) -> dict:
    """A plan as the machine answers it."""
    because = {"because": "2 services in prod; on failure: undo every touched service"}
    empty = {"plan": [], "waves": [], "approvalMinutes": 0, "etaSeconds": 0}
    return {"next": "Planned", "environment": "prod", "pauseSeconds": 0, **because, **empty, **more}


def test_a_plan_is_a_table_of_moves_and_what_else_is_to_know():
    tagged = {"container": "proxy", "from": f"{HOST}/shop/users:main-1", "to": f"{HOST}/shop/users@{NEW}"}
    first = move(service="canary", commit=None, **{"from": None})
    second = move(wave=1, changes=[*move()["changes"], tagged])
    waves = [{"services": 1, "seconds": 95}, {"services": 901, "seconds": 4200}]
    untouched = [{"service": "web", "why": "it runs bbbbbbbbbbbb already"}]
    more = {"more": 900, "untouched": untouched, "findings": ["dev has not verified it for 30 minutes"]}
    document = answer(plan=[first, second], waves=waves, etaSeconds=4295, approvalMinutes=1440, **more)
    assert plan.told(document).splitlines() == [
        "prod: 2 services in prod; on failure: undo every touched service",
        "  WAVE  SERVICE  FROM          TO            COMMIT        IMAGES",
        "  0     canary   -             bbbbbbbbbbbb  -             "
        "app: shop/users@aaaaaaaaaaaa -> @bbbbbbbbbbbb",
        "  1     users    aaaaaaaaaaaa  bbbbbbbbbbbb  1a2b3c4d5e6f  "
        "app: shop/users@aaaaaaaaaaaa -> @bbbbbbbbbbbb, proxy: shop/users:main-1 -> @bbbbbbbbbbbb",
        "  and 900 more",
        "untouched",
        "  web  it runs bbbbbbbbbbbb already",
        "findings",
        "  dev has not verified it for 30 minutes",
        "about 1 hour 12 minutes: 1 service in 95 seconds, then 901 services in 1 hour 10 minutes; "
        "somebody must agree to it first, within 24 hours",
    ]


def test_an_image_of_another_name_is_said_in_full():
    [change] = move()["changes"]
    moved = move(changes=[{**change, "from": "shop/old:1"}])
    assert "app: shop/old:1 -> shop/users@bbbbbbbbbbbb" in plan.told(answer(plan=[moved]))


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 seconds"), (1, "1 second"), (119, "119 seconds"), (120, "2 minutes"), (7230, "2 hours")],
)
def test_a_duration_in_words(seconds, said):
    assert plan.words(seconds) == said


@pytest.fixture(scope="module")
def planned(pipeline):
    """An environment at rest, and an image that it could run."""
    scene = pipeline.scene("planned")
    scene.image = scene.push("wanted", "v2")["digest"]
    return scene


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


def test_what_is_wrong_is_a_sentence(pipeline, planned):
    unknown = ask(pipeline, "--environment", "planed")
    assert unknown.returncode == 1 and unknown.stdout == ""
    assert unknown.stderr.startswith('FAILED  Refused: there is no environment "planed": expected one of')
    missing = ask(pipeline, "--environment", "planned", "--stack", "elsewhere")
    assert missing.returncode == 1 and "elsewhere" in missing.stderr


def test_a_demo_that_was_left_running(pipeline, planned, monkeypatch, capsys):
    monkeypatch.setattr(asking, "DEMO", pipeline.cloud.state / "aws.json")
    assert plan.main(["--local", "--environment", "planned"]) == 0
    assert "release/planned" in capsys.readouterr().out
