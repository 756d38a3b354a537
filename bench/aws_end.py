"""The AWS of the bench: TLS on loopback, one port per service, and recorded answers.

    python bench/aws_end.py CERTIFICATE ANSWERS

It runs in a process of its own, so that it shares no interpreter with what takes the time.  It prints its ports,
and for every line of its input what was asked since the last one; it ends with its input.
"""

import json
import re
import socket
import ssl
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

# The services by the prefix of their calls, as the SDKs name them in `AWS_ENDPOINT_URL_<SERVICE>`.
SERVICES = {"DynamoDB": "DYNAMODB", "AmazonSSM": "SSM", "AmazonEC2ContainerService": "ECS"}
_TARGET = "x-amz-target"


class AwsEnd:
    """A running one."""

    def __init__(self, certificate: Path, answers: Path) -> None:
        command = [sys.executable, __file__, str(certificate), str(answers)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        # A session of its own, because Linux gives precedence to whole sessions.
        self._process = subprocess.Popen(command, **pipes, text=True, start_new_session=True)
        with suppress(OSError):
            Path(f"/proc/{self._process.pid}/autogroup").write_text("-10")
        self._ports = self._told()

    @property
    def environment(self) -> dict[str, str]:
        """Where an SDK finds each service: on AWS, too, each has a host and so a connection of its own."""
        return {f"AWS_ENDPOINT_URL_{name}": f"https://localhost:{port}" for name, port in self._ports.items()}

    def seen(self) -> dict:
        """The `reads` and the number of `connections` since this was asked last."""
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._told()

    def _told(self) -> dict:
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the TLS end has ended: what it says is above")
        return json.loads(line)

    def close(self) -> None:
        """Ends it."""
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()


class _Seen:
    """What was asked since somebody looked."""

    def __init__(self) -> None:
        self._lock, self._reads, self._connections = threading.Lock(), [], 0

    def add(self, read: str | None = None) -> None:
        with self._lock:
            if read is None:
                self._connections += 1
            else:
                self._reads.append(read)

    def take(self) -> dict:
        with self._lock:
            taken = {"reads": self._reads, "connections": self._connections}
            self._reads, self._connections = [], 0
            return taken


# Each call is another release, as it is on Lambda.
_RELEASE = r"release#bench-\d+"


def read_as_text(target: str, asked: dict) -> str:
    """A read, the same whatever order its keys have, and whichever release it is for."""
    return f"{target} {re.sub(_RELEASE, 'release#bench', json.dumps(asked, sort_keys=True))}"


def main() -> None:
    """Answers until its input ends."""
    certificate, answers = map(Path, sys.argv[1:])
    known = {
        read_as_text(each["read"], each["asked"]): json.dumps(each["answer"]).encode()
        for each in json.loads(answers.read_text())["reads"]
    }
    context, seen, ports = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), _Seen(), {}
    context.load_cert_chain(certificate)
    for name in SERVICES.values():
        listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        ports[name] = listening.getsockname()[1]
        threading.Thread(target=_accept, args=(listening, context, known, seen), daemon=True).start()
    print(json.dumps(ports), flush=True)
    for _ in sys.stdin:
        print(json.dumps(seen.take()), flush=True)


def _accept(listening: socket.socket, context: ssl.SSLContext, known: dict, seen: _Seen) -> None:
    while True:
        plain, _ = listening.accept()
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_serve, args=(plain, context, known, seen), daemon=True).start()


def _serve(plain: socket.socket, context: ssl.SSLContext, known: dict, seen: _Seen) -> None:
    """Answers what comes over one connection; a peer that is ended breaks it off."""
    try:
        with context.wrap_socket(plain, server_side=True) as connection:
            seen.add()
            buffered = connection.makefile("rb")
            while head := _head(buffered):
                body = buffered.read(int(head.get("content-length", 0)))
                connection.sendall(_answer(head.get(_TARGET, "nothing"), body, known, seen))
    except OSError:
        plain.close()


def _head(buffered) -> dict[str, str]:
    """The headers of the next request; none when there is no more."""
    headers = {"": buffered.readline()} if buffered.peek(1) else {}
    while (line := buffered.readline()).strip():
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    return headers


def _answer(target: str, body: bytes, known: dict, seen: _Seen) -> bytes:
    read = read_as_text(target, json.loads(body or b"{}"))
    seen.add(read)
    status, answer = ("200 OK", known[read]) if read in known else ("400 Bad Request", _unknown(read))
    version = "1.0" if target.startswith("DynamoDB") else "1.1"
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/x-amz-json-{version}\r\nContent-Length: {len(answer)}\r\n"
    return f"{head}x-amzn-RequestId: 00000000-0000-4000-8000-000000000000\r\n\r\n".encode() + answer


def _unknown(read: str) -> bytes:
    return json.dumps({"__type": "AccessDeniedException", "message": f"the bench has no answer to {read}"}).encode()


if __name__ == "__main__":
    main()
