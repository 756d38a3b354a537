"""ECR: pushes that announce themselves, and the answers that retagging depends on."""

import json
import urllib.error
import urllib.request

import pytest
from botocore.exceptions import ClientError

import image


@pytest.fixture
def ecr(cloud, name):
    client = cloud.client("ecr")
    client.create_repository(repositoryName=name)
    return client


@pytest.fixture
def pushes(cloud, name):
    """Receives the ECR events of the test's repository, by a rule and a queue."""
    queue = cloud.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    arn = f"arn:aws:sqs:{cloud.region}:{cloud.account}:{name}"
    pattern = {
        "source": ["aws.ecr"],
        "detail-type": ["ECR Image Action"],
        "detail": {"repository-name": [name]},
    }
    cloud.client("events").put_rule(Name=name, EventPattern=json.dumps(pattern))
    cloud.client("events").put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])

    def receive() -> list[dict]:
        wanted = {"QueueUrl": queue, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 1}
        return [
            json.loads(m["Body"]) for m in cloud.client("sqs").receive_message(**wanted).get("Messages", [])
        ]

    return receive


def refusal(call, **arguments) -> str:
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    return refused.value.response["Error"]["Code"]


def manifest_of(ecr, repository: str, digest: str) -> str:
    answer = ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageDigest": digest}])
    return answer["images"][0]["imageManifest"]


def test_push_event_by_tag(cloud, ecr, name, pushes):
    digest = image.push(cloud, name, "v1", "main-1")
    [event] = pushes()
    assert event.keys() == {
        *("version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail")
    }
    assert (event["account"], event["region"], event["resources"]) == (cloud.account, cloud.region, [])
    assert event["detail"] == {
        "result": "SUCCESS",
        "repository-name": name,
        "image-digest": digest,
        "action-type": "PUSH",
        "image-tag": "main-1",
        "manifest-media-type": image.MANIFEST,
    }


def test_push_event_by_digest(cloud, ecr, name, pushes):
    image.push(cloud, name, "v1")
    [event] = pushes()
    assert "image-tag" not in event["detail"]


def test_push_event_of_retag(cloud, ecr, name, pushes):
    digest = image.push(cloud, name, "v1", "main-1")
    ecr.put_image(repositoryName=name, imageManifest=manifest_of(ecr, name, digest), imageTag="dev")
    assert [event["detail"]["image-tag"] for event in pushes()] == ["main-1", "dev"]


def test_push_again_is_no_event(cloud, ecr, name, pushes):
    for _ in range(2):
        image.push(cloud, name, "v1", "main-1")
    assert len(pushes()) == 1


def test_put_image_refusals(cloud, ecr, name):
    digest = image.push(cloud, name, "v1", "main-1")
    put = {"repositoryName": name, "imageManifest": manifest_of(ecr, name, digest)}
    assert refusal(ecr.put_image, **put, imageTag="main-1") == "ImageAlreadyExistsException"
    other = "sha256:" + "0" * 64
    assert refusal(ecr.put_image, **put, imageDigest=other) == "ImageDigestDoesNotMatchException"
    assert refusal(ecr.put_image, repositoryName=name, imageManifest="{") == "InvalidParameterException"
    assert refusal(ecr.put_image, repositoryName=name, imageManifest="{}") == "InvalidParameterException"
    assert refusal(ecr.put_image, **put, registryId="0" * 12, imageTag="x") == "RepositoryNotFoundException"
    orphan = json.dumps({"mediaType": image.INDEX, "manifests": [{"digest": other}]})
    missing = refusal(ecr.put_image, repositoryName=name, imageManifest=orphan)
    assert missing == "ReferencedImagesNotFoundException"


@pytest.mark.parametrize(
    "mutability, moves",
    [
        ("MUTABLE", True),
        ("IMMUTABLE", False),
        ("IMMUTABLE_WITH_EXCLUSION", True),
        ("MUTABLE_WITH_EXCLUSION", False),
    ],
)
def test_immutable(cloud, mutability, moves):
    ecr, name = cloud.client("ecr"), mutability.lower()
    filters = [{"filterType": "WILDCARD", "filter": "de*"}] if "EXCLUSION" in mutability else []
    created = ecr.create_repository(
        repositoryName=name,
        imageTagMutability=mutability,
        **({"imageTagMutabilityExclusionFilters": filters} if filters else {}),
    )
    assert created["repository"].get("imageTagMutabilityExclusionFilters", []) == filters
    image.push(cloud, name, "v1", "dev")
    digest = image.push(cloud, name, "v2")
    put = {"repositoryName": name, "imageManifest": manifest_of(ecr, name, digest), "imageTag": "dev"}
    if moves:
        assert ecr.put_image(**put)["image"]["imageId"] == {"imageDigest": digest, "imageTag": "dev"}
    else:
        assert refusal(ecr.put_image, **put) == "ImageTagAlreadyExistsException"
        with pytest.raises(urllib.error.HTTPError):
            image.push(cloud, name, "v3", "dev")


def test_mutability_can_change(cloud, ecr, name):
    change = {"repositoryName": name, "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION"}
    filters = [{"filterType": "WILDCARD", "filter": "tidegate.*"}]
    ecr.put_image_tag_mutability(**change, imageTagMutabilityExclusionFilters=filters)
    [repository] = ecr.describe_repositories(repositoryNames=[name])["repositories"]
    assert repository["imageTagMutabilityExclusionFilters"] == filters


def test_batch_get_image(cloud, ecr, name):
    first, second = image.push(cloud, name, "v1", "one"), image.push(cloud, name, "v2", "two")
    ecr.put_image(repositoryName=name, imageManifest=manifest_of(ecr, name, first), imageTag="dev")
    asked = [
        *({"imageTag": "one"}, {"imageDigest": second}, {"imageTag": "none"}),
        *({"imageTag": "two", "imageDigest": first}, {"imageDigest": "sha256:1"}),
    ]
    answer = ecr.batch_get_image(registryId=cloud.account, repositoryName=name, imageIds=asked)
    ids = [found["imageId"] for found in answer["images"]]
    assert ids == [{"imageDigest": first, "imageTag": "one"}, {"imageDigest": second}]
    codes = [failure["failureCode"] for failure in answer["failures"]]
    assert codes == ["ImageNotFound", "ImageTagDoesNotMatchDigest", "InvalidImageDigest"]
    too_many = [{"imageTag": str(number)} for number in range(101)]
    assert refusal(ecr.batch_get_image, repositoryName=name, imageIds=too_many) == "InvalidParameterException"
    tags = [found.get("imageTag") for found in ecr.list_images(repositoryName=name)["imageIds"]]
    assert sorted(tags) == ["dev", "one", "two"]


def test_other_registry(ecr, name):
    ids = {"imageIds": [{"imageTag": "x"}]}
    for operation, more in (
        ("batch_get_image", ids),
        ("batch_delete_image", ids),
        ("describe_images", {}),
        ("list_images", {}),
    ):
        call = getattr(ecr, operation)
        code = refusal(call, registryId="0" * 12, repositoryName=name, **more)
        assert code == "RepositoryNotFoundException"


def test_describe_what_is_missing(cloud, ecr, name):
    assert (
        refusal(ecr.describe_images, repositoryName=name, imageIds=[{"imageTag": "x"}])
        == "ImageNotFoundException"
    )


def test_index_is_kept(cloud, ecr, name):
    child = image.push(cloud, name, "v1")
    index = image.push_index(cloud, name, child, "main-1")
    manifest = manifest_of(ecr, name, index)
    ecr.put_image(repositoryName=name, imageManifest=manifest, imageTag="dev", imageDigest=index)
    for reference in (index, "main-1", "dev"):
        assert image.digest_of(image.request(cloud, "GET", f"{name}/manifests/{reference}")) == index


def test_a_layer_is_where_its_address_says(cloud, ecr, name):
    digest = image.push(cloud, name, "v1")
    config = json.loads(manifest_of(ecr, name, digest))["config"]["digest"]
    url = ecr.get_download_url_for_layer(repositoryName=name, layerDigest=config)["downloadUrl"]
    # By anybody who has the address: it bears no signature that the asker would have to add.
    with urllib.request.urlopen(url, timeout=5) as answer:
        content = answer.read()
    assert image.digest_of(content) == config and json.loads(content)["os"] == "linux"
    missing = {"repositoryName": name, "layerDigest": "sha256:" + "0" * 64}
    assert refusal(ecr.get_download_url_for_layer, **missing) == "LayersNotFoundException"


def test_a_lifecycle_policy_or_none(ecr, name):
    assert refusal(ecr.get_lifecycle_policy, repositoryName=name) == "LifecyclePolicyNotFoundException"
    selection = {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 100}
    rule = {"rulePriority": 1, "selection": selection, "action": {"type": "expire"}}
    text = json.dumps({"rules": [rule]})
    ecr.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=text)
    assert ecr.get_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"] == text


def test_what_a_scan_has_found_is_what_the_test_says(cloud, ecr, name):
    digest = image.push(cloud, name, "v1", "main-1")
    asked = {"repositoryName": name, "imageId": {"imageDigest": digest}}
    find = ecr.describe_image_scan_findings
    assert refusal(find, **asked) == "ScanNotFoundException"
    nobody = {"imageDigest": "sha256:" + "0" * 64}
    assert refusal(find, repositoryName=name, imageId=nobody) == "ImageNotFoundException"
    assert refusal(find, **asked | {"repositoryName": "nowhere"}) == "RepositoryNotFoundException"
    cloud.scanned(digest, "IN_PROGRESS", findings=[{"name": "CVE-1", "severity": "LOW"}])
    begun = find(**asked)
    assert begun["imageScanStatus"]["status"] == "IN_PROGRESS" and "imageScanFindings" not in begun
    cloud.scanned(digest, findings=[{"name": f"CVE-{number}", "severity": "LOW"} for number in range(5)])
    pages = ecr.get_paginator("describe_image_scan_findings").paginate(**asked, PaginationConfig={"PageSize": 2})
    pages = [page["imageScanFindings"] for page in pages]
    assert [finding["name"] for page in pages for finding in page["findings"]] == [f"CVE-{n}" for n in range(5)]
    assert [(len(page["findings"]), page["findingSeverityCounts"]) for page in pages] == [
        (count, {"LOW": 5}) for count in (2, 2, 1)
    ]
    cloud.scanned(digest, "ACTIVE", enhancedFindings=[{"severity": "HIGH", "status": "ACTIVE"}])
    active = find(repositoryName=name, imageId={"imageTag": "main-1"})["imageScanFindings"]
    assert active.get("findings", []) == [] and active["findingSeverityCounts"] == {"HIGH": 1}


def test_who_has_signed_an_image_is_what_the_test_says(cloud, ecr, name):
    digest = image.push(cloud, name, "v1", "main-1")
    asked = {"repositoryName": name, "imageId": {"imageDigest": digest}}
    status = ecr.describe_image_signing_status
    assert status(**asked)["signingStatuses"] == []
    nobody = {"imageDigest": "sha256:" + "0" * 64}
    assert refusal(status, repositoryName=name, imageId=nobody) == "ImageNotFoundException"
    assert refusal(status, **asked | {"repositoryName": "nowhere"}) == "RepositoryNotFoundException"
    profile = "arn:aws:signer:eu-west-1:123456789012:/signing-profiles/shop"
    cloud.signed(digest, profile, "FAILED", failureCode="AccessDenied", failureReason="may not sign")
    [failed] = status(**asked)["signingStatuses"]
    assert failed == {
        "signingProfileArn": profile,
        "status": "FAILED",
        "failureCode": "AccessDenied",
        "failureReason": "may not sign",
    }
    cloud.signed(digest, profile)
    by_tag = status(repositoryName=name, imageId={"imageTag": "main-1"})
    assert by_tag["signingStatuses"] == [{"signingProfileArn": profile, "status": "COMPLETE"}]
