"""What was measured, as tables: for the terminal, and for bench/README.md between its marks."""

import datetime
import json
import os
import platform
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

import chart
from measure import Measured, Shares

FOLDER = Path(__file__).parent
_README, _CHART = FOLDER / "README.md", FOLDER / "cold-start.svg"
_BEGIN, _END = "<!-- measured -->", "<!-- /measured -->"
# The memory size that has each share, by what AWS says of 1,769 MB.
_SIZES = {1: "1,769 MB", 0.29: "512 MB", 0.145: "256 MB"}


@dataclass(frozen=True)
class Result:
    """All of it; the peer that came first is the one that the others are compared with."""

    found: dict[tuple[Shares, str], list[Measured]]
    sizes: dict[str, float]
    reads: list[int]
    rounds: int
    limited_by: str
    load: tuple[float, float]

    @property
    def peers(self) -> list[str]:
        """The names of the peers, the first one first."""
        return list(self.sizes)

    @property
    def cases(self) -> list[Shares]:
        """The shares of a CPU that were tried."""
        return list(dict.fromkeys(case for case, _ in self.found))

    def median(self, case: Shares, peer: str, of: Callable[[Measured], float]) -> float:
        """The median of all rounds."""
        return median(map(of, self.found[case, peer]))

    def middle(self, case: Shares, peer: str, of: Callable[[Measured], float]) -> tuple[float, float]:
        """What the middle half of all rounds lies between."""
        values = [of(each) for each in self.found[case, peer]]
        low, _, high = quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
        return low, high


def text(result: Result) -> str:
    """The tables, as Markdown; a terminal shows them well enough."""
    tables = [_cold(result), _parts(result), _sizes(result)]
    return "\n\n".join([_surroundings(result), *("\n".join(_aligned(table)) for table in tables)])


def write(result: Result) -> None:
    """Puts the tables and the chart where a reader finds them."""
    _CHART.write_text(chart.drawn(_bars(result)))
    before, found, rest = _README.read_text().partition(_BEGIN)
    _, also_found, after = rest.partition(_END)
    if not found or not also_found:
        raise ValueError(f"{_README.name} lacks {_BEGIN} or {_END}")
    _README.write_text(f"{before}{_BEGIN}\n{text(result)}\n{_END}{after}")


def _surroundings(result: Result) -> str:
    """When it was measured, on what, and with what."""
    today = datetime.date.today().isoformat()
    rounds = f"{result.rounds} round{'' if result.rounds == 1 else 's'}"
    reads = " and ".join(map(str, result.reads))
    return (
        f"Measured on {today}: {_processor()}, {os.cpu_count()} cores, {platform.machine()}, "
        f"Linux {platform.release()}; {'; '.join(_versions(result.peers))}. Medians of {rounds}, and ratios of these; "
        f"shares of a CPU by {result.limited_by}. The two calls after each start make {reads} reads. "
        f"Load of the machine: {result.load[0]:.1f} before, {result.load[1]:.1f} at the end."
    )


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else "an unnamed processor"


def _versions(peers: list[str]) -> list[str]:
    """The versions of what the peers are made of, as their files fix them."""
    versions = []
    if "Python" in peers:
        listed = (FOLDER / "peers/python/requirements.txt").read_text()
        [boto3] = re.findall(r"^boto3==(\S+)", listed, re.MULTILINE)
        versions.append(f"Python {platform.python_version()} with boto3 {boto3}")
    if "Node" in peers:
        node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
        package = json.loads((FOLDER / "peers/node/package.json").read_text())
        sdk = package["dependencies"]["@aws-sdk/client-ecs"]
        versions.append(f"Node {node.removeprefix('v')} with the SDK {sdk}")
    return versions or ["no other language"]


def _cold(result: Result) -> list[list[str]]:
    """The answer in short: what somebody waits for the first answer, and how much longer than for the first peer."""
    first, *others = result.peers
    table = [["Start", "Calls", *(f"{peer}, ms" for peer in result.peers), *(f"{peer} / {first}" for peer in others)]]
    for case in result.cases:
        cold = {peer: result.median(case, peer, lambda one: one.cold) for peer in result.peers}
        ratios = [f"{cold[peer] / cold[first]:.1f}" for peer in others]
        table.append([_share(case.start), _share(case.call), *map(_short, cold.values()), *ratios])
    return table


def _parts(result: Result) -> list[list[str]]:
    """What that consists of."""
    parts = {
        "Start, ms": lambda one: one.start,
        "First call, ms": lambda one: one.calls[0],
        "Second call, ms": lambda one: one.calls[1],
        "CPU of start, ms": lambda one: one.cpu_start,
        "CPU of first call, ms": lambda one: one.cpu_calls[0],
    }
    table = [["Start", "Calls", "", *parts, "Start and first call, middle half"]]
    for case in result.cases:
        for peer in result.peers:
            numbers = [_short(result.median(case, peer, part)) for part in parts.values()]
            middle = " to ".join(map(_short, result.middle(case, peer, lambda one: one.cold)))
            table.append([_share(case.start), _share(case.call), peer, *numbers, middle])
    return table


def _sizes(result: Result) -> list[list[str]]:
    """What hardly depends on the share."""
    table = [["", "Memory, MiB", "Package, MB", "TLS connections"]]
    for peer in result.peers:
        memory = result.median(result.cases[0], peer, lambda one: one.memory)
        connections = result.median(result.cases[0], peer, lambda one: one.connections)
        table.append([peer, _short(memory), f"{result.sizes[peer]:.1f}", f"{connections:.0f}"])
    return table


def _bars(result: Result) -> list[chart.Group]:
    """The answer in short, for the chart."""
    groups = []
    for case in result.cases:
        shortest, bars = result.median(case, result.peers[0], lambda one: one.cold), []
        for peer in result.peers:
            cold = result.median(case, peer, lambda one: one.cold)
            start = result.median(case, peer, lambda one: one.start)
            says = f"{_short(cold)} ms" + (f", {cold / shortest:.1f} times" if bars else "")
            bars.append(chart.Bar(peer, start, cold - start, says))
        start, call = _share(case.start), _share(case.call)
        title = f"start and calls {call}" if start == call else f"start {start}, calls {call}"
        groups.append(chart.Group(title, bars))
    return groups


def _share(cpus: float | None) -> str:
    return "all CPUs" if cpus is None else f"{cpus} CPU ({_SIZES[cpus]})"


def _short(number: float) -> str:
    """A number with two digits that matter, or all before its point."""
    return f"{number:.1f}" if number < 20 else f"{number:,.0f}"


def _aligned(table: list[list[str]]) -> list[str]:
    """A table of Markdown, whose columns a terminal shows below each other, those of numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*table)]
    right = [all(cell.replace(",", "").replace(".", "").isdigit() for cell in column[1:]) for column in zip(*table)]
    lines = [
        [cell.rjust(width) if is_right else cell.ljust(width) for cell, width, is_right in zip(row, widths, right)]
        for row in table
    ]
    rule = ["-" * (width - 1) + (":" if is_right else "-") for width, is_right in zip(widths, right)]
    return [f"| {' | '.join(line)} |" for line in (lines[0], rule, *lines[1:])]
