"""Lambda: functions that answer at once and end with the launcher.

Plain ministack starts bootstraps that live on when it is killed, and its Runtime API holds small answers back
(Nagle's algorithm against delayed acknowledgements), which makes a warm call take 50 ms instead of 10.
"""

import socketserver
import subprocess
import types

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from . import processes
from .wrap import need

socketserver.StreamRequestHandler.disable_nagle_algorithm = True

for _module in (lambda_runtime, lambda_svc):
    need(_module, "subprocess")
    _module.subprocess = types.SimpleNamespace(**{**vars(subprocess), "Popen": processes.spawn})
