"""What is worth reading when a release did not go as it should."""

import json
import re
from pathlib import Path

# Its own errors, and the last line of a traceback.
_ERROR = re.compile(r" ERROR |^\w+(\.\w+)*(Error|Exception): ")


def of_release(cloud, release: str, lines: int = 20) -> list[str]:
    """The last lines that the functions logged about a release, oldest first."""
    said = []
    for function, message in _events(cloud):
        if release in message and message.startswith("{"):
            entry = json.loads(message.replace(release, "..."))
            said.append((entry.pop("timestamp"), f"{function:<12}{_sentence(entry)}"))
    return [f"{at[11:23]}  {text}" for at, text in sorted(said)[-lines:]]


def of_launcher(cloud, lines: int = 10) -> list[str]:
    """The last errors of the local AWS itself."""
    file = Path(cloud.state / "aws.log")
    said = file.read_text(errors="replace").splitlines() if file.exists() else []
    errors = [line[:200] for line in said if _ERROR.search(line)]
    return [f"errors in {file}:", *errors[-lines:]] if errors else [f"no errors in {file}"]


def _events(cloud):
    """All that the functions logged: the function, and the message."""
    logs = cloud.client("logs")
    for group in logs.describe_log_groups()["logGroups"]:
        function = group["logGroupName"].rsplit("/")[-1].removesuffix("Logs")
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"]):
            yield from ((function, event["message"]) for event in page["events"])


def _sentence(entry: dict) -> str:
    """A line of a function's log without what only programs need."""
    quiet = ("message", "level", "target", "span", "spans")
    rest = " ".join(f"{key}={value}" for key, value in entry.items() if key not in quiet)
    return f"{entry['level']:<6}{entry['message']} {rest}"[:200]
