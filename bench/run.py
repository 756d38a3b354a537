"""`make bench`: cold starts of the function that plans releases, beside a Python and a Node handler of the same reads.

    python bench/run.py --bootstrap FILE [--against FILE] [--peers python,node] [--rounds 15] [--write]

Fails if a peer does not give the recorded answer, or reads something else.  No figure is a test.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from contextlib import closing, suppress
from pathlib import Path

import certificates
import peers
import report
import share
from aws_end import AwsEnd
from measure import Measure, Measured, Shares
from runtime_stub import PeerError

RECORDED = Path(__file__).with_name("plan.json")
# What Lambda gives to functions of 1,769, 512 and 256 MB; first as much as there is.
CASES = [Shares(None, None)]
CASES += [Shares(start, share) for share in (1, 0.29, 0.145) for start in (None, share)]


def main() -> int:
    """Measures, and prints; returns the exit code."""
    wanted = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        compared = _compared(wanted)
        with suppress(OSError):
            # What else the machine does must not decide; the TLS end and the peers inherit it.
            os.nice(-10)
        result = measured(compared, wanted.rounds)
    except (PeerError, peers.NoPeer) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print(report.text(result))
    if wanted.write and result.peers == ["Rust", "Python", "Node"]:
        report.write(result)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="run.py", description="Cold starts, beside those of other languages.")
    parser.add_argument("--bootstrap", type=Path, required=True, help="the function, as it is deployed")
    parser.add_argument("--against", type=Path, help="another bootstrap of it")
    parser.add_argument("--peers", default="python,node", help="the other languages: python, node")
    parser.add_argument("--rounds", type=int, default=15, help="how often each is started in each case")
    parser.add_argument("--write", action="store_true", help="write bench/README.md and the chart")
    wanted = parser.parse_args()
    if wanted.rounds < 1:
        parser.error("--rounds must be 1 or more")
    return wanted


def _compared(wanted: argparse.Namespace) -> list[peers.Peer]:
    """The peers; the first is what the others are compared with."""
    others = {"python": peers.python, "node": peers.node}
    compared = [peers.rust("Rust", wanted.bootstrap)]
    if wanted.against:
        compared.append(peers.rust("Rust, other", wanted.against))
    for name in filter(None, wanted.peers.replace(",", " ").split()):
        if name not in others:
            raise peers.NoPeer(f"there is no peer {name}: {', '.join(others)}")
        compared.append(others[name]())
    return compared


def measured(compared: list[peers.Peer], rounds: int) -> report.Result:
    """Starts each peer in each case once per round, so that what else the machine does meets all alike."""
    recorded = json.loads(RECORDED.read_text())
    found: dict[tuple[Shares, str], list[Measured]] = {}
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as name:
        folder = Path(name)
        certificates.make(folder)
        with closing(share.best()) as limited, closing(AwsEnd(folder / "end.pem", RECORDED)) as aws:
            measure, began = Measure(folder, aws, limited, recorded), time.monotonic()
            for peer in compared:
                # Reads its files into memory; it is not counted.
                measure.once(peer, CASES[0])
            for number in range(rounds):
                for case in CASES:
                    for peer in compared[number % len(compared) :] + compared[: number % len(compared)]:
                        found.setdefault((case, peer.name), []).append(measure.once(peer, case))
                print(f"round {number + 1} of {rounds}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    sizes = {peer.name: peer.megabytes() for peer in compared}
    return report.Result(found, sizes, measure.reads(), rounds, limited.how, (load, os.getloadavg()[0]))


if __name__ == "__main__":
    sys.exit(main())
