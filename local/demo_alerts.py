"""How the demo shows one alert: as a telephone, Slack and a pager show it.

for label, text in shown(receivers, release):
    terminal.fact(label, text)
"""

import canary
from receivers import Receivers

_SECRETS = {"slack": f"xoxb-{canary.MARK}", "pagerduty": f"{canary.MARK}-pagerduty"}
CHANNELS = {
    "chat": {"type": "slack", "token": "/tidegate/secrets/slack", "channel": "C0123456789"},
    "pager": {"type": "pagerduty", "key": "/tidegate/secrets/pagerduty", "changes": True},
}


def keep_secrets(cloud) -> None:
    """Puts the secrets of the channels where a team would."""
    for name, value in _SECRETS.items():
        cloud.client("ssm").put_parameter(Name=f"/tidegate/secrets/{name}", Value=value, Type="SecureString")


def shown(receivers: Receivers, release: str) -> list[tuple[str, str]]:
    """What each shows of a release that has ended, under its name; nothing of one that was told nothing."""
    chat = [each.body for each in receivers.told("slack.com", release) if each.path.endswith("postMessage")]
    pager = receivers.told("events.pagerduty.com", release)
    if not chat or not pager:
        return []
    header, *sections = [block["text"]["text"] for block in chat[-1]["blocks"] if "text" in block]
    woken = [each.body["event_action"] for each in pager if "event_action" in each.body]
    change = [each.body["payload"]["summary"] for each in pager if each.path.endswith("change/enqueue")]
    pages = f"an incident: {', '.join(woken)}" if woken else "no incident, so nobody is woken"
    return [
        ("phone", header),
        ("Slack", "\n".join([header, *("\n".join(each.splitlines()[:3]) for each in sections[:3])])),
        ("PagerDuty", "\n".join([pages, *(f"change: {each}" for each in change)])),
    ]
