"""A record of the requests that reach the local AWS, for tests and for the demo's timeline.

One JSON line per request: what was asked, by whom (the `app/<name>` that an SDK puts in its user agent), how
it ended, and how many units of a table it took; never what was in it. Calls that the state machine makes inside ministack pass no wire, so they
are not here. What the images of tasks push and pull (`/v2/`) is no API of AWS either.
"""

import json
import re
import threading
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import parse_qs

from ministack import app as ministack

from .wrap import need

need(ministack, "app", "detect_service", "_ct_event_name")

_APP = re.compile(r"\bapp/([\w.+-]+)")
_CODE = re.compile(rb'"__type"\s*:\s*"([^"]+)"|"code"\s*:\s*"([^"]+)"|<Code>([^<]+)</Code>', re.IGNORECASE)
# A role is asked for each part of a transaction.
_PART = re.compile(rb'"(ConditionCheck|Put|Update|Delete)": ?\{')
_IN_PATH = re.compile(r"^/service/\w+/operation/(\w+)$")
_ACTION = re.compile(rb"(?:^|&)Action=(\w+)")
# What policies call a service that its address names otherwise.
_IN_POLICIES = {"monitoring": "cloudwatch"}
_NO_API = ("/_", "/v2/", "/v4/", "/health")


def recorded(path: Path):
    """ministack's ASGI application, with every API request written to a file."""
    lock = threading.Lock()

    async def app(scope, receive, send):
        if scope["type"] != "http" or scope["path"].startswith(_NO_API):
            return await ministack.app(scope, receive, send)
        call = _Call(scope)

        async def reading():
            return call.asked(await receive())

        async def sending(message):
            # Written before the answer's end is sent: who got an answer finds the call in the record.
            if call.answered(message):
                with lock, path.open("a") as file:
                    file.write(json.dumps(call.line()) + "\n")
            await send(message)

        await ministack.app(scope, reading, sending)

    return app


class _Call:
    def __init__(self, scope: dict) -> None:
        self._at = datetime.now(timezone.utc)
        self._method, self._path = scope["method"], scope["path"]
        self._headers = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
        }
        self._query = parse_qs(scope["query_string"].decode("latin-1"))
        self._form, self._status, self._error = b"", 0, ""
        self._is_transaction = self._headers.get("x-amz-target", "").endswith(".TransactWriteItems")
        self._parts: set[str] = set()
        self._is_of_a_table = self._headers.get("x-amz-target", "").startswith("DynamoDB_")
        self._request = self._answer = b""

    def asked(self, message: dict) -> dict:
        if self._is_of_a_table and message["type"] == "http.request":
            # DynamoDB says what a call takes to whoever asks; a request comes in parts.
            self._request += message.get("body", b"")
            whole = b"" if message.get("more_body") else self._asking()
            message = {**message, "body": whole}
        # Of a body only the action is of interest, which the query protocol puts there, and what a transaction does.
        if "x-www-form-urlencoded" in self._headers.get("content-type", "") and len(self._form) < 65536:
            self._form += message.get("body", b"")
        if self._is_transaction:
            self._parts |= {part.decode() for part in _PART.findall(message.get("body", b""))}
        return message

    def answered(self, message: dict) -> bool:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            headers = {name.lower(): value.decode("latin-1") for name, value in message["headers"]}
            self._error = headers.get(b"x-amzn-errortype", "").split(":")[0]
        elif self._status >= 400 and not self._error and (found := _CODE.search(message.get("body", b""))):
            self._error = next(group for group in found.groups() if group).decode().rsplit("#")[-1]
        if self._is_of_a_table:
            self._answer += message.get("body", b"")
        return message["type"] == "http.response.body" and not message.get("more_body", False)

    def line(self) -> dict:
        agents = f"{self._headers.get('x-amz-user-agent', '')} {self._headers.get('user-agent', '')}"
        if found := _ACTION.search(self._form):
            self._query["Action"] = [found[1].decode()]
        asked = (self._method, self._path, self._headers, self._query)
        service, in_path = ministack.detect_service(*asked), _IN_PATH.match(self._path)
        return {
            "at": self._at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "service": _IN_POLICIES.get(service, service),
            "operation": in_path[1] if in_path else ministack._ct_event_name(service, *asked),
            "agent": found[1] if (found := _APP.search(agents)) else "",
            "status": self._status,
            "error": self._error,
            "parts": sorted(self._parts),
            "units": self._units(),
        }

    def _asking(self) -> bytes:
        try:
            return json.dumps({**json.loads(self._request), "ReturnConsumedCapacity": "TOTAL"}).encode()
        except (TypeError, ValueError):
            return self._request  # what is wrong with it is not for here to say

    def _units(self) -> float:
        """How many units a call of DynamoDB took: of one table, or of each that it names."""
        if not self._is_of_a_table or self._status >= 300:
            return 0
        taken = json.loads(self._answer or b"{}").get("ConsumedCapacity") or []
        return sum(each["CapacityUnits"] for each in (taken if isinstance(taken, list) else [taken]))
