"""What is refused, each by the real state machine, and that a refusal leaves everything as it is."""

import json
import urllib.request

import pytest

from pipeline import written
from service import put


@pytest.fixture(scope="module")
def shop(pipeline):
    """A service at rest, and an image that it could run."""
    service = pipeline.service("refused")
    service.image = service.push("wanted", "v2")["digest"]
    return service


def refusal(pipeline, shop, **more) -> str:
    """Asks, is refused, and makes sure that nothing was written; returns the sentence."""
    before, tagged = shop.described()["deployments"][0]["id"], shop.tagged(shop.environment)
    with pipeline.calls() as calls:
        run = pipeline.request(shop, more.pop("image", shop.image), "v2", **more).run
    assert run.states == ["OpenRelease", "IsAccepted", "Alert", "WhichOutcome", "Refused"], run.cause
    # It stands in the list of runs of its environment, if there is one; nothing else is written.
    of_release = written([call for call in calls if call["agent"] != "tidegate-alert"])
    assert of_release in ([], ["dynamodb:PutItem"]), of_release
    assert (shop.described()["deployments"][0]["id"], shop.tagged(shop.environment)) == (before, tagged)
    return run.cause


def test_an_unknown_environment(pipeline, shop):
    assert 'no environment "refusd": expected one of' in refusal(pipeline, shop, environment="refusd")


def test_an_unknown_service(pipeline, shop):
    assert 'did you mean "refused"?' in refusal(pipeline, shop, services=["refuse"])


def test_an_image_that_is_not_in_ecr(pipeline, shop):
    assert "is not in ECR" in refusal(pipeline, shop, image="no-such-tag")
    assert "is not in ECR" in refusal(pipeline, shop, image=f"sha256:{'e' * 64}")


def test_a_tag_that_two_environments_take(pipeline, shop):
    for name in ("one", "other"):
        document = {"cluster": f"refused-{name}", "tag": name, "deployOn": ["claimed-*"]}
        put(pipeline.cloud, f"environments/{name}", document)
    refused = pipeline.push(shop, "claimed-1", "v3").run
    assert refused.outcome == "Refused" and "is taken by one and other" in refused.cause


def test_an_immutable_tag(pipeline, shop):
    def tags(mutability, **more):
        shop.ecr.put_image_tag_mutability(
            repositoryName=shop.repository, imageTagMutability=mutability, **more
        )

    tags("IMMUTABLE")
    assert "expected the exclusion filters refused and tidegate.*" in refusal(pipeline, shop)
    tags("MUTABLE")


def test_a_service_without_tasks(pipeline, shop):
    shop.ecs.update_service(cluster="refused", service="refused", desiredCount=0)
    assert "desired count is 0" in refusal(pipeline, shop)
    shop.ecs.update_service(cluster="refused", service="refused", desiredCount=2)


BLUE_GREEN = {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ({"deploymentController": {"type": "CODE_DEPLOY"}}, "controller is CODE_DEPLOY: expected ECS"),
        ({"deploymentConfiguration": BLUE_GREEN}, "strategy is BLUE_GREEN and nothing stops it"),
    ],
)
def test_a_service_that_is_not_ours_to_roll(pipeline, shop, kind, expected):
    definition = shop.described()["taskDefinition"]
    shop.ecs.create_service(
        cluster="refused", serviceName="foreign", taskDefinition=definition, desiredCount=1, **kind
    )
    assert expected in refusal(pipeline, shop, services=["foreign"])
    shop.ecs.delete_service(cluster="refused", service="foreign", force=True)


def test_a_rollout_that_somebody_started(pipeline):
    service = pipeline.service("busy")
    service.image = service.push("wanted", "v2")["digest"]
    stuck = service.define(service.push("stuck", "v3", behaviour="never-ready")["digest"])
    service.ecs.update_service(cluster="busy", service="busy", taskDefinition=stuck)
    assert "a rollout is in progress" in refusal(pipeline, service)


def test_no_known_good_version(pipeline):
    service = pipeline.service("gone")
    service.image = service.push("wanted", "v2")["digest"]
    [ran] = set(service.digests())
    service.ecr.batch_delete_image(repositoryName=service.repository, imageIds=[{"imageDigest": ran}])
    assert f"no known good version to return to: {service.repository}@{ran} is gone" in refusal(pipeline, service)


def test_a_field_that_a_copy_would_lose(pipeline):
    service = pipeline.service("newer")
    service.image = service.push("wanted", "v2")["digest"]
    described = service.ecs.describe_task_definition(taskDefinition=service.described()["taskDefinition"])
    definition = described["taskDefinition"]
    keys = ("family", "containerDefinitions", "networkMode", "cpu", "memory", "requiresCompatibilities")
    newer = {key: definition[key] for key in keys} | {"trustedExecutionConfiguration": {"mode": "x"}}
    arn = _raw(pipeline.cloud, "RegisterTaskDefinition", newer)["taskDefinition"]["taskDefinitionArn"]
    service.roll(arn)
    expected = "has trustedExecutionConfiguration.mode, which a copy would lose"
    assert expected in refusal(pipeline, service)


def _raw(cloud, operation: str, document: dict) -> dict:
    """A call with a field that boto3 does not know either."""
    headers = {
        "X-Amz-Target": f"AmazonEC2ContainerServiceV20141113.{operation}",
        "Content-Type": "application/x-amz-json-1.1",
        "Authorization": f"AWS4-HMAC-SHA256 Credential=test/20260101/{cloud.region}/ecs/aws4_request",
    }
    request = urllib.request.Request(cloud.endpoint, json.dumps(document).encode(), headers)
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.load(answer)
