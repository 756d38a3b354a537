"""`make where`: which digest runs in which environment, since when, which release verified it, and who was told.

    python local/where.py [--environment ENV] [--stack STACK | --table TABLE] [--local]

The digests come from the ledger, since what runs is not always verified; ECS only tells whether a service still
runs what was verified.  It takes the rights to read the table, the environments, ECS and ECR; `--local` asks the
local AWS that `make demo KEEP=1` left running.
"""

import argparse
import json
import sys
import textwrap

from boto3.dynamodb.types import TypeDeserializer
from botocore.exceptions import ClientError

from cli import CliError, clients, columns, output, run, short, shortened

ENVIRONMENTS = "/tidegate/environments"
TITLES = ("SERVICE", "IMAGE", "COMMIT", "TAGS", "SINCE (UTC)", "RUNS", "PREVIOUS", "VERIFIED BY")
_GONE = ("ImageNotFoundException", "RepositoryNotFoundException")
_AT_ONCE = 10  # services that one DescribeServices takes
_RUNS = 5  # whose alerts are looked at, the newest ones
_WIDTH = 80


def main(arguments: list[str] | None = None) -> int:
    """Prints the answer; returns the exit code."""
    parser = argparse.ArgumentParser(prog="where.py", description="Which digest runs where.")
    parser.add_argument("--environment", help="one environment; all of them if absent")
    parser.add_argument("--stack", default="tidegate", help="the stack of the ledger")
    parser.add_argument("--table", help="the table of the ledger, if you may not read the stack")
    parser.add_argument("--local", action="store_true", help="ask the local AWS that `make demo KEEP=1` left running")
    wanted = parser.parse_args(arguments)
    return run(lambda: ask(wanted))


def ask(wanted: argparse.Namespace) -> str:
    """One table for each environment that was asked for."""
    client = clients("where", wanted.local)
    table = wanted.table or output(client("cloudformation"), wanted.stack, "LedgerTable")
    where = Where(client, table)
    return "\n\n".join(map(where.of, where.environments(wanted.environment)))


class Where:
    """Reads the ledger and what runs; never scans the table."""

    def __init__(self, client, table: str) -> None:
        self._ssm, self._dynamodb, self._ecs, self._ecr = map(client, ("ssm", "dynamodb", "ecs", "ecr"))
        self._table = table
        self._known: dict[str, dict] = {}
        self._tags: dict[tuple[str, str], str] = {}

    def environments(self, only: str | None) -> list[str]:
        """The names of all environments, or the one that was named."""
        for page in self._ssm.get_paginator("get_parameters_by_path").paginate(Path=ENVIRONMENTS):
            for each in page["Parameters"]:
                self._known[each["Name"].rsplit("/", 1)[-1]] = json.loads(each["Value"])
        if not self._known:
            raise CliError(f"there is no environment: expected a document under {ENVIRONMENTS}/")
        if only and only not in self._known:
            raise CliError(f"there is no environment {only!r}: expected {', '.join(sorted(self._known))}")
        return [only] if only else sorted(self._known)

    def of(self, environment: str) -> str:
        """What the ledger knows of one environment, as a table."""
        rows = self._rows(environment)
        cluster, frozen = self._known[environment]["cluster"], rows.get("frozen", {})
        title = f"{environment}: cluster {cluster}"
        if frozen.get("frozen"):
            title += f", frozen since {_time(frozen['since'])} ({frozen['because']})"
        found = [f"  found: {row['text']}" for sk, row in rows.items() if sk.startswith("found#") and _is_open(row)]
        named = {sk.removeprefix("service#"): row for sk, row in rows.items() if sk.startswith("service#")}
        verified = {service: row for service, row in named.items() if row.get("verified")}
        if not verified:
            return "\n".join([title, "  no release was verified here yet", *found, *self._alerts(environment)])
        running = self._running(cluster, list(verified))
        lines = [TITLES]
        for service, row in verified.items():
            known, before = row["verified"], row.get("previous")
            line = (
                service,
                f"{known['repository']}@{short(known['digest'])}",
                short(known.get("commit") or "-"),
                self._labels(known["repository"], known["digest"]),
                _time(known["since"]),
                self._runs(running.get(service), known, rows.get(f"lease#{service}", {})),
                short(before["digest"]) if before else "-",
                known.get("release") or "no release: it ran before the first one",
            )
            lines.append(line)
        return "\n".join([title, *columns(lines), *found, *self._alerts(environment)])

    def _rows(self, environment: str) -> dict[str, dict]:
        """The services, leases and freeze of an environment; the tags that it wrote come after them."""
        return {row["sk"]: row for row in self._query(f"env#{environment}", "sk < :sk", "write#")}

    def _alerts(self, environment: str) -> list[str]:
        """What each channel has of the last run that any was told of, and what one still lacks of those before it."""
        lines: list[str] = []
        for listed in self._query(f"runs#{environment}", "sk > :sk", "0", last=_RUNS):
            run = listed["sk"].partition("#")[2]
            told = self._query(f"release#{run}", "begins_with(sk, :sk)", "alert#")
            if lines:
                told = [row for row in told if _status(row) != "sent"]
            if told:
                lines += [f"    {run}", *_told(told)]
        return ["  alerts, the newest run first", *lines] if lines else []

    def _query(self, partition: str, condition: str, sort: str, last: int | None = None) -> list[dict]:
        """The rows of a partition whose sort key meets a condition; the last ones first if only so many are wanted."""
        query = {
            "TableName": self._table,
            "KeyConditionExpression": f"pk = :pk AND {condition}",
            "ExpressionAttributeValues": {":pk": {"S": partition}, ":sk": {"S": sort}},
            "ScanIndexForward": last is None,
        }
        bounds = {"MaxItems": last, "PageSize": last} if last else {}
        plain, pages = TypeDeserializer().deserialize, self._dynamodb.get_paginator("query")
        items = (item for page in pages.paginate(**query, PaginationConfig=bounds) for item in page["Items"])
        return [{name: plain(value) for name, value in item.items()} for item in items]

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
            return "DRIFT: the service does not exist"
        revision = running.rsplit("/", 1)[-1]
        if lease.get("holder"):
            return f"{revision}, a release is updating it"
        described = self._ecs.describe_task_definition(taskDefinition=running)["taskDefinition"]
        images = [each["image"].split("/", 1)[-1] for each in described["containerDefinitions"]]
        wanted = f"{known['repository']}@{known['digest']}"
        if wanted in images:
            return f"as verified, by {revision}"
        name = known["repository"]
        ours = [image for image in images if image.startswith((f"{name}@", f"{name}:"))] or images
        return f"DRIFT: {revision}, {', '.join(map(shortened, ours))}"

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
            return "DELETED from ECR"
        tags = sorted(tag for tag in image.get("imageTags", []) if not tag.startswith("tidegate."))
        moving = {document["tag"] for document in self._known.values()}
        return ", ".join([tag for tag in tags if tag not in moving] or tags) or "-"


def _is_open(row: dict) -> bool:
    """Whether a sweep has told it, and it has not gone since."""
    return bool(row.get("told")) and not row.get("gone")


def _told(rows: list[dict]) -> list[str]:
    """One line for each channel, and why it was not told, if it was not."""
    said = [(row["sk"].removeprefix("alert#"), row["outcome"], _status(row), _time(row["time"])) for row in rows]
    lines: list[str] = []
    for row, line in zip(rows, columns(said)):
        why = f"why: {row['error']}" if _status(row) != "sent" and row.get("error") else ""
        indent = " " * 8
        wrapped = textwrap.wrap(why, _WIDTH, initial_indent=indent, subsequent_indent=f"{indent}  ")
        lines += [f"    {line}", *wrapped]
    return lines


def _status(row: dict) -> str:
    """How far the delivery is; rows of older versions were written once it was made."""
    return row.get("status") or "sent"


def _time(text: str) -> str:
    return text[:19].replace("T", " ")


if __name__ == "__main__":
    sys.exit(main())
