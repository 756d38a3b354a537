"""`make release`: puts together what is published of a version for one architecture, from what was packaged.

The functions as zips, the template and the state machines beside them, what each function is made of, and checksums.
Whoever unpacks it deploys it with the SAM CLI alone.  The same functions give the same zips, to the byte.
"""

import argparse
import hashlib
import re
import shutil
import sys
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_CODE = re.compile(r"^( +CodeUri: )([A-Za-z]+)$", re.MULTILINE)
_MACHINE = re.compile(r"^( +DefinitionUri: )\S*?([\w.-]+\.json)$", re.MULTILINE)
_FIRST_DAY = (1980, 1, 1, 0, 0, 0)  # of a zip


def version() -> str:
    return tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]


def put_together(package: Path, sbom: Path, release: Path) -> None:
    """Makes the folder of a release anew."""
    shutil.rmtree(release, ignore_errors=True)
    release.mkdir(parents=True)
    template = (package / "template.yaml").read_text()
    for name in sorted({name for _, name in _CODE.findall(template)}):
        _zip(package / name / "bootstrap", release / f"{name}.zip")
    for name in {name for _, name in _MACHINE.findall(template)}:
        shutil.copy(ROOT / "statemachine" / name, release)
    (release / "template.yaml").write_text(_MACHINE.sub(r"\1\2", _CODE.sub(r"\1\2.zip", template)))
    for part in sbom.glob("*.cdx.json"):
        shutil.copy(part, release)
    files = sorted(path for path in release.iterdir())
    sums = "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files)
    (release / "SHA256SUMS").write_text(sums)


def _zip(bootstrap: Path, to: Path) -> None:
    entry = zipfile.ZipInfo("bootstrap", _FIRST_DAY)
    entry.external_attr, entry.compress_type = 0o755 << 16, zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(to, "w", compresslevel=9) as packed:
        packed.writestr(entry, bootstrap.read_bytes())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("architecture", choices=["x86_64", "arm64"])
    architecture = parser.parse_args().architecture
    package, sbom = ROOT / ".local/package" / architecture, ROOT / ".local/sbom" / architecture
    if not (package / "template.yaml").exists():
        sys.exit(f"Nothing is packaged for {architecture}: make package ARCH={architecture}")
    release = ROOT / ".local/release" / version() / architecture
    put_together(package, sbom, release)
    for path in sorted(release.glob("*.zip")):
        print(f"{path.stat().st_size / 2**20:6.2f} MiB  {path.name}")
    print(f"Deploy it with: sam deploy --guided --template {release.relative_to(ROOT)}/template.yaml")


if __name__ == "__main__":
    main()
