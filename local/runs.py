"""`make runs`: the last runs of an environment: what each was asked for, by which run, and what became of it.

    python local/runs.py --environment ENV [--last 20] [--stack STACK | --table TABLE] [--local]

The list has one row for each run that was accepted or refused.  It takes the right to query the table; `--local`
asks the local AWS that `make demo KEEP=1` left running.
"""

import argparse
import json
import sys

from boto3.dynamodb.types import TypeDeserializer

from cli import CliError, clients, columns, output, run, short

TITLES = ("WHEN (UTC)", "MODE", "RELEASE", "RUN", "OUTCOME", "REASON", "REQUEST")
_LONGEST = 80


def main(arguments: list[str] | None = None) -> int:
    """Prints the list; returns the exit code."""
    parser = argparse.ArgumentParser(prog="runs.py", description="The last runs of an environment.")
    parser.add_argument("--environment", help="the environment")
    parser.add_argument("--last", type=int, default=20, help="how many runs; 20 if absent")
    parser.add_argument("--stack", default="tidegate", help="the stack of the ledger")
    parser.add_argument("--table", help="the table of the ledger, if you may not read the stack")
    parser.add_argument("--local", action="store_true", help="ask the local AWS that `make demo KEEP=1` left running")
    wanted = parser.parse_args(arguments)
    return run(lambda: ask(wanted))


def ask(wanted: argparse.Namespace) -> str:
    """The list as a table, the newest run first."""
    if not wanted.environment:
        raise CliError("no environment is named: expected ENV=...")
    if wanted.last < 1:
        raise CliError(f"--last is {wanted.last}: expected 1 or more")
    client = clients("runs", wanted.local)
    table = wanted.table or output(client("cloudformation"), wanted.stack, "LedgerTable")
    rows = list(_rows(client("dynamodb"), table, wanted.environment, wanted.last))
    if not rows:
        return f"{wanted.environment}: no run was accepted or refused here yet"
    return "\n".join([f"{wanted.environment}: the newest first", *columns([TITLES, *map(_line, rows)])])


def _rows(dynamodb, table: str, environment: str, last: int):
    """The newest rows, at most so many; never more is read than is shown."""
    query = {
        "TableName": table,
        "KeyConditionExpression": "pk = :pk",
        "ExpressionAttributeValues": {":pk": {"S": f"runs#{environment}"}},
        "ScanIndexForward": False,
    }
    plain, pages = TypeDeserializer().deserialize, dynamodb.get_paginator("query")
    for page in pages.paginate(**query, PaginationConfig={"MaxItems": last, "PageSize": last}):
        for item in page["Items"]:
            yield {name: plain(value) for name, value in item.items()}


def _line(row: dict) -> tuple[str, ...]:
    time, _, name = row["sk"].partition("#")
    release, by = row.get("release") or "-", row.get("by") or name
    who = name if by == name else f"{name}, by {by}"
    return (
        time[:19].replace("T", " "),
        row.get("mode") or "-",
        "itself" if release == name else release,
        who,
        row.get("outcome") or "open",
        _cut(row.get("reason") or "-"),
        _request(row.get("request") or {}),
    )


def _request(request: dict) -> str:
    """What the request names, beside its mode and its environment."""
    named = {key: value for key, value in request.items() if key not in ("environment", "mode", "reason")}
    if isinstance(named.get("image"), str):
        named["image"] = short(named["image"])
    return _cut(" ".join(f"{key}={_text(value)}" for key, value in sorted(named.items()))) or "-"


def _text(value) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


if __name__ == "__main__":
    sys.exit(main())
