"""A real browser without a window, as its own user with no history, and what is wrong with the pages that it shows."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
# It asks nobody for updates, and runs as root in a container too.
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_LOOPBACK = ("http://127.0.0.1:", "data:")


def installed() -> str | None:
    """Where a browser is, if there is one."""
    return next((path for path in map(shutil.which, _NAMES) if path), None)


@contextmanager
def started() -> Iterator[Browser]:
    """Runs it, without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=installed(), args=_ARGUMENTS)
        yield browser
        browser.close()


class Tab:
    """A page, with all that it has asked for and complained about."""

    def __init__(self, browser: Browser, url: str, **context) -> None:
        self.page: Page = browser.new_page(**context)
        self.wrong: list[str] = []
        self.page.on("console", lambda said: self._note(said.type in ("error", "warning"), said.text))
        self.page.on("pageerror", lambda error: self._note(True, str(error)))
        self.page.on("request", lambda asked: self._note(not asked.url.startswith(_LOOPBACK), f"asked {asked.url}"))
        self.page.goto(url)
        self.page.wait_for_selector("body[data-ready]")

    def _note(self, is_wrong: bool, text: str) -> None:
        if is_wrong:
            self.wrong.append(text)

    def inaccessible(self) -> list[str]:
        """What people cannot read or reach who do not see well or use no mouse."""
        found = Axe().run(self.page).response["violations"]
        return [f"{each['id']}: {node['html'][:200]}" for each in found for node in each["nodes"]]
