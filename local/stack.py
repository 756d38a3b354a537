"""Deploys template.yaml: lays the bootstraps out as a SAM build would, uploads them, and lets CloudFormation
transform the template and create what is in it.

    lay_out(Path("target/debug"), build)
    outputs = deploy(cloud, build, {"Clusters": "dev", "RepositoryPrefix": "shop/"})
"""

import hashlib
import json
import os
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).resolve().parent.parent
STACK = "tidegate"
_BUCKET = "tidegate-code"
_FUNCTION = "AWS::Serverless::Function"
_MACHINE = "AWS::Serverless::StateMachine"
_PATIENCE = 60
# One fixed time for every entry: the same bootstrap makes the same zip.
_EPOCH = (1980, 1, 1, 0, 0, 0)


class StackError(Exception):
    """Why the stack does not stand, in a sentence."""


def lay_out(binaries: Path, build: Path, template: Path = ROOT / "template.yaml") -> None:
    """Fills `build` with what `sam build` leaves: the template, and a bootstrap per function in its folder."""
    build.mkdir(parents=True, exist_ok=True)
    document = yaml_parse(template.read_text())
    for name, resource in _of_type(document, _FUNCTION):
        binary = binaries / resource["Metadata"]["BuildProperties"]["Binary"]
        if not binary.is_file():
            why = f"{name} has no bootstrap: {binary} does not exist (cargo build --workspace makes it)"
            raise StackError(why)
        bootstrap = build / name / "bootstrap"
        bootstrap.parent.mkdir(exist_ok=True)
        bootstrap.unlink(missing_ok=True)
        bootstrap.symlink_to(binary.resolve())
        resource["Properties"]["CodeUri"] = name
    for _, machine in _of_type(document, _MACHINE):
        definition = template.parent / machine["Properties"]["DefinitionUri"]
        machine["Properties"]["DefinitionUri"] = os.path.relpath(definition, build)
    # JSON is YAML, too.
    (build / "template.yaml").write_text(json.dumps(document, indent=1))


def deploy(cloud, build: Path, parameters: dict[str, str], name: str = STACK) -> dict[str, str]:
    """Creates or updates the stack from a build tree and returns its outputs."""
    document = yaml_parse((build / "template.yaml").read_text())  # of `lay_out`, or of sam build itself
    s3 = cloud.client("s3")
    _upload(s3, build, document)
    # Too long to be part of a call: it is uploaded too, as sam deploy does.
    template = _at(s3, "template.json", json.dumps(document).encode())
    formation = cloud.client("cloudformation")
    exists = _exists(formation, name)
    change_set = formation.create_change_set(
        StackName=name,
        ChangeSetName=f"at-{time.time_ns()}",
        ChangeSetType="UPDATE" if exists else "CREATE",
        TemplateURL=f"{s3.meta.endpoint_url}/{template}",
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )["Id"]
    planned = _settled(lambda: formation.describe_change_set(ChangeSetName=change_set, StackName=name))
    if planned["Status"] == "CREATE_COMPLETE":
        formation.execute_change_set(ChangeSetName=change_set, StackName=name)
    elif not exists or "didn't contain changes" not in planned.get("StatusReason", ""):
        raise StackError(f"the template was refused: {planned.get('StatusReason', planned['Status'])}")
    stack = _settled(lambda: _stack(formation, name))
    if stack["StackStatus"] not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        raise StackError(f"the stack ended {stack['StackStatus']}: {_reasons(formation, name)}")
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def memory(cloud, name: str = STACK) -> dict[str, int]:
    """How much memory each function of the stack has, in MB."""
    listed = cloud.client("cloudformation").describe_stack_resources(StackName=name)["StackResources"]
    functions = [each for each in listed if each["ResourceType"] == "AWS::Lambda::Function"]
    ask = cloud.client("lambda").get_function_configuration
    return {
        each["LogicalResourceId"]: ask(FunctionName=each["PhysicalResourceId"])["MemorySize"] for each in functions
    }


def _of_type(document: dict, wanted: str) -> list[tuple[str, dict]]:
    return [(name, each) for name, each in document["Resources"].items() if each["Type"] == wanted]


def _upload(s3, build: Path, document: dict) -> None:
    """Replaces the template's local paths by objects in a bucket, as `aws cloudformation package` does."""
    s3.create_bucket(Bucket=_BUCKET)
    functions = _of_type(document, _FUNCTION)
    with ThreadPoolExecutor() as pool:  # compression leaves the interpreter's lock
        folders = [(name, build / function["Properties"]["CodeUri"]) for name, function in functions]
        archives = list(pool.map(lambda each: _zipped(*each), folders))
    for (_, function), archive in zip(functions, archives):
        function["Properties"]["CodeUri"] = _put(s3, archive)
    for _, machine in _of_type(document, _MACHINE):
        machine["Properties"]["DefinitionUri"] = _put(s3, build / machine["Properties"]["DefinitionUri"])


def _put(s3, file: Path) -> str:
    """Uploads a file under a name that changes with its content: otherwise an update would see no change."""
    return f"s3://{_at(s3, file.name, file.read_bytes())}"


def _at(s3, name: str, content: bytes) -> str:
    """Uploads content; returns its bucket and its key."""
    key = f"{hashlib.sha256(content).hexdigest()[:16]}-{name}"
    s3.put_object(Bucket=_BUCKET, Key=key, Body=content)
    return f"{_BUCKET}/{key}"


def _zipped(name: str, folder: Path) -> Path:
    """Zips a function's bootstrap, unless that was done already: the zip bears the time of what is in it."""
    bootstrap = folder / "bootstrap"
    if not bootstrap.is_file():
        raise StackError(f"{name} has no bootstrap: {bootstrap} does not exist")
    archive = folder.with_suffix(".zip")
    made = bootstrap.stat().st_mtime_ns
    if not archive.exists() or archive.stat().st_mtime_ns != made:
        entry = zipfile.ZipInfo("bootstrap", _EPOCH)
        entry.external_attr = 0o755 << 16
        # A development build is large and goes nowhere but to this machine: speed before size.
        unfinished = archive.with_suffix(".part")
        with zipfile.ZipFile(unfinished, "w") as into:
            into.writestr(entry, bootstrap.read_bytes(), zipfile.ZIP_DEFLATED, compresslevel=1)
        os.utime(unfinished, ns=(made, made))
        unfinished.rename(archive)
    return archive


def _settled(read) -> dict:
    """Reads until nothing is pending or in progress any more."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        state = read()
        status = state.get("StackStatus") or state["Status"]
        if not status.endswith(("_PENDING", "_IN_PROGRESS")):
            return state
        if time.monotonic() > deadline:
            raise StackError(f"the stack is still {status} after {_PATIENCE} s")
        time.sleep(0.05)


def _stack(formation, name: str) -> dict:
    return formation.describe_stacks(StackName=name)["Stacks"][0]


def _exists(formation, name: str) -> bool:
    try:
        return _stack(formation, name)["StackStatus"] != "REVIEW_IN_PROGRESS"
    except formation.exceptions.ClientError:
        return False


def _reasons(formation, name: str) -> str:
    events = formation.describe_stack_events(StackName=name)["StackEvents"]
    failed = [each for each in events if each["ResourceStatus"].endswith("_FAILED")]
    reasons = [f"{each['LogicalResourceId']}: {each.get('ResourceStatusReason', '')}" for each in failed]
    return "; ".join(reversed(reasons))
