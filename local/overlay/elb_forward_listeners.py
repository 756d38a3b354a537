"""ELBv2: listeners that listen.

Plain ministack serves load balancers on its own port, by names that its clients must resolve. Here an application
load balancer has a loopback address of its own as its DNSName, and each of its HTTP listeners a server there. A
listener below port 1024, which needs a privilege, is served by plain ministack alone; so are HTTPS, and load
balancers of a CloudFormation stack. A connection lasts as long as its client keeps it.
"""

import asyncio
import contextvars
import re
import threading
from collections.abc import Awaitable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote

from ministack.core.responses import StreamingResponse
from ministack.services import alb

from .network import Network
from .wrap import Response, need, succeeded, wrap

need(alb, "_p", "_xml", "_error", "_lb_xml", "_lbs", "dispatch_request")

_PRIVILEGED = 1024
_OF_THE_CONNECTION = {"connection", "content-length", "keep-alive", "transfer-encoding"}

_network = Network()
_addresses: dict[str, str] = {}
_servers: dict[str, "_Server"] = {}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, balancer: dict, port: int) -> None:
        super().__init__((balancer["DNSName"], port), _Request)
        # Account and region of the request that created the listener; the server's threads have none.
        self.balancer, self.scope = balancer, contextvars.copy_context()
        threading.Thread(target=self.serve_forever, daemon=True, name=f"overlay-listener-{port}").start()

    def close(self) -> None:
        self.shutdown()
        self.server_close()


class _Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _forward(self) -> None:
        path, _, query = self.path.partition("?")
        answering = alb.dispatch_request(
            self.server.balancer,
            self.command,
            unquote(path),
            {name.lower(): value for name, value in self.headers.items()},
            self.rfile.read(int(self.headers.get("Content-Length", 0))),
            parse_qs(query, keep_blank_values=True),
            port=self.server.server_port,
            client_ip=self.client_address[0],
            raw_query_string=query,
            raw_path=path,
        )
        self._answer(*self.server.scope.copy().run(asyncio.run, _whole(answering)))

    do_DELETE = do_GET = do_HEAD = do_OPTIONS = do_PATCH = do_POST = do_PUT = _forward

    def _answer(self, status: int, headers: dict, body: bytes) -> None:
        self.send_response_only(status)
        for name, values in headers.items():
            if name.lower() not in _OF_THE_CONNECTION:
                for value in values if isinstance(values, list) else [values]:
                    self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_) -> None:
        """Logs nothing: a client may ask all the time."""


async def _whole(answering: Awaitable[Response]) -> Response:
    """An answer with all of its body; one that its target did not finish is a bad gateway."""
    status, headers, body = await answering
    if not isinstance(body, StreamingResponse):
        return status, headers, body
    parts, ended = [], False

    async def send(message: dict) -> None:
        nonlocal ended
        parts.append(message["body"])
        ended = not message["more_body"]

    async def stays_connected() -> None:
        await asyncio.Event().wait()

    await body.runner(send, stays_connected)
    return (status, headers, b"".join(parts)) if ended else (502, {}, b"")


@wrap(alb, "_create_lb")
def at_an_address(original, params) -> Response:
    response = original(params)
    if not succeeded(response) or alb._p(params, "Type", "application") != "application":
        return response
    balancer = alb._lbs[_in(response, "LoadBalancerArn")]
    balancer["DNSName"] = _network.draw(_addresses.values())
    _addresses[balancer["LoadBalancerArn"]] = balancer["DNSName"]
    shown = f"<LoadBalancers>{alb._lb_xml(balancer)}</LoadBalancers>"
    return alb._xml(200, "CreateLoadBalancer", shown)


@wrap(alb, "_create_listener")
def with_a_server(original, params) -> Response:
    balancer = alb._lbs.get(alb._p(params, "LoadBalancerArn"))
    port = int(alb._p(params, "Port", "80"))
    try:
        server = _opened(balancer, port, alb._p(params, "Protocol", "HTTP")) if balancer else None
    except OSError as taken:
        return alb._error("ServiceUnavailable", f"{balancer['DNSName']}:{port}: {taken.strerror}", 503)
    response = original(params)
    if server and succeeded(response):
        _servers[_in(response, "ListenerArn")] = server
    elif server:
        server.close()
    return response


@wrap(alb, "_delete_listener")
def without_its_server(original, params) -> Response:
    _close(alb._p(params, "ListenerArn"))
    return original(params)


@wrap(alb, "_delete_lb")
def without_its_servers(original, params) -> Response:
    balancer = alb._p(params, "LoadBalancerArn")
    for arn, server in list(_servers.items()):
        if server.balancer["LoadBalancerArn"] == balancer:
            _close(arn)
    _addresses.pop(balancer, None)
    return original(params)


def _opened(balancer: dict, port: int, protocol: str) -> _Server | None:
    served = balancer["LoadBalancerArn"] in _addresses and port >= _PRIVILEGED and protocol == "HTTP"
    return _Server(balancer, port) if served else None


def _close(listener: str) -> None:
    if server := _servers.pop(listener, None):
        server.close()


def _in(response: Response, tag: str) -> str:
    return re.search(f"<{tag}>([^<]+)", response[2].decode())[1]
