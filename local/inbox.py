"""Where alerts arrive: a webhook of ours, and a queue that is subscribed to the stack's topic."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from threading import Thread

import canary
from service import put


class Inbox:
    """Takes what releases say at their end, by SNS and by HTTP; ends with this process."""

    def __init__(self, cloud, topic: str, channels: dict | None = None) -> None:
        self._sqs, self._queue = cloud.client("sqs"), _subscribed(cloud, topic)
        self._by_topic: list[tuple[str, str, str]] = []
        self._by_webhook: list[tuple[str, str, dict]] = []
        self._posts: SimpleQueue[dict] = SimpleQueue()
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self._posted))
        Thread(target=server.serve_forever, daemon=True).start()
        put(cloud, "alerts", webhook(server.server_port) | ({"channels": channels} if channels else {}))

    def about(self, release: str, outcome: str = "", seconds: float = 10) -> tuple[str | None, dict | None]:
        """What both channels said last of a release, or of one outcome of it; None for one that did not."""
        deadline = time.monotonic() + seconds
        while True:
            self._receive()
            said = tuple(_last(channel, release, outcome) for channel in (self._by_topic, self._by_webhook))
            if all(said) or time.monotonic() > deadline:
                return said
            time.sleep(0.05)

    def texts(self) -> list[str]:
        """All that has arrived so far, by either channel."""
        self._receive()
        return [text for _, _, text in self._by_topic] + [json.dumps(alert) for _, _, alert in self._by_webhook]

    def posts(self) -> Iterator[dict]:
        """The alerts that arrive at the webhook from now on, for ever."""
        while not self._posts.empty():
            self._posts.get()
        while True:
            yield self._posts.get()

    def _receive(self) -> None:
        got = self._sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10)
        for message in got.get("Messages", []):
            notification = json.loads(message["Body"])
            about = notification["MessageAttributes"]
            # What is of no release names none.
            release, outcome = about.get("release", {}).get("Value", ""), about["outcome"]["Value"]
            self._by_topic.append((release, outcome, notification["Message"]))
            self._sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])

    def topic(self, title: str, seconds: float = 10) -> str:
        """What the topic said under a title."""
        deadline = time.monotonic() + seconds
        while True:
            self._receive()
            found = [text for _, _, text in self._by_topic if text.startswith(title)]
            if found or time.monotonic() > deadline:
                return found[-1] if found else ""
            time.sleep(0.05)

    def _posted(self, body: bytes, signed: dict[str, str]) -> bool:
        """Takes an alert if its signature is right."""
        told = ".".join([signed.get("webhook-id", ""), signed.get("webhook-timestamp", ""), body.decode()])
        mac = hmac.new(canary.WEBHOOK_SECRET.encode(), told.encode(), hashlib.sha256)
        expected = "v1," + base64.b64encode(mac.digest()).decode()
        if genuine := hmac.compare_digest(signed.get("webhook-signature", ""), expected):
            alert = json.loads(body)["data"]
            self._by_webhook.append((alert["release"], alert["outcome"], alert))
            self._posts.put(alert)
        return genuine


def webhook(port: int) -> dict:
    """The document of the alert channels, for a webhook on this machine; each part of it is a secret."""
    user = f"{canary.WEBHOOK_USER}:{canary.WEBHOOK_PASSWORD}"
    url = f"http://{user}@127.0.0.1:{port}/{canary.WEBHOOK_PATH}?token={canary.WEBHOOK_QUERY}"
    return {"webhook": {"url": url, "secret": canary.WEBHOOK_SECRET}}


def _last(said: list[tuple], release: str, outcome: str):
    """The newest of what a channel said that is wanted."""
    wanted = [what for about, came, what in said if about == release and outcome in ("", came)]
    return wanted[-1] if wanted else None


def _handler(take: Callable[[bytes, dict[str, str]], bool]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            taken = take(body, {name.lower(): value for name, value in self.headers.items()})
            self.send_response(204 if taken else 401)
            self.end_headers()

        def log_message(self, *_) -> None:
            pass

    return Handler


def _subscribed(cloud, topic: str) -> str:
    """Creates a queue that gets what is published to a topic; returns its URL."""
    name = f"{topic.rsplit(':')[-1]}-inbox"
    queue = cloud.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    arn = f"arn:aws:sqs:{cloud.region}:{cloud.account}:{name}"
    cloud.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return queue
