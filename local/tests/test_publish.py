"""What is published of a version: it deploys from the folder that it is unpacked into, and gives the same bytes again."""

import hashlib
import re
import zipfile

import release

_TEMPLATE = """Resources:
  ReleaseFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: ReleaseFunction
  ReleaseMachine:
    Type: AWS::Serverless::StateMachine
    Properties:
      DefinitionUri: ../../../statemachine/release.asl.json
"""


def _released(tmp_path):
    package, sbom = tmp_path / "package", tmp_path / "sbom"
    (package / "ReleaseFunction").mkdir(parents=True, exist_ok=True)
    sbom.mkdir(exist_ok=True)
    (package / "ReleaseFunction/bootstrap").write_bytes(b"a program")
    (package / "template.yaml").write_text(_TEMPLATE)
    (sbom / "release.cdx.json").write_text("{}")
    release.put_together(package, sbom, tmp_path / "release")
    return tmp_path / "release"


def test_the_template_finds_all_beside_itself(tmp_path):
    folder = _released(tmp_path)
    template = (folder / "template.yaml").read_text()
    named = re.findall(r"(?:CodeUri|DefinitionUri): (\S+)", template)
    assert named == ["ReleaseFunction.zip", "release.asl.json"]
    assert all((folder / name).exists() for name in named)


def test_lambda_may_run_what_is_in_a_zip(tmp_path):
    with zipfile.ZipFile(_released(tmp_path) / "ReleaseFunction.zip") as packed:
        [entry] = packed.infolist()
        assert (entry.filename, entry.external_attr >> 16, packed.read(entry)) == ("bootstrap", 0o755, b"a program")


def test_every_file_has_its_checksum_and_the_same_one_again(tmp_path):
    folder = _released(tmp_path)
    sums = (folder / "SHA256SUMS").read_text()
    for line in sums.splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    names = {line.split("  ")[1] for line in sums.splitlines()}
    assert names == {path.name for path in folder.iterdir()} - {"SHA256SUMS"}
    assert (_released(tmp_path) / "SHA256SUMS").read_text() == sums


def test_the_version_is_that_of_the_crates():
    assert re.fullmatch(r"\d+\.\d+\.\d+", release.version())
