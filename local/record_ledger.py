"""Records rows of every kind as the ledger has them today, from real releases on a local AWS.

    make build && .local/venv/bin/python local/record_ledger.py crates/testbed/ledger/<date>.json

Every recording is kept: what a later version writes must not keep it from reading what an earlier one has
written. Among the releases are one that is open in mid-bake, one that waits for a person, one of each end that
services have seen, and a hold. What a run draws by chance is renamed, so that a recording can be read.
"""

import json
import re
import sys
import tempfile
from decimal import Decimal
from pathlib import Path

from boto3.dynamodb.types import TypeDeserializer

import build
import watch
from cloud import Cloud
from service import PACK, SoleService, Service, open_environment, put

sys.path.append(str(Path(__file__).with_name("tests")))

from pipeline import Pipeline  # noqa: E402

QUICK = {"bakeSeconds": 0, "healthTimeoutSeconds": 60}
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")


class Recorder:
    """Runs releases, each under a name that says how it ends."""

    def __init__(self, cloud) -> None:
        self.cloud, self.pipeline, self.names = cloud, Pipeline(cloud), {}

    def start(self, name: str, environment: str, **more) -> str:
        """Starts an execution of that name."""
        document = json.dumps({"environment": environment, **more})
        sfn = self.cloud.client("stepfunctions")
        return sfn.start_execution(stateMachineArn=self.pipeline.machine, name=name, input=document)[
            "executionArn"
        ]

    def run(self, outcome: str, name: str, environment: str, **more) -> None:
        """Starts an execution of that name, and insists on how it ends."""
        run = self.pipeline.ended(self.start(name, environment, **more))
        assert run.outcome == outcome, f"{name}: {run.cause}"

    def run_all(self) -> None:
        """All releases; two of them are left unfinished."""
        users = SoleService(self.cloud, "dev", "release/users", "users", deployOn=["main-*"], **QUICK)
        users.run(users.push("first", "v1")["digest"])
        self._pushed(users)
        image = {"repository": users.repository}
        users.distrust()
        bad = users.push("build-3", "v3", behaviour="crashes")["digest"]
        self.run("RolledBack", "rolled-back", "dev", **image, image=bad)
        left = users.push("build-4", "v4", commit="1a2b3c4d5e6f")["digest"]
        self.run("Deployed", "deployed", "dev", **image, image=left)
        self.run("Deployed", "rolled-back-on-request", "dev", mode="rollback")
        self._waiting(users)
        put(self.cloud, "environments/dev/services/users/tests", {"cheks": PACK["checks"]})
        forced = {"force": True, "reason": "a drill"}
        self.run("RolledBack", "fails-before-it-touches", "dev", **image, image=left, **forced)
        self.run("Answered", "the-freeze", "dev", mode="freeze", reason="the sale")
        self._open()

    def _pushed(self, users: Service) -> None:
        """A push, which starts its release by an event, and the execution that the release's own retag starts."""
        digest = users.push("main-2", "v2")["digest"]
        for name, tag, outcome in (("pushed", "main-2", "Deployed"), ("retagged", "dev", "Ignored")):
            execution = watch.started_by_push(self.cloud, self.pipeline.machine, digest, tag)
            run = self.pipeline.ended(execution)
            assert run.outcome == outcome, run.cause
            self.names[run.name] = name

    def _waiting(self, before: Service) -> None:
        """The environment after `dev`, where a release waits for a person."""
        open_environment(self.cloud, "staging", **{"from": "dev", "approval": "required"}, **QUICK)
        users = Service(self.cloud, "staging", before.repository, before.name)
        users.create(before.tagged("first"), tasks=1)
        users.wait()
        self.pipeline.asked("staging", self.start("waits-for-approval", "staging"))

    def _open(self) -> None:
        """A release of two waves, which is left while it bakes after the first."""
        shop = self.pipeline.fleet("shop", ["canary", "orders"], waves=[["canary"], ["*"]])
        self.run("Deployed", "before-the-open", "shop", scope="cluster", images=shop.push("v2"))
        shop.change(bakeSeconds=3600)
        self.pipeline.reached(self.start("open", "shop", scope="cluster", images=shop.push("v3")), "Bake")


def rows(cloud, table: str, names: dict[str, str]) -> list[dict]:
    """All rows as plain JSON, under names that can be read."""
    pages = cloud.client("dynamodb").get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    read, found = TypeDeserializer(), []
    for item in [item for page in pages for item in page["Items"]]:
        found.append({name: read.deserialize(value) for name, value in item.items()})
    text = json.dumps(found, default=_number)
    for release, name in names.items():
        text = text.replace(release, name)
    # What an image holds differs from machine to machine, and so does its digest.
    for number, digest in enumerate(dict.fromkeys(_DIGEST.findall(text)), 1):
        text = text.replace(digest, f"{number:064x}")
    return sorted(_few(json.loads(text)), key=lambda row: (row["pk"], row["sk"]))


def _few(found: list[dict]) -> list[dict]:
    """Without the revisions but one, of which each is a page long."""
    revisions = sorted(row["pk"] for row in found if row["pk"].startswith("revision#"))
    return [row for row in found if row["pk"] not in revisions[1:]]


def _number(value: Decimal) -> int:
    assert isinstance(value, Decimal) and value == int(value), value
    return int(value)


def main() -> None:
    [into] = map(Path, sys.argv[1:])
    build.build()
    with tempfile.TemporaryDirectory() as state, Cloud(state, wait_scale=0.1) as cloud:
        recorder = Recorder(cloud)
        recorder.run_all()
        recorded = rows(cloud, recorder.pipeline.ledger, recorder.names)
    lines = [json.dumps(row, sort_keys=True) for row in recorded]
    into.parent.mkdir(exist_ok=True)
    into.write_text("[\n" + ",\n".join(lines) + "\n]\n")
    print(f"{len(lines)} rows")


if __name__ == "__main__":
    main()
