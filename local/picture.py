"""`make picture`: a picture of the last demo's dashboard, in docs/dashboard.png; it takes a browser.

    python local/picture.py .local/demo/report.html docs/dashboard.png
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).with_name("tests")))

import browser  # noqa: E402


def main(report: Path, picture: Path) -> int:
    """Draws what runs where, and the last release; returns the exit code."""
    if not browser.installed():
        print("FAILED  no browser is installed (on Debian and Ubuntu: apt-get install chromium)", file=sys.stderr)
        return 1
    with browser.started() as started:
        page = started.new_page(viewport={"width": 1240, "height": 800})
        page.goto(report.resolve().as_uri())
        # The list says the same in fewer words than the release itself.
        page.add_style_tag(content="section:not(:first-of-type):not(:last-of-type), h1 { display: none; }")
        page.screenshot(path=picture, full_page=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
