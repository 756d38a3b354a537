"""README and its pages, held to their word: what people copy from them works.  Names are for test_docs.py."""

import json
import re
import shlex
import subprocess
from functools import cache

import jmespath
import pytest
import yaml

import build
from fleet import Fleet
from service import put
from watch import release_of

TAG_GRAMMAR = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
SHA = "1a2b3c4d5e6f7a8b9c0d1e2f3a4b5c6d7e8f9a0b"
SERVERS = ["# GitHub Actions:", "# AWS CodeBuild:", "// Jenkins:"]
# In the order in which somebody reads them, and the requests in them are sent.
PAGES = ["README.md", *(f"docs/{name}.md" for name in ("CONFIGURATION", "BUILD_SERVERS", "OPERATIONS", "ARCHITECTURE"))]
UNKNOWN_KEY = build.ROOT / "events/release/refused-unknown-key.out.json"


@cache
def text() -> str:
    return "\n".join((build.ROOT / page).read_text() for page in PAGES)


def blocks() -> list[tuple[str, str]]:
    """The fenced blocks, with their language, free of the indentation of a list."""
    found = re.findall(r"^( *)```(\w+)\n(.*?)^\1```$", text(), re.DOTALL | re.MULTILINE)
    return [(word, re.sub(f"^{indent}", "", body, flags=re.MULTILINE)) for indent, word, body in found]


def documents() -> list[dict]:
    """Every JSON object of the pages: whole blocks, arguments of commands, and what stands in a sentence."""
    bodies = [body for language, body in blocks() if language == "json"]
    for _, body in blocks():
        bodies += re.findall(r"--(?:value|input) '(\{.*?\})'", body, re.DOTALL)
    prose = re.sub(r"```.*?```", "", text(), flags=re.DOTALL)
    bodies += re.findall(r"`(\{.*?\})`", prose, re.DOTALL)
    return [json.loads(body) for body in bodies]


def requests() -> list[dict]:
    return [each for each in documents() if "environment" in each]


def environments() -> list[dict]:
    return [each for each in documents() if "cluster" in each]


def matches(pattern: str, tag: str) -> bool:
    """As `deployOn` does: `*` is any text, `?` one character, and nothing else is special."""
    wild = {"*": ".*", "?": "."}
    return re.fullmatch("".join(wild.get(each, re.escape(each)) for each in pattern), tag) is not None


def tags(server: str, branch: str) -> list[str]:
    """What a snippet's two expressions give in a plain shell: a build's tag, and an environment's."""
    [snippet] = [body for _, body in blocks() if body.startswith(server)]
    given = {
        "GITHUB_REF_NAME": branch,
        "GITHUB_SHA": SHA,
        "CODEBUILD_WEBHOOK_HEAD_REF": f"refs/heads/{branch}",
        "CODEBUILD_RESOLVED_SOURCE_VERSION": SHA,
        "BRANCH_NAME": branch,
        "GIT_COMMIT": SHA,
    }
    settings = re.findall(r"^\s*(?:- )?(BRANCH=.+)$", snippet, re.MULTILINE)
    expressions = re.findall(r"^\s*(?:# )?(?:- )?(TAG=.+)$", snippet, re.MULTILINE)
    assert len(expressions) == 2, f"{server} expected a tag per build and one per environment"
    return [_shell([*settings, each, 'printf %s "$TAG"'], given) for each in expressions]


def _shell(lines: list[str], variables: dict[str, str]) -> str:
    """What a plain shell prints that knows nothing but these variables."""
    command, variables = ["sh", "-euc", "\n".join(lines)], {"PATH": "/usr/bin:/bin", **variables}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("server", SERVERS)
def test_the_tags_of_a_build_server_deploy_where_the_page_says(server):
    build_tag, environment_tag = tags(server, "main")
    assert build_tag == f"main-{SHA[:12]}"
    [staging] = [each for each in environments() if each["tag"] == "staging" and "deployOn" in each]
    assert any(matches(pattern, build_tag) for pattern in staging["deployOn"])
    assert environment_tag == staging["tag"]
    patterns = [pattern for each in environments() for pattern in each.get("deployOn", [])]
    assert not any(matches(pattern, environment_tag) for pattern in patterns)


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("branch", ["main", "feature/x#1", "release/2026.11", "ñandú", "#1", "main-fix"])
def test_whatever_the_branch_ecr_takes_the_tag(server, branch):
    build_tag, _ = tags(server, branch)
    assert TAG_GRAMMAR.fullmatch(build_tag), build_tag
    exact = re.search(r"`(main-\?+)`", text())[1]
    assert matches(exact, build_tag) == (branch == "main")
    assert matches("main-*", build_tag) == (branch in ("main", "main-fix"))


def test_yaml_is_yaml_and_the_commands_survive_it():
    parsed = [yaml.safe_load(body) for language, body in blocks() if language == "yaml"]
    actions, codebuild = parsed
    lines = actions["jobs"]["push"]["steps"][-1]["run"].splitlines()
    lines += codebuild["phases"]["build"]["commands"]
    for server in SERVERS[:2]:
        [snippet] = [body for _, body in blocks() if body.startswith(server)]
        [expression] = re.findall(r"^\s*(?:- )?(TAG=.+)$", snippet, re.MULTILINE)
        assert expression in lines


def test_every_key_of_a_request_is_one_that_the_function_knows():
    sentence = json.loads(UNKNOWN_KEY.read_text())["because"]
    known = re.findall(r"`(\w+)`", sentence.split("expected one of")[1])
    assert len(requests()) > 4
    for request in requests():
        assert request.keys() <= set(known), request


def test_the_map_names_every_function():
    [listed] = [body for _, body in blocks() if body.startswith("functions/release ")]
    folders = re.findall(r"^(\S+)", listed, re.MULTILINE)
    [definition] = re.findall(r"^statemachine/ +(\S+):", listed, re.MULTILINE)
    [sample] = re.findall(r"EVENT=(events/\S+)", (build.ROOT / "docs/CONTRIBUTING.md").read_text())
    for path in [*folders, f"statemachine/{definition}", sample]:
        assert (build.ROOT / path).exists(), path
    real = {path.name for path in (build.ROOT / "functions").iterdir()}
    assert {path.removeprefix("functions/") for path in folders if path.startswith("functions/")} == real


def query() -> dict[str, str]:
    """The options of the page's question to the ledger, as a shell splits them."""
    [command] = re.findall(r"^aws dynamodb query (.*?[^\\])$", asked(), re.DOTALL | re.MULTILINE)
    words = shlex.split(command.replace("\\\n", " "))
    return dict(zip(words[::2], words[1::2], strict=True))


def asked() -> str:
    [block] = [body for _, body in blocks() if "aws dynamodb query" in body]
    return block


def test_the_query_tells_what_runs_where(pipeline):
    """What the AWS CLI would send, and what it would show of the answer."""
    options, service = query(), pipeline.service("asked")
    proof = pipeline.push(service, "asked-1", "v2", commit="1a2b3c4d5e6f")
    assert proof.faults() == []
    assert options["--table-name"] == "$TABLE" and "OutputKey=='LedgerTable'" in asked()
    values = options["--expression-attribute-values"].replace("env#staging", "env#asked")
    answer = pipeline.cloud.client("dynamodb").query(
        TableName=pipeline.ledger,
        KeyConditionExpression=options["--key-condition-expression"],
        ExpressionAttributeValues=json.loads(values),
    )
    [shown] = jmespath.search(options["--query"], answer)
    since = pipeline.known("env#asked", "service#asked")["verified"]["since"]
    assert shown == ["service#asked", proof.digest, "1a2b3c4d5e6f", since, proof.run.name]


@pytest.fixture
def adopted(pipeline):
    """The page's environments, live tests and services; gone again before they meet other tests'."""
    written = {f"environments/{each['tag']}": each for each in environments()}
    commands = re.findall(r"--name /tidegate/(\S+)[\s\\]+--value '(\{.*?\})'", text(), re.DOTALL)
    written |= {path: json.loads(value) for path, value in commands if path not in written}
    assert len(written) == 3
    fleets = {}
    for each in ("staging", "prod"):
        cluster = written[f"environments/{each}"]["cluster"]
        fleets[each] = Fleet(pipeline.cloud, cluster, ["users", "orders"], "shop")
        fleets[each].run(fleets[each].push(f"{each}-1"))
    # A fleet brings an environment of its cluster's name along, and one cluster is one environment's.
    pipeline.cloud.client("ssm").delete_parameter(Name="/tidegate/environments/shop-prod")
    for path, document in written.items():
        quick = {"bakeSeconds": 0, "soakMinutes": 0, "alarms": {}} if "cluster" in document else {}
        put(pipeline.cloud, path, {**document, **quick})
    yield fleets
    for path in written:
        pipeline.cloud.client("ssm").delete_parameter(Name=f"/tidegate/{path}")
    for fleet in fleets.values():
        fleet.end()


def test_every_request_does_what_the_page_says(pipeline, adopted):
    """The real machine, in the page's order: from the first plan to the end of a freeze, and then to prod."""
    users, orders = adopted["staging"].services.values()
    runs = []
    for request in [each for each in requests() if each["environment"] == "staging"]:
        if "image" in request:
            users.push(request["image"], "v2")
        if request.get("release") == "<id>":
            request["release"] = runs[1].name
        runs.append(pipeline.run(request))
    outcomes = [run.outcome for run in runs]
    assert outcomes == ["Planned", "Deployed", "Deployed", "Refused", "Answered", "Answered", "Refused"]
    assert [each["blocked"] for each in runs[0].output["services"]] == [None, None]
    assert "has verified it since" in runs[3].cause  # it is back since the request before
    assert "ended Deployed" in runs[6].cause  # there is nothing left to abort
    assert set(users.answers().values()) == {"hello from staging-1"}

    tagged = {"environment": "staging", "repository": "shop/orders", "image": "main-7"}
    orders.push(tagged["image"], "v7")
    assert pipeline.run(tagged).outcome == "Deployed"
    to_prod(pipeline, adopted["prod"], users.digests()[0])
    assert adopted["prod"].answers() == {"users": "hello from staging-1", "orders": "hello from v7"}


def to_prod(pipeline, prod: Fleet, digest: str) -> None:
    """Asks for each release to prod that the page shows; all are turned down but the last."""
    asked = [each for each in requests() if each["environment"] == "prod"]
    [agree] = [each for each in asked if each.get("mode") == "approve"]
    releases = [each for each in asked if "mode" not in each]
    assert len(releases) > 2 and "`reject` ends it" in text()
    for number, request in enumerate(releases, 1):
        request = json.loads(json.dumps(request, ensure_ascii=False).replace("sha256:…", digest))
        execution = pipeline.start(request)
        pipeline.asked("prod", execution)
        last = number == len(releases)
        answer = {**agree, "release": release_of(execution), "mode": "approve" if last else "reject"}
        assert pipeline.run(answer).outcome == "Answered"
        assert pipeline.ended(execution).outcome == ("Deployed" if last else "Rejected")
