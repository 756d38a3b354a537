"""A telephone: what the alert function asks AWS for is what AWS's own model of the call takes."""

import json
import re

import botocore.session
import build
import pytest
from botocore.validate import ParamValidator

GOLDEN = build.ROOT / "functions/alert/tests/contract/golden"
OPERATION = "SendVoiceMessage"


@pytest.fixture(scope="session")
def model():
    """The service, as botocore knows it."""
    return botocore.session.get_session().get_service_model("pinpoint-sms-voice-v2")


def told() -> list[dict]:
    """The bodies that the contract test of the function holds it to."""
    lines = [line for file in sorted(GOLDEN.glob("*.txt")) for line in file.read_text().splitlines()]
    return [json.loads(line.removeprefix(OPERATION)) for line in lines if line.startswith(f"{OPERATION} ")]


def faults(model, body: dict) -> list[str]:
    """What the model has against a body; its validator knows names and types, and no longest, pattern or word."""
    shape = model.operation_model(OPERATION).input_shape
    report = ParamValidator().validate(body, shape)
    found = [report.generate_report()] if report.has_errors() else []
    for name, value in body.items():
        member = shape.members.get(name)
        if member is None or not isinstance(value, str):
            continue
        limits = member.metadata
        if len(value) > limits.get("max", len(value)) or not re.fullmatch(limits.get("pattern", "(?s).*"), value):
            found.append(f"{name}: {value}")
        if value not in limits.get("enum", [value]):
            found.append(f"{name}: {value} is none of its words")
    return found


def test_the_body_of_a_call_is_one_that_aws_takes(model):
    bodies = told()
    assert bodies, f"no golden file has a {OPERATION}"
    for body in bodies:
        assert {"MessageBody", "MessageBodyTextType", "VoiceId", "MaxPricePerMinute"} <= set(body)
        assert faults(model, body) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"DestinationPhoneNumber": None}, 'Missing required parameter in input: "DestinationPhoneNumber"'),
        ({"PhoneNumber": "+4912345678"}, 'Unknown parameter in input: "PhoneNumber"'),
        ({"TimeToLive": "60"}, "Invalid type for parameter TimeToLive"),
        ({"DestinationPhoneNumber": "0123 4567"}, "DestinationPhoneNumber: 0123 4567"),
        ({"MessageBody": "x" * 6001}, "MessageBody: x"),
        ({"VoiceId": "Matthew"}, "VoiceId: Matthew is none of its words"),
        ({"MaxPricePerMinute": "50"}, "MaxPricePerMinute: 50"),
    ],
)
def test_a_body_that_aws_would_refuse_is_seen(model, change, fault):
    body = {name: value for name, value in (told()[0] | change).items() if value is not None}
    [found] = faults(model, body)
    assert fault in found


def test_the_call_goes_where_the_model_says(model):
    port = (build.ROOT / "functions/alert/src/port/aws.rs").read_text()
    assert f'"{model.metadata["targetPrefix"]}.{OPERATION}"' in port
    assert f'"{model.signing_name}"' in port and model.endpoint_prefix == model.signing_name
