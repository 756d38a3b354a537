"""`make sam-local` and `make test-sam`: the samples of `events/` through the real SAM CLI, beside the local AWS.

    python local/sam_local.py [--function DeployFunction --event events/deploy/register.json]

What `make package` built runs in SAM's containers.  Without a function all samples are played, and each answer is
compared with the golden one beside it.
"""

import argparse
import difflib
import json
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import build
import engine
import sam_cli
from sam_world import TREE, World
from service import NotSeen
from stack import StackError

# So many samples are answered here as they are in Rust's tests, at least.  With a sample more or less it changes.
_EQUAL = 96
_GOLDEN = ".out.json"
# SAM looks for the end of a call in its log; where the function's own lines come with it, it waits for another second.
_QUIET = {"RUST_LOG": "off"}
# What a sample can find in the memory of Rust's tests and not in an account at rest, by what is asked for it.
_MISSING = {
    "states:DescribeExecution": "an execution that runs or has ended",
    "dynamodb:": "what other releases have left in the ledger",
    "ecs:ListServiceDeployments": "a shift of traffic that waits or has ended",
    "ssm:GetParameter": "live tests and what they are answered",
    "ecs:": "a service on its way, or as no account has it",
}
_UNREAD = "rows of the ledger, which a move that is given whole does not read"


@dataclass(frozen=True)
class Sample:
    """One file of `events/`, and the answer beside it."""

    folder: str
    path: Path

    @property
    def name(self) -> str:
        """As it is told."""
        return f"{self.folder}/{self.path.stem}"

    @property
    def text(self) -> str:
        """What is asked."""
        return self.path.read_text()

    @property
    def golden(self) -> str:
        """What must be answered."""
        return self.path.with_suffix(_GOLDEN).read_text()

    def function(self, functions: dict[str, str]) -> str:
        """Who is asked: of two functions that are one program, the second hears what is of no release."""
        mine = [name for name, folder in functions.items() if folder == self.folder]
        event = json.loads(self.text)
        of_no_release = "awslogs" in event or event.get("source", "aws.states") != "aws.states"
        return mine[-1 if of_no_release else 0]


def samples(folders: list[str]) -> list[Sample]:
    """All samples of these folders."""
    found = ((folder, path) for folder in folders for path in sorted((build.ROOT / "events" / folder).glob("*.json")))
    return [Sample(folder, path) for folder, path in found if not path.name.endswith(_GOLDEN)]


def missing(sample: Sample, calls: list[str]) -> str:
    """What a sample needs that is not there, judged by what was asked of AWS; nothing if it needs nothing."""
    of_services = {call.partition(":")[0] + ":" for call in calls}
    reasons = [reason for asked, reason in _MISSING.items() if asked in of_services.union(calls)]
    given_whole = isinstance(json.loads(sample.text).get("move"), dict)
    # What is refused before anything is asked needs nothing.
    unread = given_whole and "errorType" not in json.loads(sample.golden)
    return reasons[0] if reasons else _UNREAD if unread else ""


def main() -> int:
    """Plays one sample, or all."""
    parser = argparse.ArgumentParser(prog="sam_local.py", description="Plays samples through the SAM CLI.")
    parser.add_argument("--function", help="a function of the template; without one all samples are played")
    parser.add_argument("--event", type=Path, help="the file that it is given")
    options = parser.parse_args()
    # What it has started ends with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        return _all() if options.function is None else _one(options.function, options.event)
    except (engine.EngineError, build.BuildError, StackError, NotSeen) as problem:
        print(f"FAILED  {problem}", file=sys.stderr)
        return 1


def _one(function: str, event: Path) -> int:
    """Prints what `sam local invoke` answers, in the words of the event."""
    functions = sam_cli.functions()
    if function not in functions:
        raise engine.EngineError(f"FUNCTION is {function or 'missing'}: expected one of {', '.join(functions)}")
    if not event.is_file():
        raise engine.EngineError(f"EVENT is no file: expected one, as in EVENT=events/{functions[function]}/….json")
    build.build()
    image = sam_cli.base()
    with World() as world:
        template = sam_cli.lay_out(TREE, world.variables())
        world.furnish(functions[function])
        words = world.ready(event.read_text())
        given = TREE / "event.json"
        given.write_text(words.there)
        print(words.back(sam_cli.invoke(template, world.region, image, function, given)))
    return 0


def _all() -> int:
    """Prints a line per sample, and what came of all; returns the exit code."""
    build.build()
    image, began = sam_cli.base(), time.monotonic()
    print(f"SAM's containers are made from {image}")
    functions, left_out = sam_cli.functions(), Counter()
    equal = differ = 0
    with World() as world, sam_cli.Sam(sam_cli.lay_out(TREE, world.variables(**_QUIET)), world.region, image) as sam:
        for folder in dict.fromkeys(functions.values()):
            world.furnish(folder)
            for sample in samples([folder]):
                words, before = world.ready(sample.text), len(world.calls())
                answer = words.back(sam.invoke(sample.function(functions), words.there))
                _keep(sample, answer)
                if words.same(answer, sample.golden):
                    equal += 1
                    print(f"  equal     {sample.name}", flush=True)
                elif reason := missing(sample, world.calls()[before:]):
                    left_out[reason] += 1
                    print(f"  left out  {sample.name}: it needs {reason}", flush=True)
                else:
                    differ += 1
                    print(f"  DIFFERS   {sample.name}\n{_difference(answer, sample.golden)}", flush=True)
    seconds = time.monotonic() - began
    print(f"\n{equal} samples are answered as beside them, {differ} otherwise, in {seconds:.0f} s")
    print(f"{left_out.total()} are left out, which only Rust's tests can play:")
    for reason, count in left_out.most_common():
        print(f"  {count:3} need {reason}")
    if equal < _EQUAL:
        print(f"FAILED  {_EQUAL} were equal before: an answer has changed, or what it is asked for cannot be reached")
    return 1 if differ or equal < _EQUAL else 0


def _keep(sample: Sample, answer: str) -> None:
    """Keeps an answer, also of what is left out, for whoever wants to see it."""
    file = TREE / "answers" / f"{sample.name}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(answer)


def _difference(answer: str, golden: str) -> str:
    """The lines in which an answer differs from the golden one."""
    one, other = (json.dumps(json.loads(each), indent=1, sort_keys=True).splitlines() for each in (golden, answer))
    lines = difflib.unified_diff(one, other, n=0, lineterm="")
    return "\n".join(f"    {line}" for line in lines if not line.startswith(("---", "+++", "@@")))


if __name__ == "__main__":
    sys.exit(main())
