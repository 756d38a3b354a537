"""What `make demo` pushes, the live tests of each release, and how it has to end."""

from dataclasses import dataclass

# The image is run alone before the service is touched.
_SELF_TEST = {"name": "self test", "task": {"command": ["check"]}}

# Each new task is asked what a visitor sees.
_TASK = "http://${target.address}"
_VERSION = {"name": "version", "url": f"{_TASK}/version", "captures": {"version": {"json": "$.version"}}}
_GREETING = {"name": "greeting", "url": f"{_TASK}/", "contains": "hello from ${version}"}
_VISIT = {"name": "visit", "journey": [_VERSION, _GREETING], "attempts": 2, "interval": "1s"}


@dataclass(frozen=True)
class Push:
    """An image to push, and how its release has to end."""

    description: str
    tag: str
    version: str
    behaviour: str
    outcome: str
    checks: tuple[dict, ...] = (_VISIT,)
    """The live tests of its service from now on."""


# To a service whose tasks ECS replaces.
ROLLED = [
    Push("a good image", "main-2", "v2", "good", "Deployed"),
    Push("an image that starts and gives wrong answers", "main-3", "v3", "wrong-content", "RolledBack"),
    Push("an image that crashes", "main-4", "v4", "crashes", "RolledBack"),
    Push("an image whose own check fails", "main-5", "v5", "fails-check", "RolledBack", (_SELF_TEST, _VISIT)),
]

# To a service whose traffic ECS shifts to new tasks beside the old ones.
SHIFTED = [
    Push("a good image, tested dark, then shifted", "main-6", "v2", "good", "Deployed"),
    Push("an image with wrong answers, bad in the dark", "main-7", "v3", "wrong-content", "RolledBack"),
]
