"""Measures one start of one peer: until it is ready, until it has answered its first call, and its second."""

import json
import mmap
import os
import struct
import subprocess
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from aws_end import AwsEnd
from peers import Peer
from runtime_stub import PeerError, RuntimeStub

CALLS = 2
# After a call: Lambda freezes a function, and the next call finds that it owes no CPU time.
_PAUSE = 0.05
# What is shown of what a peer said that went wrong.
_LAST_LINES, _LONGEST_LINE = 20, 200
# The clock, and the CPU time of the process before it became the peer.
_BEGAN = "dd"


@dataclass(frozen=True)
class Shares:
    """How much of a CPU a function has while it starts, and while it answers; none is as much as there is."""

    start: float | None
    call: float | None


@dataclass(frozen=True)
class Measured:
    """One start, in milliseconds of the clock and of the CPU, and in MiB."""

    start: float
    calls: tuple[float, ...]
    cpu_start: float
    cpu_calls: tuple[float, ...]
    memory: float
    connections: int

    @property
    def cold(self) -> float:
        """What somebody waits for who calls a function that does not run."""
        return self.start + self.calls[0]

    @property
    def cpu_cold(self) -> float:
        """The CPU time of that."""
        return self.cpu_start + self.cpu_calls[0]


class Measure:
    """Starts peers, each in the same surroundings."""

    def __init__(self, folder: Path, aws: AwsEnd, share, recorded: dict) -> None:
        self._folder, self._aws, self._share, self._recorded = folder, aws, share, recorded
        self._reads: list[list[str]] = []
        (folder / "no-certificates").mkdir()
        (folder / "home").mkdir()

    def once(self, peer: Peer, shares: Shares) -> Measured:
        """Starts a peer, lets it answer, and ends it."""
        running: list[subprocess.Popen] = []
        stub = RuntimeStub(self._share.wait, lambda: all(each.poll() is None for each in running))
        # Where the process writes when it begins: how long it takes to make one is not its own.
        began = mmap.mmap(-1, struct.calcsize(_BEGAN))
        self._share.limit(shares.start)
        process = self._started(peer, stub, began)
        running.append(process)
        self._share.of(process.pid)
        try:
            return self._watched(process, stub, struct.unpack(_BEGAN, began[:]), shares)
        except PeerError as error:
            raise PeerError(f"{peer.name}: {error}{self._last_lines()}") from None
        finally:
            process.kill()
            process.wait()
            stub.close()
            began.close()

    def _last_lines(self) -> str:
        """The end of what the peer said, each line on its own; a line of a bundle can be long."""
        lines = (self._folder / "log").read_text(errors="replace").splitlines()
        return "".join(f"\n  {line[:_LONGEST_LINE]}" for line in lines[-_LAST_LINES:])

    def _started(self, peer: Peer, stub: RuntimeStub, began: mmap.mmap) -> subprocess.Popen:
        def before_it_begins() -> None:
            self._share.enter()
            began[:] = struct.pack(_BEGAN, time.monotonic(), time.process_time() * 1000)

        with (self._folder / "log").open("wb") as log:
            return subprocess.Popen(
                peer.command,
                env=self._environment(stub) | dict(peer.environment),
                cwd=self._folder / "home",
                preexec_fn=before_it_begins,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _watched(
        self, process: subprocess.Popen, stub: RuntimeStub, began: tuple[float, float], shares: Shares
    ) -> Measured:
        start = stub.ready() - began[0]
        cpu, calls, connections = [_cpu_of(process.pid)], [], 0
        self._share.limit(shares.call)
        for number in range(CALLS):
            event = self._recorded["event"] | {"release": f"bench-{number}"}
            seconds, answer = stub.call(f"call-{number}", json.dumps(event).encode())
            cpu.append(_cpu_of(process.pid))
            calls.append(seconds * 1000)
            seen = self._aws.seen()
            connections += seen["connections"]
            self._check(number, answer, seen["reads"])
            stub.ready()
            time.sleep(_PAUSE)
        spent = tuple(after - before for before, after in zip(cpu, cpu[1:]))
        return Measured(start * 1000, tuple(calls), cpu[0] - began[1], spent, _memory_of(process.pid), connections)

    def _check(self, number: int, answer: dict, reads: list[str]) -> None:
        """Insists on the recorded answer, and that each call reads what the first peer has read."""
        if answer != self._recorded["plan"]:
            raise PeerError(f"it answered {json.dumps(answer)}, not {json.dumps(self._recorded['plan'])}")
        if number == len(self._reads):
            self._reads.append(sorted(reads))
        if sorted(reads) != self._reads[number]:
            here, there = Counter(reads), Counter(self._reads[number])
            more, less = list((here - there).elements()), list((there - here).elements())
            raise PeerError(
                f"call {number + 1} does not read what the first peer reads: "
                f"it adds {', '.join(more) or 'nothing'}, and lacks {', '.join(less) or 'nothing'}"
            )

    def reads(self) -> list[int]:
        """How many reads each call makes."""
        return [len(reads) for reads in self._reads]

    def _environment(self, stub: RuntimeStub) -> dict[str, str]:
        """What Lambda and the template give to a function, and what finds and trusts the TLS end."""
        roots = str(self._folder / "roots.pem")
        return {
            "AWS_LAMBDA_RUNTIME_API": stub.address,
            "AWS_LAMBDA_FUNCTION_NAME": "release",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/release",
            "AWS_LAMBDA_LOG_STREAM_NAME": "bench",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_SESSION_TOKEN": "test",
            "HOME": str(self._folder / "home"),
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "LEDGER_TABLE": "ledger",
            "RUST_LOG": "info",
            "TASK_ROLE_ARNS": "",
            "HEALTH_TEST_IN_VPC": "true",
            # Each finds all roots in one file, as on Lambda; Node has them built in, and reads ours beside them.
            "SSL_CERT_FILE": roots,
            "SSL_CERT_DIR": str(self._folder / "no-certificates"),
            "AWS_CA_BUNDLE": roots,
            "NODE_EXTRA_CA_CERTS": str(self._folder / "root.pem"),
            **self._aws.environment,
        }


def _cpu_of(process: int) -> float:
    """The CPU time of all threads of a process so far, in milliseconds."""
    # The clock of another process, as clock_getcpuclockid(3) makes it.
    return time.clock_gettime(~process << 3 | 2) * 1000


def _memory_of(process: int) -> float:
    """The most that was resident, in MiB."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    [peak] = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(peak) / 1024
