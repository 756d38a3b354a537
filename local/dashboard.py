"""`make dashboard`: the custom widgets of the dashboard on this machine, as the CloudWatch console shows them.

    python local/dashboard.py [--stack STACK] [--port 8765] [--local]

It takes the rights to read the stack and its dashboard, and to call the functions of the widgets: whoever may not
call the one that acts sees what it answers. `--local` asks the local AWS that `make demo KEEP=1` left running. It
listens on this machine alone, and calls no function but those that the dashboard names.
"""

import argparse
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from cli import clients, output, run

_PAGES = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
}
_FOLDER = Path(__file__).with_name("dashboard")
# Nothing from elsewhere, and no script but the page's own, whatever a widget holds.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def main(arguments: list[str] | None = None) -> int:
    """Serves until it is interrupted; returns the exit code."""
    parser = argparse.ArgumentParser(prog="dashboard.py", description="The dashboard, on this machine.")
    parser.add_argument("--stack", default="tidegate", help="the stack of the dashboard")
    parser.add_argument("--port", type=int, default=8765, help="the port; 0 takes any that is free")
    parser.add_argument("--local", action="store_true", help="ask the local AWS that `make demo KEEP=1` left running")
    wanted = parser.parse_args(arguments)
    return run(lambda: _serve(wanted))


def _serve(wanted: argparse.Namespace) -> str:
    server = serve(clients("dashboard", wanted.local), wanted.stack, wanted.port)
    print(f"http://127.0.0.1:{server.server_port}/  (Ctrl-C ends it)", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        return ""
    finally:
        server.server_close()


def serve(client, stack: str, port: int = 0) -> ThreadingHTTPServer:
    """A server of the dashboard of a stack, which does not serve yet."""
    name = output(client("cloudformation"), stack, "DashboardUrl").rpartition("/")[2]
    body = json.loads(client("cloudwatch").get_dashboard(DashboardName=name)["DashboardBody"])
    widgets = [each["properties"] for each in body["widgets"] if each["type"] == "custom"]
    acts = output(client("cloudformation"), stack, "DashboardActsFunction")
    called = {widget["endpoint"] for widget in widgets}
    called |= {endpoint.rpartition(":")[0] + f":{acts}" for endpoint in called}
    board = {"dashboard": name, "widgets": widgets, "where": f"stack {stack}"}
    return ThreadingHTTPServer(("127.0.0.1", port), _handler(client("lambda"), board, called))


def _handler(functions, board: dict, called: set[str]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if not self._is_asked_here():
                self._say(403, {"error": "expected a request to this machine"})
            elif path == "/board":
                self._say(200, board)
            elif path in _PAGES:
                file, kind = _PAGES[path]
                self._send(200, (_FOLDER / file).read_bytes(), kind)
            else:
                self._say(404, {"error": "there is no such page"})

        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers.get("content-length") or 0))
            # A page from elsewhere can set no such header.
            if not self._is_asked_here() or self.headers.get("x-tidegate") != "dashboard":
                return self._say(403, {"error": "expected a request of the page itself"})
            asked = json.loads(text)
            if asked["endpoint"] not in called:
                return self._say(403, {"error": f"{asked['endpoint']} is no function of the dashboard"})
            return self._say(*_answer(functions, asked["endpoint"], asked["payload"]))

        def _is_asked_here(self) -> bool:
            # A name that somebody else has made to mean this machine is another host.
            return self.headers.get("host") in {f"{name}:{self.server.server_port}" for name in ("127.0.0.1", "localhost")}

        def _say(self, status: int, document: dict) -> None:
            self._send(status, json.dumps(document).encode(), "application/json")

        def _send(self, status: int, content: bytes, kind: str) -> None:
            self.send_response(status)
            headers = {"content-type": kind, "content-length": str(len(content)), "content-security-policy": _POLICY}
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_) -> None:
            pass

    return Handler


def _answer(functions, endpoint: str, payload: dict) -> tuple[int, dict]:
    """What a function answers, or why it does not."""
    try:
        answer = functions.invoke(FunctionName=endpoint, Payload=json.dumps(payload))
        said = json.loads(answer["Payload"].read())
    except (ClientError, BotoCoreError) as problem:
        return 502, {"error": str(problem)}
    if "FunctionError" in answer:
        return 502, {"error": f"{said.get('errorType')}: {said.get('errorMessage')}"}
    return 200, {"html": said}


if __name__ == "__main__":
    sys.exit(main())
