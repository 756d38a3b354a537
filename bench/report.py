"""What was measured, as a text."""

from dataclasses import dataclass
from statistics import median

from measure import Measured, Shares


@dataclass(frozen=True)
class Result:
    """All of it."""

    found: dict[tuple[Shares, str], list[Measured]]
    sizes: dict[str, float]
    reads: list[int]
    rounds: int
    how: str


def text(result: Result) -> str:
    out=[]
    for (case, name), many in result.found.items():
        m=lambda f: median(map(f, many))
        out.append(f"{str(case.start):>6} {str(case.call):>6} {name:12} start {m(lambda x:x.start):7.1f} first {m(lambda x:x.calls[0]):7.1f} second {m(lambda x:x.calls[1]):7.1f} cold {m(lambda x:x.cold):7.1f} cpu {m(lambda x:x.cpu_start):6.1f}+{m(lambda x:x.cpu_calls[0]):6.1f} +{m(lambda x:x.cpu_calls[1]):6.1f} mem {m(lambda x:x.memory):5.1f} conn {m(lambda x:x.connections)}")
    return "\n".join(out + [str(result.reads), result.how, str(result.sizes)])
