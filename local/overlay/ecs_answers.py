"""ECS: an answer is written while background threads go on changing the record that it shows.

Plain ministack walks the live record, and fails with an internal error when a thread adds a key to it meanwhile.
"""

from ministack.services import ecs

from .wrap import wrap


@wrap(ecs, "_sanitize")
def of_a_copy(original, obj):
    # `dict.copy` and `list.copy` are one step for the interpreter; ministack calls this for every level.
    return original(obj.copy() if isinstance(obj, dict | list) else obj)
