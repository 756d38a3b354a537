"""The launcher: quick to start, alone on its addresses, and gone without a trace."""

import json
import os
import signal
import socket
import subprocess
import sys
import types
from pathlib import Path

import pytest

import image
import machine
from cloud import Cloud
from overlay.wrap import need, wrap

LAUNCHER = Path(__file__).parents[1] / "aws.py"


def run_a_service(cloud: Cloud, eventually) -> str:
    """Runs a service of one task; returns the task's address."""
    ecs = cloud.client("ecs")
    cloud.client("ecr").create_repository(repositoryName="shop/users")
    reference = cloud.image("shop/users", image.push(cloud, "shop/users", cloud.network, "v1"))
    ecs.create_cluster(clusterName="shop")
    container = {"name": "app", "image": reference}
    ecs.register_task_definition(family="users", networkMode="awsvpc", containerDefinitions=[container])
    service = {"cluster": "shop", "serviceName": "users", "taskDefinition": "users", "desiredCount": 1}
    ecs.create_service(**service)

    def address() -> str | None:
        arns = ecs.list_tasks(cluster="shop")["taskArns"]
        [task] = ecs.describe_tasks(cluster="shop", tasks=arns)["tasks"]
        interfaces = task["containers"][0]["networkInterfaces"]
        return interfaces[0]["privateIpv4Address"] if interfaces else None

    found = eventually(address)
    eventually(lambda: answers(found, 8080))
    return found


def answers(address: str, port: int) -> bool:
    with socket.socket() as attempt:
        return attempt.connect_ex((address, port)) == 0


def left_of(cloud: Cloud) -> list[str]:
    """The command lines of all processes that this launcher started and that still run."""
    marks = (str(cloud.state).encode(), f"{cloud.network}.".encode())
    left = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(mark in (process / "environ").read_bytes() for mark in marks):
                left.append((process / "cmdline").read_text())
        except OSError:
            pass
    return left


def test_two_side_by_side_leave_nothing(tmp_path, eventually):
    with Cloud(tmp_path / "one") as one, Cloud(tmp_path / "two") as two:
        assert one.endpoint != two.endpoint and one.network != two.network
        addresses = [run_a_service(cloud, eventually) for cloud in (one, two)]
        assert len(left_of(one)) == len(left_of(two)) == 2
    for cloud, address in zip((one, two), addresses):
        assert not left_of(cloud)
        assert not answers(address, 8080) and not answers("127.0.0.1", int(cloud.endpoint.rsplit(":")[-1]))
        assert sorted(file.name for file in cloud.state.iterdir()) == ["aws.lock", "aws.log", "calls.jsonl"]


def test_killed_launcher_takes_all_with_it(tmp_path, eventually):
    with Cloud(tmp_path) as cloud:
        run_a_service(cloud, eventually)
        cloud.client("lambda").invoke(FunctionName=machine.function(cloud, "one"), Payload=b"{}")
        assert len(left_of(cloud)) == 3
        os.kill(cloud.pid, signal.SIGKILL)
        eventually(lambda: not left_of(cloud))


def test_ends_with_its_parent(tmp_path, eventually):
    launch = f"{sys.executable} {LAUNCHER} --state {tmp_path}"
    command = f"{launch} & while [ ! -e {tmp_path}/aws.json ]; do sleep 0.05; done"
    subprocess.run(["sh", "-c", command], check=True)
    eventually(lambda: not (tmp_path / "aws.json").exists())
    eventually(lambda: not (tmp_path / "tmp").exists())


def test_one_launcher_per_directory(tmp_path):
    with Cloud(tmp_path) as cloud:
        second = subprocess.run(
            [sys.executable, LAUNCHER, "--state", tmp_path], capture_output=True, text=True, check=False
        )
        assert second.returncode == 1 and "already runs" in second.stderr
        cloud.client("sts").get_caller_identity()


def test_listens_on_loopback_only(cloud):
    """Port numbers in hexadecimal, state 0A is listening: see proc(5)."""
    inodes = {
        os.readlink(fd) for fd in Path(f"/proc/{cloud.pid}/fd").iterdir() if fd.exists() or fd.is_symlink()
    }
    listening = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{cloud.pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                listening.append(fields[1].partition(":")[0])
    # Its own address is 127.0.0.1; its load balancers have others in 127.0.0.0/8.
    assert "0100007F" in listening and all(address.endswith("7F") for address in listening)


def test_calls_are_recorded(cloud):
    ecs = cloud.client("ecs", agent="recorder")
    ecs.list_clusters()
    with pytest.raises(ecs.exceptions.ClusterNotFoundException):
        ecs.describe_services(cluster="none", services=["secret"])
    cloud.client("elbv2", agent="recorder").describe_target_groups()
    cloud.client("lambda", agent="recorder").list_functions()
    calls = cloud.calls(agent="recorder")
    assert [(call["service"], call["operation"], call["status"], call["error"]) for call in calls] == [
        ("ecs", "ListClusters", 200, ""),
        ("ecs", "DescribeServices", 400, "ClusterNotFoundException"),
        ("elasticloadbalancing", "DescribeTargetGroups", 200, ""),
        ("lambda", "ListFunctions", 200, ""),
    ]
    assert "secret" not in (cloud.state / "calls.jsonl").read_text()


def test_a_changed_ministack_fails_loudly():
    module = types.ModuleType("ministack.services.some")
    module.known = lambda data: data
    with pytest.raises(RuntimeError, match="no longer has gone"):
        need(module, "known", "gone")
    with pytest.raises(RuntimeError, match=r"now takes \['data'\]"):
        wrap(module, "known")(lambda original, data, extra: None)
