"""Stands for every host that alerts are posted to: keeps what each was told, and answers as that host would.

with Receivers() as receivers, Cloud(state, hosts=receivers.url) as cloud:
    receivers.told("slack.com")
"""

import json
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_SLACK = {"ok": True, "channel": "C0123456789", "ts": "1795428000.000100"}
# How each host says that it has taken what it was told.
_TAKEN = {"slack.com": (200, json.dumps(_SLACK)), "hooks.slack.com": (200, "ok")}
_ELSE = (202, "{}")


@dataclass(frozen=True)
class Told:
    """One request that a host got."""

    host: str
    path: str
    headers: dict[str, str]
    raw: str
    body: dict


class Receivers:
    """A server on this machine, each host below a path of its own name."""

    def __init__(self) -> None:
        self._told: list[Told] = []
        self._broken: dict[str, tuple[int, str]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "Receivers":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self._server.shutdown()
        self._server.server_close()

    def break_(self, host: str, status: int, body: str = "") -> None:
        """From now on a host answers so."""
        self._broken[host] = (status, body)

    def mend(self) -> None:
        """Every host takes what it is told again."""
        self._broken.clear()

    def told(self, host: str, about: str = "", seconds: float = 10) -> list[Told]:
        """What a host was told about something, as soon as it was told anything of it."""
        deadline = time.monotonic() + seconds
        while True:
            found = [each for each in list(self._told) if each.host == host and about in json.dumps(each.body)]
            if found or time.monotonic() > deadline:
                return found
            time.sleep(0.05)

    def texts(self) -> list[str]:
        """All bodies so far, but those that have to hold a secret."""
        return [json.dumps(each.body) for each in list(self._told) if "pagerduty" not in each.host]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receivers = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                host, _, path = self.path.lstrip("/").partition("/")
                headers = {name.lower(): value for name, value in self.headers.items()}
                receivers._told.append(Told(host, path, headers, body.decode(), json.loads(body)))
                status, answer = receivers._broken.get(host) or _TAKEN.get(host, _ELSE)
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer.encode())

            def log_message(self, *_) -> None:
                pass

        return Handler
