"""`make where`: which digest runs where, since when, and which release verified it.

    python local/where.py [--environment ENV] [--stack STACK | --table TABLE] [--local]

The ledger answers, and not the services: what runs is not yet good.  So services are asked only whether
they still run what was verified.  Whoever may read the table, the environments, ECS and ECR may ask;
`--local` asks the local AWS of a demo that was left running.
"""

import argparse
import json
import os
import sys
from pathlib import Path

import boto3
from boto3.dynamodb.types import TypeDeserializer
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

DEMO = Path(__file__).resolve().parent.parent / ".local/demo/aws.json"
ENVIRONMENTS = "/tidegate/environments"
TITLES = ("SERVICE", "IMAGE", "TAGS", "SINCE (UTC)", "RUNS", "BEFORE IT", "VERIFIED BY")
_GONE = ("ImageNotFoundException", "RepositoryNotFoundException")
_AT_ONCE = 10  # services that one DescribeServices takes


class WhereError(Exception):
    """Why there is no answer, in a sentence."""


def main(arguments: list[str] | None = None) -> int:
    """Prints the answer; returns the exit code."""
    parser = argparse.ArgumentParser(prog="where.py", description="Which digest runs where.")
    parser.add_argument("--environment", help="one environment; all of them if absent")
    parser.add_argument("--stack", default="tidegate", help="the stack whose ledger is asked")
    parser.add_argument("--table", help="the ledger's table, where the stack may not be read")
    parser.add_argument("--local", action="store_true", help="ask what `make demo KEEP=1` left running")
    wanted = parser.parse_args(arguments)
    try:
        where = Where(_local_client if wanted.local else _client)
        table = wanted.table or where.table(wanted.stack)
        parts = [where.of(name, table) for name in where.environments(wanted.environment)]
    except (WhereError, ClientError, BotoCoreError) as problem:
        print(f"FAILED  {problem}", file=sys.stderr)
        return 1
    print("\n\n".join(parts))
    return 0


class Where:
    """One look at the ledger and at what runs; reads, and never scans."""

    def __init__(self, client) -> None:
        names = ("cloudformation", "ssm", "dynamodb", "ecs", "ecr")
        self._formation, self._ssm, self._dynamodb, self._ecs, self._ecr = map(client, names)
        self._known: dict[str, dict] = {}
        self._tags: dict[tuple[str, str], str] = {}

    def table(self, stack: str) -> str:
        """The name of a stack's ledger."""
        [found] = self._formation.describe_stacks(StackName=stack)["Stacks"]
        outputs = {each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", [])}
        if "LedgerTable" not in outputs:
            raise WhereError(f"the stack {stack} has no output LedgerTable: expected ours")
        return outputs["LedgerTable"]

    def environments(self, only: str | None) -> list[str]:
        """The names of all environments, or the one that is wanted."""
        for page in self._ssm.get_paginator("get_parameters_by_path").paginate(Path=ENVIRONMENTS):
            for each in page["Parameters"]:
                self._known[each["Name"].rsplit("/", 1)[-1]] = json.loads(each["Value"])
        if not self._known:
            raise WhereError(f"there is no environment: expected a document under {ENVIRONMENTS}/")
        if only and only not in self._known:
            raise WhereError(f"there is no environment {only!r}: expected {', '.join(sorted(self._known))}")
        return [only] if only else sorted(self._known)

    def of(self, environment: str, table: str) -> str:
        """What the ledger knows of one environment, as a table."""
        rows = self._rows(environment, table)
        cluster, frozen = self._known[environment]["cluster"], rows.get("frozen", {})
        title = f"{environment}: cluster {cluster}"
        if frozen.get("frozen"):
            title += f", frozen since {_time(frozen['since'])} ({frozen['because']})"
        named = {sk.removeprefix("service#"): row for sk, row in rows.items() if sk.startswith("service#")}
        verified = {service: row for service, row in named.items() if row.get("verified")}
        if not verified:
            return f"{title}\n  no service was released here yet"
        running = self._running(cluster, list(verified))
        lines = [TITLES]
        for service, row in verified.items():
            known, before = row["verified"], row.get("previous")
            line = (
                service,
                f"{known['repository']}@{_short(known['digest'])}",
                self._labels(known["repository"], known["digest"]),
                _time(known["since"]),
                self._runs(running.get(service), known, rows.get(f"lease#{service}", {})),
                _short(before["digest"]) if before else "-",
                known.get("release") or "nobody: it ran when it was adopted",
            )
            lines.append(line)
        return "\n".join([title, *_aligned(lines)])

    def _rows(self, environment: str, table: str) -> dict[str, dict]:
        """The services, leases and freeze of an environment; the tags that it wrote come after them."""
        query = {
            "TableName": table,
            "KeyConditionExpression": "pk = :pk AND sk < :writes",
            "ExpressionAttributeValues": {":pk": {"S": f"env#{environment}"}, ":writes": {"S": "write#"}},
        }
        plain, rows = TypeDeserializer().deserialize, {}
        for page in self._dynamodb.get_paginator("query").paginate(**query):
            for item in page["Items"]:
                row = {name: plain(value) for name, value in item.items()}
                rows[row["sk"]] = row
        return rows

    def _running(self, cluster: str, services: list[str]) -> dict[str, str]:
        """The task definition that each service is told to run; none of a service that is gone."""
        found = {}
        for start in range(0, len(services), _AT_ONCE):
            some = services[start : start + _AT_ONCE]
            for service in self._ecs.describe_services(cluster=cluster, services=some)["services"]:
                for deployment in service["deployments"]:
                    if (service["status"], deployment["status"]) == ("ACTIVE", "PRIMARY"):
                        found[service["serviceName"]] = deployment["taskDefinition"]
        return found

    def _runs(self, running: str | None, known: dict, lease: dict) -> str:
        """Whether a service runs what was verified, and what it runs if not."""
        if running == known["taskDefinition"]:
            return "as verified"
        if running is None:
            return "DRIFT: no such service"
        revision = running.rsplit("/", 1)[-1]
        if lease.get("holder"):
            return f"{revision}, a release holds it"
        described = self._ecs.describe_task_definition(taskDefinition=running)["taskDefinition"]
        images = [each["image"].split("/", 1)[-1] for each in described["containerDefinitions"]]
        wanted = f"{known['repository']}@{known['digest']}"
        if wanted in images:
            return f"as verified, by {revision}"
        name = known["repository"]
        ours = [image for image in images if image.startswith((f"{name}@", f"{name}:"))] or images
        return f"DRIFT: {revision}, {', '.join(map(_shortened, ours))}"

    def _labels(self, repository: str, digest: str) -> str:
        """The image's build tags; the environments' own where it has no others."""
        if (repository, digest) not in self._tags:
            self._tags[repository, digest] = self._read_labels(repository, digest)
        return self._tags[repository, digest]

    def _read_labels(self, repository: str, digest: str) -> str:
        try:
            wanted = {"repositoryName": repository, "imageIds": [{"imageDigest": digest}]}
            [image] = self._ecr.describe_images(**wanted)["imageDetails"]
        except ClientError as problem:
            if problem.response["Error"]["Code"] not in _GONE:
                raise
            return "GONE from ECR"
        tags = sorted(tag for tag in image.get("imageTags", []) if not tag.startswith("tidegate."))
        moving = {document["tag"] for document in self._known.values()}
        return ", ".join([tag for tag in tags if tag not in moving] or tags) or "-"


def _client(service: str, **more):
    region = os.environ.get("AWS_REGION")  # the other SDKs know it, boto3 does not
    config = Config(user_agent_appid="where")
    return boto3.client(service, **({"region_name": region, "config": config} | more))


def _local_client(service: str):
    if not DEMO.exists():
        raise WhereError("no local AWS runs: `make demo KEEP=1` leaves one running")
    facts, keys = json.loads(DEMO.read_text()), {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return _client(service, endpoint_url=facts["endpoint"], region_name=facts["region"], **keys)


def _aligned(lines: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*lines)]
    return ["  " + "  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:12]


def _shortened(image: str) -> str:
    name, mark, digest = image.partition("@")
    return name + mark + _short(digest)


def _time(text: str) -> str:
    return text[:19].replace("T", " ")


if __name__ == "__main__":
    sys.exit(main())
