"""CloudWatch Logs: groups can be listed while a function logs its first line.

Plain ministack fails such a call with "dictionary changed size during iteration".
"""

from ministack.core.responses import AccountRegionScopedDict
from ministack.services import cloudwatch_logs

from .wrap import need

need(cloudwatch_logs, "_log_groups")


class Streams(dict):
    """The streams of a group, looked through as they were when the look began."""

    def values(self):
        return list(super().values())

    def items(self):
        return list(super().items())


class Groups(AccountRegionScopedDict):
    __slots__ = ()

    def __setitem__(self, name: str, group: dict) -> None:
        super().__setitem__(name, group | {"streams": Streams(group["streams"])})


cloudwatch_logs._log_groups.__class__ = Groups
