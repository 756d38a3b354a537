"""The one way in which the overlay changes ministack.

The names it needs are private, so each is checked when it is wrapped: a new version of ministack that moved
one must fail at the start and say so, not misbehave in the middle of a demo.
"""

import functools
import inspect
import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

Response = tuple[int, dict, bytes]


def need(module: ModuleType, *names: str) -> None:
    """Insists that a module has the private names that a wrap uses."""
    gone = [name for name in names if not hasattr(module, name)]
    if gone:
        raise RuntimeError(f"{module.__name__} no longer has {', '.join(gone)}: the overlay must be adapted")


def wrap(module: ModuleType, name: str) -> Callable[[Callable], Callable]:
    """Puts the decorated function in the place of `module.name`; it gets the original as first argument."""
    need(module, name)
    original = getattr(module, name)

    def install(replacement: Callable) -> Callable:
        _insist_on_parameters(module, name, original, replacement)
        bound = functools.update_wrapper(functools.partial(replacement, original), original)
        setattr(module, name, bound)
        # Tables from action to handler hold the function itself, not its name.
        for table in [value for value in vars(module).values() if type(value) is dict]:
            for key, value in table.items():
                if value is original:
                    table[key] = bound
        return bound

    return install


def _insist_on_parameters(module: ModuleType, name: str, original: Callable, replacement: Callable) -> None:
    wanted = list(inspect.signature(replacement).parameters.values())[1:]
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in wanted):
        return
    given = list(inspect.signature(original).parameters)
    if [parameter.name for parameter in wanted] != given:
        raise RuntimeError(f"{module.__name__}.{name} now takes {given}: the overlay must be adapted")


def succeeded(response: Response) -> bool:
    """Whether a handler's answer is not an error."""
    return response[0] < 300


def content(response: Response) -> Any:
    """The JSON document in a handler's answer."""
    return json.loads(response[2])
