"""Alerts on their way out: each channel as its own host, one of them broken, and what comes back to it."""

import base64
import hashlib
import hmac
import json

import canary
import pytest
import watch
from service import eventually, put

SECRETS = {
    "slack": f"xoxb-{canary.MARK}",
    "slack-url": f"https://hooks.slack.com/services/{canary.MARK}",
    "teams-url": f"https://flows.example.org/{canary.MARK}?sig={canary.MARK}",
    "pd": f"{canary.MARK}-pd",
    "api-url": f"https://api.example.org/{canary.MARK}",
    "api": "whsec_" + base64.b64encode(f"{canary.MARK}-of-the-api-of-tests".encode()).decode(),
}
DOCUMENT = {
    "channels": {
        "chat": {"type": "slack", "token": "/tidegate/secrets/slack", "channel": "C0123456789"},
        "old": {"type": "slack-webhook", "url": "/tidegate/secrets/slack-url"},
        "office": {"type": "teams", "url": "/tidegate/secrets/teams-url"},
        "pager": {"type": "pagerduty", "key": "/tidegate/secrets/pd", "changes": True},
        "api": {"type": "http", "url": "/tidegate/secrets/api-url", "secrets": ["/tidegate/secrets/api"]},
    },
    "routes": [{"severity": "info", "to": ["sns", "chat", "old", "office", "pager", "api"]}],
}


@pytest.fixture
def receivers(pipeline):
    """Every channel there is, for one test."""
    ssm = pipeline.cloud.client("ssm")
    before = json.loads(ssm.get_parameter(Name="/tidegate/alerts")["Parameter"]["Value"])
    for name, value in SECRETS.items():
        ssm.put_parameter(Name=f"/tidegate/secrets/{name}", Value=value, Type="SecureString", Overwrite=True)
    put(pipeline.cloud, "alerts", DOCUMENT)
    yield pipeline.receivers
    pipeline.receivers.mend()
    put(pipeline.cloud, "alerts", before)


def genuine(told) -> bool:
    """Whether a request is signed as the specification of Standard Webhooks says."""
    key = base64.b64decode(SECRETS["api"].removeprefix("whsec_"))
    signed = ".".join([told.headers["webhook-id"], told.headers["webhook-timestamp"], told.raw])
    mac = base64.b64encode(hmac.new(key, signed.encode(), hashlib.sha256).digest()).decode()
    return told.headers["webhook-signature"] == f"v1,{mac}"


def test_every_channel_hears_how_a_release_was_rolled_back(pipeline, name, receivers):
    service = pipeline.service(name)
    assert pipeline.push(service, f"{name}-1", "v2", behaviour="wrong-content").run.outcome == "RolledBack"
    title = f"ROLLED BACK {name} in {name}: "
    slack, *_ = receivers.told("slack.com", title)
    assert (slack.path, slack.headers["authorization"]) == ("api/chat.postMessage", f"Bearer {SECRETS['slack']}")
    [card] = receivers.told("flows.example.org", title)
    assert card.body["attachments"][0]["contentType"] == "application/vnd.microsoft.card.adaptive"
    [change] = receivers.told("events.pagerduty.com", title)
    assert change.path == "v2/change/enqueue", "nobody is woken for what is rolled back and proven"
    [api] = receivers.told("api.example.org", title)
    assert api.body["type"] == "release.rolled_back" and genuine(api)
    assert receivers.told("hooks.slack.com", title)
    text = pipeline.inbox.topic(title)
    assert "Nothing to do now." in text.partition("\n")[0] and len(text.partition("\n")[0]) <= 140


def test_slack_hears_of_a_release_from_its_start_to_its_end_in_one_thread(pipeline, name, receivers):
    service = pipeline.service(name)
    run = pipeline.push(service, f"{name}-1", "v2", behaviour="wrong-content").run
    assert run.outcome == "RolledBack"
    # Each is told before the services that it tells of are touched, and the release waits for neither.
    outer = [state for state in run.states if state in ("TellStarted", "Deploy", "TellRollingBack", "Rollback")]
    assert list(dict.fromkeys(outer)) == ["TellStarted", "Deploy", "TellRollingBack", "Rollback"]
    eventually(lambda: receivers.told("slack.com", f"ROLLED BACK {name} in {name}"), "the end was told")
    told = [each for each in receivers.told("slack.com", f" {name} in {name}")]
    said = [(each.path, each.body["text"].partition(f" {name} ")[0]) for each in told]
    assert said == [
        ("api/chat.postMessage", "STARTED"),
        ("api/chat.postMessage", "ROLLING BACK"),
        ("api/chat.update", "ROLLING BACK"),
        ("api/chat.postMessage", "ROLLED BACK"),
        ("api/chat.update", "ROLLED BACK"),
    ]
    root, *replies = [each.body.get("thread_ts") for each in told if each.path.endswith("postMessage")]
    assert root is None and set(replies) == {"1795428000.000100"}
    # A pager shows neither, an API gets each by its type.
    assert not receivers.told("events.pagerduty.com", f"STARTED {name} in", seconds=0)
    api = [each.body["type"] for each in receivers.told("api.example.org", f" {name} in {name}")]
    assert api == ["release.started", "release.rolling_back", "release.rolled_back"]


def test_a_channel_that_is_down_hears_of_it_later_and_holds_nothing_up(pipeline, name, receivers):
    receivers.break_("slack.com", 503)
    service = pipeline.service(name)
    run = pipeline.push(service, f"{name}-1", "v2").run
    assert run.outcome == "Deployed" and "Undelivered" not in run.states
    broken = len(receivers.told("slack.com", f"DEPLOYED {name} in"))
    receivers.mend()
    told = eventually(
        lambda: receivers.told("slack.com", f"DEPLOYED {name} in")[broken:], "the channel was come back to", 60
    )
    assert told[0].path == "api/chat.postMessage"
    assert len(receivers.told("api.example.org", f"DEPLOYED {name} in")) == 1, "the others heard of it once"


def test_a_channel_that_refuses_for_good_has_its_alert_kept(pipeline, name, receivers):
    receivers.break_("slack.com", 200, '{"ok":false,"error":"invalid_auth"}')
    service = pipeline.service(name)
    digest = service.push(f"{name}-1", "v2")["digest"]
    execution = watch.started_by_push(pipeline.cloud, pipeline.machine, digest, f"{name}-1")
    run = watch.follow(pipeline.cloud, execution)
    assert (run.outcome, run.states[-3:]) == ("Deployed", ["Undelivered", "WhichOutcome", "Deployed"])
    assert len(receivers.told("slack.com", f"DEPLOYED {name} in")) == 1, "it is not asked again"
    assert receivers.told("events.pagerduty.com", f"DEPLOYED {name} in")
    kept = [each for each in pipeline.undelivered() if "release" in each]
    assert [(each["release"], each["outcome"]) for each in kept] == [(run.name, "Deployed")]
    assert canary.MARK not in json.dumps(kept)
    shown = pipeline.cli("where.py", "--environment", name).stdout
    assert "      chat    Deployed  failed  20" in shown and "        why: Slack answered invalid_auth\n" in shown
    assert "      pager   Deployed  sent    20" in shown and canary.MARK not in shown


def test_who_tries_the_channels_hears_which_of_them_work(pipeline, receivers):
    receivers.break_("slack.com", 200, '{"ok":false,"error":"not_in_channel"}')
    answer = pipeline.cli("alert_test.py")
    assert answer.returncode == 1, answer.stdout
    assert "chat (Slack answered not_in_channel)" in answer.stdout + answer.stderr
    receivers.mend()
    answer = pipeline.cli("alert_test.py", "--channel", "chat")
    assert answer.returncode == 0 and "chat" in answer.stdout, answer.stderr
    assert receivers.told("slack.com", "TEST")
