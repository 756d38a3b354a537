"""`make package`: who takes the built template as it is gets what was built."""

import os
import subprocess
import sys

import pytest
from samtranslator.yaml_helper import yaml_parse

import build

TEMPLATE = build.ROOT / "template.yaml"


def packaged(architecture: str) -> list[str]:
    """The commands of `make package`, a line each, as `make` would run them."""
    # What is installed already is not in question here, and neither are this test run's own settings.
    command = ["make", "--dry-run", "--old-file=.local/lint/.done", "package", f"ARCH={architecture}"]
    settings = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(command, cwd=build.ROOT, env=settings, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@pytest.mark.parametrize("architecture", ["arm64", "x86_64"])
def test_the_built_template_defaults_to_what_was_built(tmp_path, architecture):
    folder = f".local/package/{architecture}"
    commands = packaged(architecture)
    [built] = [n for n, command in enumerate(commands) if f"sam build --build-dir {folder}" in command]
    [marked] = [n for n, command in enumerate(commands) if "local/lint/architecture.py" in command]
    assert built < marked

    template = tmp_path / "template.yaml"
    template.write_text(TEMPLATE.read_text())
    _, script, file, *rest = commands[marked].split()
    assert file == f"{folder}/template.yaml"
    subprocess.run([sys.executable, script, template, *rest], cwd=build.ROOT, check=True)
    expected = yaml_parse(TEMPLATE.read_text())
    expected["Parameters"]["Architecture"]["Default"] = architecture
    assert yaml_parse(template.read_text()) == expected


def test_a_template_that_cannot_say_it_is_not_left_as_it_is(tmp_path):
    template = tmp_path / "template.yaml"
    template.write_text("Parameters:\n  Clusters:\n    Default: one\n")
    command = [sys.executable, "local/lint/architecture.py", template, "arm64"]
    done = subprocess.run(command, cwd=build.ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "no parameter Architecture" in done.stderr
