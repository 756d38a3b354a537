"""Events of AWS services on the default bus.

Plain ministack publishes no `aws.ecr` and no `aws.ecs` events, and refuses them from outside as AWS does.
They go out from a thread of their own, in order, so that a push never waits for what it sets off.
"""

import contextvars
import json
import logging
import queue
import threading

from ministack.services import eventbridge

from .wrap import need

need(eventbridge, "_put_events")

_outbox: queue.Queue = queue.Queue()


def publish(source: str, detail_type: str, detail: dict, resources: list[str]) -> None:
    """Publishes one event in the account and region of the request at hand."""
    entry = {
        "Source": source,
        "DetailType": detail_type,
        "Detail": json.dumps(detail),
        "Resources": resources,
    }
    _outbox.put((contextvars.copy_context(), entry))


def _deliver() -> None:
    while True:
        scope, entry = _outbox.get()
        try:
            scope.run(eventbridge._put_events, {"Entries": [entry]}, allow_aws_source=True)
        except Exception:
            logging.getLogger("overlay.events").exception("event not delivered: %s", entry["DetailType"])


threading.Thread(target=_deliver, daemon=True, name="overlay-events").start()
