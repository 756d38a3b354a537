"""What `make sam-local` and `make test-sam` are made of, as far as it needs no Docker."""

import json
import os
import socket
import subprocess
import time
import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

import build
import engine
import sam_cli
import sam_local
from forwarder import Forwarder, free_port
from sam_words import Words

NAMES = {"eu-west-1": "us-east-1", "sha256:" + "b" * 64: "sha256:" + "1" * 64, "ecs-svc/1": "ecs-svc/77"}
SAMPLE = json.dumps({"at": "2026-11-23T10:00:10Z", "is": "ecs-svc/1", "image": "eu-west-1/a@sha256:" + "b" * 64})


def test_a_sample_is_played_in_the_words_of_the_local_aws_and_answered_in_its_own():
    words = Words(SAMPLE, NAMES)
    there = json.loads(words.there)
    assert (there["is"], there["image"]) == ("ecs-svc/77", "us-east-1/a@sha256:" + "1" * 64)
    now = datetime.now(timezone.utc)
    assert abs(datetime.fromisoformat(there["at"].replace("Z", "+00:00")) - now) < timedelta(seconds=2)
    assert json.loads(words.back(words.there)) == json.loads(SAMPLE)


def test_a_name_that_begins_like_another_is_that_of_nothing_else():
    names = {"ecs-svc/1": "ecs-svc/23", "ecs-svc/2": "ecs-svc/14"}
    words = Words('["ecs-svc/1", "ecs-svc/2", "ecs-svc/17"]', names)
    assert words.there == '["ecs-svc/23", "ecs-svc/14", "ecs-svc/17"]'
    assert words.back(words.there) == '["ecs-svc/1", "ecs-svc/2", "ecs-svc/17"]'


@pytest.mark.parametrize(
    ("answer", "golden", "same"),
    [
        ("2026-11-23T10:00:11.25Z", "2026-11-23T10:00:10Z", True),
        ("2026-11-23T10:01:10Z", "2026-11-23T10:00:10Z", False),
        ("2026-11-23T09:59:10Z", "2026-11-23T10:00:10Z", False),
        ("ecs-svc/5340614990615565976", "ecs-svc/3", True),
        ("ecs-svc/5340614990615565976", "ecs-svc/1", False),
        ("ecs-svc/1", "ecs-svc/3", False),
        ("task-definition/users:3", "task-definition/users:2", True),
        ("Healthy", "Unhealthy", False),
    ],
)
def test_only_the_clock_and_what_aws_has_numbered_meanwhile_may_differ(answer, golden, same):
    one, other = json.dumps({"a": answer}), json.dumps({"a": golden})
    assert Words(SAMPLE, NAMES).same(one, other) is same


def test_every_sample_is_found_with_its_answer():
    folders = sorted(each.name for each in (build.ROOT / "events").iterdir())
    found = sam_local.samples(folders)
    answers = list((build.ROOT / "events").glob("*/*.out.json"))
    assert len(found) == len(answers) > sam_local._EQUAL
    assert all(json.loads(each.golden) is not None for each in found)


def test_of_two_functions_that_are_one_program_each_gets_its_own():
    functions = {"AlertFunction": "alert", "SignalFunction": "alert", "DeployFunction": "deploy"}
    asked = {each.name: each.function(functions) for each in sam_local.samples(["alert", "deploy"])}
    assert asked["alert/deployed"] == asked["alert/execution-ended-refused"] == "AlertFunction"
    assert asked["alert/alarm-is-red"] == asked["alert/log-lines"] == "SignalFunction"
    assert asked["deploy/register"] == "DeployFunction"


def test_what_asked_for_nothing_must_be_answered_as_beside_it():
    whole, refused, ordinal = (
        sam_local.Sample(folder, build.ROOT / f"events/{folder}/{case}.json")
        for folder, case in (("deploy", "run"), ("retag", "invalid-digest"), ("release", "invalid-event"))
    )
    assert sam_local.missing(ordinal, []) == sam_local.missing(refused, []) == ""
    assert "given whole" in sam_local.missing(whole, [])
    assert "ledger" in sam_local.missing(ordinal, ["ssm:GetParametersByPath", "dynamodb:BatchGetItem"])


def test_the_template_keeps_all_but_where_the_code_is_and_what_the_functions_are_told(tmp_path, monkeypatch):
    document = {
        "Globals": {"Function": {"Timeout": 30, "Environment": {"Variables": {"A": "template"}}}},
        "Resources": {"F": {"Type": "AWS::Serverless::Function", "Properties": {"CodeUri": "F", "MemorySize": 1}}},
    }
    (tmp_path / "template.yaml").write_text(json.dumps(document))
    monkeypatch.setattr(sam_cli, "PACKAGE", tmp_path)
    written = json.loads(sam_cli.lay_out(tmp_path / "tree", {"F": {"A": "here"}}).read_text())
    told = {"CodeUri": str(tmp_path / "F"), "MemorySize": 1, "Environment": {"Variables": {"A": "here"}}}
    assert written["Resources"]["F"]["Properties"] == told and written["Globals"]["Function"] == {"Timeout": 30}


def test_the_stand_in_for_the_base_image_stays_small():
    assert len((build.ROOT / "local/sam_base.py").read_text().splitlines()) <= 30


def test_the_forwarder_listens_on_one_address_and_only_while_it_runs():
    with socket.create_server(("127.0.0.1", 0)) as server, Forwarder("127.0.0.2") as forwarder:
        port = server.getsockname()[1]
        there = int(forwarder.url(port).rpartition(":")[2])
        threading.Thread(target=_echo, args=[server], daemon=True).start()
        with socket.create_connection(("127.0.0.2", there), timeout=5) as client:
            client.sendall(b"hello")
            client.shutdown(socket.SHUT_WR)
            assert client.makefile("rb").read() == b"hello"
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", there), timeout=5)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", there), timeout=5)


def test_a_free_port_can_be_taken():
    with socket.create_server(("127.0.0.1", free_port())):
        pass


@pytest.mark.parametrize("target", ["sam-local", "test-sam"])
def test_whoever_has_no_engine_hears_of_it_before_anything_is_built(target):
    done = _without_engine(["make", target])
    assert done.returncode and f"make {target} needs a Docker engine" in done.stderr
    assert "`make test` needs none" in done.stderr and not done.stdout


def test_what_cannot_have_an_engine_is_not_run_and_says_why(monkeypatch, capsys):
    monkeypatch.setattr(engine, "runs", lambda: False)
    monkeypatch.setattr(engine.shutil, "which", lambda name: None)
    monkeypatch.setattr(engine.os, "geteuid", lambda: 0)
    monkeypatch.setattr("sys.argv", ["engine.py", "false"])
    monkeypatch.setattr(engine.signal, "signal", lambda *_: None)
    assert engine.main() == 0
    assert "not run: false needs a Docker engine: none is installed" in capsys.readouterr().err


def test_a_command_that_takes_too_long_is_ended_with_all_it_has_started(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(engine, "runs", lambda: True)
    monkeypatch.setattr(engine.signal, "signal", lambda *_: None)
    script = f"sleep 60 & echo $! > {tmp_path}/pid; wait"
    monkeypatch.setattr("sys.argv", ["engine.py", "--within", "1", "bash", "-c", script])
    assert engine.main() == 1
    assert "took too long and was ended" in capsys.readouterr().err
    process = Path("/proc", (tmp_path / "pid").read_text().strip(), "stat")
    deadline = time.monotonic() + 10  # it is told to end, and does so when it gets its turn
    while _lives(process):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _lives(process: Path) -> bool:
    try:
        return process.read_text().split()[2] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _echo(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection:
        connection.sendall(connection.recv(100))


def _without_engine(command: list[str]) -> subprocess.CompletedProcess:
    settings = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    settings["DOCKER_HOST"] = "unix:///nonexistent"
    return subprocess.run(command, cwd=build.ROOT, env=settings, capture_output=True, text=True, check=False)
