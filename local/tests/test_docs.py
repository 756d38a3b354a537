"""README and the pages below docs/, held to names that exist.  Nothing is built and nothing is started."""

import json
import re
from functools import cache

import pytest
import yaml

import draw_flow

ROOT = draw_flow.ROOT
PAGES = ["README.md", ".github/SECURITY.md", "bench/README.md", *sorted(f"docs/{at.name}" for at in (ROOT / "docs").glob("*.md"))]
# Folders of the project, with which a path in a page begins, and files of the root.
FOLDERS = ("functions", "crates", "bench", "statemachine", "events", "local", "docs", r"\.github", r"\.ci", r"\.cargo")
PATH = re.compile(rf"(?<![\w/.-])(?:(?:{'|'.join(FOLDERS)})/[\w./*<>#-]*[\w*>/]|Makefile|template\.yaml|Cargo\.toml)")
# What else looks like a file; and files of somebody who reads the page.
FILE = re.compile(r"[\w<>*.-]+(?:/[\w<>*.-]+)*\.(?:rs|py|json|toml|ya?ml|md|svg|txt)")
OF_READERS = {".github/workflows/push.yml", "tests.json", ".local/package/x86_64/template.yaml"}
# Words that begin with a capital as states and names of the template do, and those of them that belong to AWS.
WORD = re.compile(r"(?:[A-Z][a-z]+)+")
OF_AWS = {"Comment", "DescribeImageSigningStatus", "LoadBalancer", "PutImage", "RequestCount", "StartExecution"}
OF_AWS |= {"TimeoutSeconds"}
KEY = re.compile(r"[a-z]+(?:[A-Z][a-z]+)+")
KEYS_OF_AWS = {"timeoutInMinutes", "userIdentity"}
LINES = 200


@cache
def text(page: str) -> str:
    return (ROOT / page).read_text()


def blocks(page: str, language: str = r"\w+") -> list[str]:
    """The fenced blocks of a page, free of the indentation of a list."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```$", text(page), re.DOTALL | re.MULTILINE)
    return [re.sub(f"^{indent}", "", body, flags=re.MULTILINE) for indent, body in found]


def prose(page: str) -> str:
    return re.sub(r"^( *)```.*?^\1```$", "", text(page), flags=re.DOTALL | re.MULTILINE)


def section(page: str, heading: str) -> str:
    [found] = re.findall(rf"^## {heading}\n(.*?)^## ", text(page), re.DOTALL | re.MULTILINE)
    return found


def code(page: str) -> list[str]:
    """What stands between backticks, and in blocks of commands."""
    return re.findall(r"`([^`]+)`", prose(page)) + blocks(page, "text")


@cache
def states() -> set[str]:
    found = set()
    for name in ("release", "follow-up"):
        machine = json.loads((ROOT / f"statemachine/{name}.asl.json").read_text())
        found |= machine["States"].keys()
        for state in machine["States"].values():
            found |= state.get("ItemProcessor", {}).get("States", {}).keys()
    return found


@cache
def template() -> dict[str, set[str]]:
    """The names in template.yaml, whose short forms of functions nobody needs here."""

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_multi_constructor("!", lambda *_: None)
    sections = yaml.load((ROOT / "template.yaml").read_text(), Loader)  # noqa: S506: it is a SafeLoader
    return {name: set(sections[name]) for name in ("Parameters", "Outputs", "Resources")}


@cache
def names() -> set[str]:
    """The names of all files, without their folders."""
    folders = [ROOT / name for name in ("functions", "crates", "statemachine", "docs", "local/overlay", "local/tests")]
    return {path.name for folder in folders for path in folder.rglob("*")} | {path.name for path in ROOT.iterdir()}


@cache
def sources() -> str:
    """All of the Rust that is deployed, and of its tests."""
    folders = [ROOT / "functions", ROOT / "crates"]
    return "\n".join(path.read_text() for folder in folders for path in folder.rglob("*.rs"))


def anchors(page: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def missing(pages: list[str], named, exists) -> list[str]:
    return [f"{page}: {name}" for page in pages for name in named(page) if not exists(name)]


def test_a_newcomer_reads_two_hundred_lines():
    assert len(text("README.md").splitlines()) <= LINES


@pytest.mark.parametrize("page", PAGES)
def test_every_path_exists(page):
    named = [path for part in [*code(page), *blocks(page)] for path in PATH.findall(part)]
    named += [word for word in re.findall(r"`([^`\s]+)`", prose(page)) if FILE.fullmatch(word)]
    # A word in angle brackets stands for any, and a name alone for a file in whichever folder.
    patterns = {re.sub(r"<\w+>", "*", path.rstrip("/.")) for path in named} - OF_READERS
    lost = [path for path in sorted(patterns) if path not in names() and not any(ROOT.glob(path))]
    assert lost == []


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page):
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if link.startswith("https://"):
            continue
        target, _, anchor = link.partition("#")
        path = ((ROOT / page).parent / target).resolve() if target else ROOT / page
        inside = path.exists() and path.is_relative_to(ROOT)
        if not inside or (anchor and anchor not in anchors(str(path.relative_to(ROOT)))):
            broken.append(link)
    assert broken == []


def test_every_target_of_make_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    def named(page: str) -> set[str]:
        return {word for part in code(page) for word in re.findall(r"\bmake ([a-z][a-z-]*)", part)}

    assert missing(PAGES, named, targets.__contains__) == []
    assert {"demo", "test", "where", "plan", "package"} <= named("README.md")


def test_every_setting_of_make_is_read_by_it():
    """`make plan ENV=staging`: whatever is set there, the Makefile looks at."""
    known = (ROOT / "Makefile").read_text()

    def named(page: str) -> set[str]:
        parts = "\n".join(code(page))
        calls = re.findall(r"\bmake [a-z-]+((?:[ [\]]+[A-Z]+=\S+)+)", parts)
        return {name for call in calls for name in re.findall(r"([A-Z]+)=", call)}

    assert missing(PAGES, named, lambda name: f"$({name})" in known) == []


def test_every_name_of_the_stack_and_of_the_machine_exists():
    """Words such as `OpenRelease`, `SweepMinutes` and `UndeliveredQueueUrl`; a type is one of Rust."""
    sections = template()
    known = {*states(), *OF_AWS}.union(*sections.values())
    known |= set(re.findall(r"\b(?:struct|enum|trait) (\w+)", sources()))

    def named(page: str) -> set[str]:
        return {word for word in re.findall(r"`([^`\s]+)`", prose(page)) if WORD.fullmatch(word)}

    assert missing(PAGES, named, known.__contains__) == []
    outputs = {name for page in PAGES for name in re.findall(r"OutputKey=='(\w+)'", text(page))}
    assert outputs == {"StateMachineArn", "LedgerTable"} & sections["Outputs"]


def test_every_key_exists():
    """Words such as `guardMinutes`: something reads each of them, or AWS does."""

    def named(page: str) -> set[str]:
        return {word for word in re.findall(r"`\"?([^`\s\"]+)\"?`", prose(page)) if KEY.fullmatch(word)} - KEYS_OF_AWS

    def snake(word: str) -> str:
        return re.sub(r"([A-Z])", lambda found: f"_{found[1].lower()}", word)

    known = set(re.findall(r"\w+", sources()))
    assert missing(PAGES, named, lambda word: word in known or snake(word) in known) == []


def test_every_test_that_a_page_runs_exists():
    lines = [line for part in blocks("docs/CONTRIBUTING.md", "text") for line in part.splitlines()]
    rust = [line.split("#")[0].split() for line in lines if line.startswith("cargo test")]
    assert len(rust) > 1
    for words in rust:
        package, name = words[words.index("-p") + 1], words[-1]
        [manifest] = [path for path in ROOT.glob("*/**/Cargo.toml") if f'name = "{package}"\n' in path.read_text()]
        files = list((manifest.parent / "src").rglob("*.rs")) + list((manifest.parent / "tests").rglob("*.rs"))
        assert any(f"fn {name}" in path.read_text() for path in files), name
    for file, name in re.findall(r"pytest -q (\S+) -k (\w+)", "\n".join(lines)):
        assert f"def test_{name}(" in (ROOT / file).read_text(), name


def test_the_way_of_a_push_names_states_alone():
    rows = re.findall(r"^\| ([^|]*) \|", section("docs/ARCHITECTURE.md", "The way of one push"), re.MULTILINE)
    named = {word for cell in rows for word in re.findall(r"`(\w+)`", cell)}
    assert len(named) > 15 and named <= states()


def test_the_rules_that_are_switched_off_are_those_that_call_the_pipeline():
    [named] = re.findall(r"for RULE in ([a-z -]+); do", text("docs/OPERATIONS.md"))
    written = (ROOT / "template.yaml").read_text()
    rules = set(re.findall(r"Name: !Sub \$\{AWS::StackName\}-([a-z-]+)$", written, re.MULTILINE))
    assert set(named.split()) == rules - {"follow-up", "release-died"}


def test_the_table_of_an_environment_has_all_its_keys():
    source = (ROOT / "crates/pipeline/src/environment.rs").read_text()
    [fields] = re.findall(r"^pub struct Environment \{\n(.*?)^\}", source, re.DOTALL | re.MULTILINE)
    keys = [re.sub(r"_(\w)", lambda found: found[1].upper(), name) for name in re.findall(r"pub (\w+):", fields)]
    table = re.findall(r"^\| `(\w+)` \|", section("docs/CONFIGURATION.md", "An environment"), re.MULTILINE)
    assert sorted(table) == sorted(keys)


@pytest.mark.parametrize("page", PAGES)
def test_json_is_json_and_yaml_is_yaml(page):
    for body in blocks(page, "json"):
        json.loads(body.replace("…", ""))
    for body in blocks(page, "yaml"):
        yaml.safe_load(re.sub(r"![A-Z]\w+ ", "", body))


def test_the_picture_is_what_the_definition_says():
    drawn = draw_flow.draw(draw_flow.DEFINITION.read_text())
    assert draw_flow.PICTURE.read_text() == drawn, "make flow"


@pytest.mark.parametrize(
    ("right", "wrong", "complaint"),
    [
        ('"Next": "Register"', '"Next": "PreTest"', "draw .*Retag.*PreTest"),
        ('"Retag"', '"Tag"', "give a place to .*Tag"),
    ],
)
def test_a_picture_of_another_machine_is_refused(right, wrong, complaint):
    definition = draw_flow.DEFINITION.read_text()
    assert right in definition
    with pytest.raises(ValueError, match=complaint):
        draw_flow.draw(definition.replace(right, wrong))


def test_every_page_is_found_from_the_readme():
    linked = set(re.findall(r"\]\(([^)#]+\.md)", text("README.md")))
    assert linked == set(PAGES) - {"README.md"}


def test_every_metric_is_explained():
    written = ("functions/release/src/plan/measures.rs", "functions/alert/src/send.rs")
    names = {name for file in written for name in re.findall(r'"(\w+)",\s*(?:Unit|MoveOutcome)::', (ROOT / file).read_text())}
    explained = set(re.findall(r"\b[A-Z][a-z]+(?:[A-Z][a-z]+)*\b", prose("docs/METRICS.md")))
    assert len(names) > 15 and names <= explained, names - explained
