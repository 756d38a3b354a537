"""The dashboard in a real browser: what it shows of releases while they run, and what its buttons do to services."""

import json
import threading
import urllib.error
import urllib.request

import boto3
import pytest

import browser
import build
import dashboard
import permissions
import stack
import watch
from cloud import Cloud
from leaks import leaks
from pipeline import Pipeline

pytestmark = pytest.mark.skipif(
    browser.installed() is None, reason="no browser is installed (on Debian and Ubuntu: apt-get install chromium)"
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A stack of its own: a dashboard shows all environments."""
    build.build()
    with Cloud(tmp_path_factory.mktemp("dashboard"), wait_scale=0.1, minute_seconds=1) as running:
        pipeline = Pipeline(running)
        yield pipeline
        assert permissions.faults(running, stack.STACK) + leaks(pipeline) == []


@pytest.fixture(scope="module")
def url(shop):
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": shop.cloud.region}
    client = lambda service: boto3.client(service, endpoint_url=shop.cloud.endpoint, **keys)  # noqa: E731
    server = dashboard.serve(client, stack.STACK)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def chromium():
    with browser.started() as started:
        yield started


@pytest.fixture
def tab(chromium, url):
    tab = browser.Tab(chromium, f"{url}?refresh=0.5", viewport={"width": 1280, "height": 900})
    yield tab
    print(*tab.page.locator(".content").all_inner_texts(), sep="\n\n")  # what a failed test has seen last
    tab.page.close()
    assert tab.wrong == []


@pytest.fixture(scope="module")
def users(shop):
    return shop.service("users", bakeSeconds=4)  # long enough to be watched


def _started(shop, service, tag: str, version: str, **image) -> str:
    digest = service.push(tag, version, **image)["digest"]
    return watch.started_by_push(shop.cloud, shop.machine, digest, tag)


def _open(tab, release: str):
    """Opens a release in the list, once it is there; returns its widget."""
    widget = tab.page.get_by_role("region", name="Releases", exact=True)
    widget.get_by_role("button", name=release[:8]).first.click()
    widget.get_by_role("heading", name=release).wait_for()
    return widget


def _press(tab, place, label: str) -> str:
    """Presses a button and says yes; returns what was asked."""
    place.get_by_role("button", name=label).first.click()
    question = tab.page.get_by_role("dialog").filter(has_text="?")
    asked = question.locator("p").inner_text()
    question.get_by_role("button", name="Yes").click()
    popup = tab.page.get_by_role("dialog", name="Answer")
    popup.get_by_role("heading", name="Started").wait_for()
    popup.get_by_role("button", name="Close").click()
    return asked


def test_a_release_is_watched_while_it_runs(shop, users, tab):
    execution = _started(shop, users, "users-2", "v2")
    widget = _open(tab, watch.release_of(execution))
    widget.get_by_role("heading", name="running").wait_for()
    widget.get_by_role("heading", name="Deployed").wait_for(timeout=60_000)
    widget.get_by_role("img", name="Timeline of").wait_for()
    assert widget.locator("svg rect.rollout").count() >= 1
    assert widget.get_by_text("passed", exact=False).count() >= 1
    board = tab.page.get_by_role("region", name="Environments", exact=True)
    board.get_by_text(users.digests()[0].removeprefix("sha256:")[:12]).first.wait_for()


def test_a_button_puts_the_old_version_back(shop, users, tab):
    before = users.answers()
    release = shop.push(users, "users-3", "v3").run.name
    assert set(users.answers().values()) == {"hello from v3"} != set(before.values())
    widget = _open(tab, release)
    tab.page.get_by_label("Reason").last.fill("it looks wrong")
    asked = _press(tab, widget, "Roll back")
    assert "users" in asked and "users" in asked and "held" in asked
    widget.get_by_role("button", name="All releases").click()
    done = widget.get_by_role("row").filter(has_text="rollback").filter(has_text="Deployed").first
    done.wait_for(timeout=60_000)
    assert "it looks wrong" in done.inner_text()
    assert set(users.answers().values()) == set(before.values())
    tab.page.get_by_role("region", name="Environments", exact=True).get_by_text("on hold").wait_for()


def test_an_approval_is_given_by_the_button(shop, tab):
    orders = shop.service("orders", approval="required")
    execution = _started(shop, orders, "orders-2", "v2")
    release = watch.release_of(execution)
    tab.page.get_by_text("waits for an answer").wait_for(timeout=30_000)
    shop.asked("orders", execution)
    assert set(orders.answers().values()) == {"hello from v1"}
    widget = _open(tab, release)
    asked = _press(tab, widget, "Approve")
    assert "orders" in asked
    assert shop.ended(execution).outcome == "Deployed"
    assert set(orders.answers().values()) == {"hello from v2"}
    widget.get_by_role("heading", name="Deployed").wait_for()
    assert widget.get_by_role("button", name="Approve").count() == 0


def test_a_freeze_by_keyboard_and_its_end(shop, users, tab):
    board = tab.page.get_by_role("region", name="Environments", exact=True)
    tab.page.get_by_label("Reason").first.fill("the sale")
    freeze = board.get_by_role("button", name="Freeze users")
    freeze.focus()
    tab.page.keyboard.press("Enter")
    question = tab.page.locator("#question")
    question.wait_for()
    # Whoever presses Enter without reading has done nothing.
    tab.page.keyboard.press("Enter")
    question.wait_for(state="hidden")
    assert not shop.known("env#users", "frozen")
    freeze.focus()
    tab.page.keyboard.press("Enter")
    tab.page.keyboard.press("Tab")
    tab.page.keyboard.press("Enter")
    tab.page.get_by_role("heading", name="Started").wait_for()
    tab.page.keyboard.press("Escape")
    board.get_by_text("the sale").wait_for(timeout=20_000)
    assert shop.known("env#users", "frozen")["because"] == "the sale"
    _press(tab, board, "Resume users")
    board.get_by_role("button", name="Freeze users").wait_for(timeout=20_000)


def test_a_plan_is_shown_before_anything_moves(shop, users, tab):
    behind = shop.fleet("behind", ["users"], images="users", **{"from": "users"})
    try:
        tab.page.get_by_role("button", name="Refresh Environments").click()
        tab.page.get_by_role("button", name="Plan a promotion to behind").click(timeout=20_000)
        tab.page.locator("#question").get_by_role("button", name="Yes").click()
        popup = tab.page.get_by_role("dialog", name="Answer")
        plan = popup.get_by_role("heading", name="Plan for behind")
        while not plan.is_visible():  # the machine makes it meanwhile
            button = popup.locator("#answer button").element_handle()
            button.click()
            button.wait_for_element_state("hidden")
        assert set(behind.answers().values()) == {"hello from v1"}
    finally:
        behind.end()


def test_a_view_takes_few_calls(shop, users):
    """Of AWS: what there is to read of each environment is read at once, and no row that is not shown."""
    run = shop.push(users, "users-4", "v4").run.name
    name = next(each for each in _functions(shop) if "DashboardFunction" in each)
    environments = len(shop.cloud.client("ssm").get_parameters_by_path(Path="/tidegate/environments")["Parameters"])
    taken = {}
    for view in ({"view": "environments"}, {"view": "releases"}, {"view": "release", "release": run}):
        before = len(shop.cloud.calls(agent="tidegate-dashboard"))
        shop.cloud.client("lambda").invoke(FunctionName=name, Payload=json.dumps(view))
        taken[view["view"]] = len(shop.cloud.calls(agent="tidegate-dashboard")) - before
    # The documents; of each environment what is so, its services and what is left to people; their sweeps; the leases.
    assert 1 + 3 * environments + 2 <= taken["environments"] <= 1 + 3 * environments + 3
    # Of each environment its runs and what waits; the heads.
    assert taken["releases"] == 1 + 2 * environments + 1
    # The release; its alerts; its tests with its place in the list.
    assert taken["release"] == 3


def _functions(shop) -> list[str]:
    return [each["FunctionName"] for each in shop.cloud.client("lambda").list_functions()["Functions"]]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_everybody_can_read_it(users, chromium, url, theme):
    tab = browser.Tab(chromium, url, viewport={"width": 640, "height": 900}, color_scheme=theme)
    assert tab.inaccessible() == []
    tab.page.locator("[data-widget=releases] button.link").first.click()
    tab.page.get_by_role("button", name="All releases").wait_for()
    assert tab.inaccessible() == []
    tab.page.close()
    assert tab.wrong == []


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("", {"Host": "elsewhere.example"}),
        ("call", {}),
        ("call", {"X-Tidegate": "dashboard", "Host": "elsewhere.example"}),
    ],
)
def test_a_page_from_elsewhere_reads_and_starts_nothing(url, path, headers):
    body = b'{"endpoint": "x", "payload": {}}' if path else None
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(urllib.request.Request(url + path, data=body, headers=headers))
    assert refused.value.code == 403
