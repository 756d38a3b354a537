"""The widgets of the dashboard in one HTML file that needs nothing else: what a run of the demo has left behind."""

import html
import json
from pathlib import Path

# Nothing answers a button in a file.
_HEAD = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Tidegate: {title}</title>
<style>
body {{ margin: 0; padding: 16px 24px; background: #eaeded; font: 14px/1.45 Helvetica, Arial, sans-serif; }}
section {{ background: #fff; border: 1px solid #d5dbdb; border-radius: 6px; padding: 12px 16px; margin: 14px 0; }}
cwdb-action, .tidegate .btn, .tidegate label {{ display: none; }}
.tidegate .link {{ cursor: default; text-decoration: none; }}
</style>
<h1>{title}</h1>
"""


def write(cloud, function: str, title: str, releases: list[str], file: Path) -> None:
    """Draws the environments, the list of releases, and each of these releases."""
    views = [{"view": "environments"}, {"view": "releases"}]
    views += [{"view": "release", "release": release} for release in releases]
    drawn = [f"<section>{_drawn(cloud, function, view)}</section>" for view in views]
    file.write_text(_HEAD.format(title=html.escape(title)) + "\n".join(drawn) + "\n</html>\n")


def _drawn(cloud, function: str, view: dict) -> str:
    payload = {**view, "widgetContext": {"theme": "light", "width": 1180}}
    answer = cloud.client("lambda").invoke(FunctionName=function, Payload=json.dumps(payload))
    said = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise RuntimeError(f"{view} was not drawn: {said.get('errorMessage')}")
    return said
