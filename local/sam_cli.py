"""The real SAM CLI, and the functions that it runs, each in a container of its own with Lambda's runtime emulator."""

import contextlib
import json
import os
import platform
import signal
import subprocess
import time
from pathlib import Path
from urllib.request import Request, urlopen

from samtranslator.yaml_helper import yaml_parse

import engine
import sam_base
from forwarder import free_port

ROOT = Path(__file__).resolve().parent.parent
MACHINE = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
PACKAGE = ROOT / ".local/package" / MACHINE
BASE = f"public.ecr.aws/lambda/provided:al2023-{MACHINE}"
_SAM = ROOT / ".local/lint/bin/sam"
_FUNCTION = "AWS::Serverless::Function"
_PATIENCE = 100


def functions() -> dict[str, str]:
    """The functions of the package by name, and the folder of `events/` that holds samples for them."""
    resources = yaml_parse((PACKAGE / "template.yaml").read_text())["Resources"].items()
    return {name: _binary(each) for name, each in resources if each["Type"] == _FUNCTION}


def _binary(resource: dict) -> str:
    return resource["Metadata"]["BuildProperties"]["Binary"]


def base() -> str:
    """The base image: Lambda's own where it is here or can be pulled, or else a stand-in that is built here."""
    try:
        engine.docker("image", "inspect", BASE)
        return BASE
    except engine.EngineError:
        pass
    try:
        engine.docker("pull", "--quiet", BASE, within=_PATIENCE)
        return BASE
    except engine.EngineError:
        with contextlib.suppress(engine.EngineError):
            # What SAM made of an older one.
            engine.docker("image", "rm", f"{sam_base.NAME}:rapid-{MACHINE}")
        return sam_base.build(sorted(PACKAGE.glob("*/bootstrap")))


def lay_out(tree: Path, variables: dict[str, dict[str, str]]) -> Path:
    """Writes the template of the package anew, each function with these variables; returns its path.

    SAM hands on no variable that the template does not have.
    """
    document = yaml_parse((PACKAGE / "template.yaml").read_text())
    document["Globals"]["Function"].pop("Environment")
    for name, resource in document["Resources"].items():
        if resource["Type"] == _FUNCTION:
            resource["Properties"]["CodeUri"] = str(PACKAGE / resource["Properties"]["CodeUri"])
            resource["Properties"]["Environment"] = {"Variables": variables[name]}
    tree.mkdir(parents=True, exist_ok=True)
    template = tree / "template.yaml"
    template.write_text(json.dumps(document, indent=1))
    return template


class Sam:
    """`sam local start-lambda`, alive while the block lasts; its containers stay warm from call to call."""

    def __init__(self, template: Path, region: str, image: str) -> None:
        port = free_port()
        self._url = f"http://127.0.0.1:{port}/2015-03-31/functions"
        command = [_SAM, "local", "start-lambda", "--template", template, "--port", str(port)]
        self._command = [*command, "--warm-containers", "LAZY", *_options(region, image)]
        self.log = template.with_name("sam.log")

    def __enter__(self) -> "Sam":
        with self.log.open("w") as log:
            quiet = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
            self._process = subprocess.Popen(self._command, env=_environment(), start_new_session=True, **quiet)
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _wait(self) -> None:
        deadline = time.monotonic() + _PATIENCE
        while "Running on http" not in self.log.read_text():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise engine.EngineError(f"SAM did not start: see {self.log}")
            time.sleep(0.1)

    def __exit__(self, *_) -> None:
        # It removes its containers when it is interrupted.
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def invoke(self, function: str, event: str) -> str:
        """What a function answers."""
        request = Request(f"{self._url}/{function}/invocations", event.encode())
        with urlopen(request, timeout=90) as answer:
            return answer.read().decode()


def invoke(template: Path, region: str, image: str, function: str, event: Path) -> str:
    """What `sam local invoke` prints of one function."""
    command = [_SAM, "local", "invoke", function, "--template", template, "--event", event]
    command += _options(region, image)
    done = subprocess.run(command, env=_environment(), stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise engine.EngineError(f"sam local invoke ended with {done.returncode}; what it says is above")
    return done.stdout


def _options(region: str, image: str) -> list[str]:
    """Whatever the image is, it is here by now."""
    named = [] if image == BASE else ["--invoke-image", f"{image}:latest"]
    return ["--region", region, "--skip-pull-image", *named]


def _environment() -> dict[str, str]:
    """SAM hands these keys to the functions: a developer's own must not be among them."""
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "SAM_CLI_TELEMETRY": "0"}
    mine = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return mine | keys
