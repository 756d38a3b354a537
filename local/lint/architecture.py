"""Makes the architecture that was built the default of a built template: who deploys it as it is gets what runs."""

import re
import sys
from pathlib import Path

_DEFAULT = re.compile(r"^(  Architecture:\n(?: {4}.*\n)*? {4}Default: )\S+$", re.MULTILINE)


def with_default(template: str, architecture: str) -> str:
    """The template with another default of its parameter `Architecture`; nothing else of it changes."""
    changed, times = _DEFAULT.subn(rf"\g<1>{architecture}", template)
    if times != 1:
        sys.exit("The built template has no parameter Architecture with a default: what was built is not said.")
    return changed


if __name__ == "__main__":
    built, architecture = Path(sys.argv[1]), sys.argv[2]
    built.write_text(with_default(built.read_text(), architecture))
