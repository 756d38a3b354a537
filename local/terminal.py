"""Says what happens, in aligned lines; in colour only where somebody is looking."""

import os
import sys
import time

from watch import Step

_COLOURS = {"good": "32", "bad": "31", "quiet": "2", "bold": "1"}
_GOOD = {"Deployed"}
_BAD = {"RolledBack", "NeedsHuman", "Refused", "MoveFailed", "RollbackFailed", "Undelivered"}


class Terminal:
    """Standard output."""

    def __init__(self) -> None:
        self._colourful = sys.stdout.isatty() and "NO_COLOR" not in os.environ

    def paint(self, text: str, colour: str) -> str:
        """The text in a colour, or as it is."""
        return f"\033[{_COLOURS[colour]}m{text}\033[0m" if self._colourful and text else text

    def line(self, text: str = "") -> None:
        """One line, or several."""
        print(text, flush=True)

    def heading(self, text: str) -> None:
        """What the following lines are about."""
        self.line(f"\n{self.paint(text, 'bold')}")

    def at(self, seconds: float, text: str) -> None:
        """One thing that happened, so many seconds after the start."""
        self.line(f"{max(seconds, 0):7.1f} s  {text}")

    def fact(self, name: str, text: str, colour: str = "") -> None:
        """What came out; further lines stand under the first."""
        first, *rest = text.splitlines() or [""]
        self.line(f"  {name:<10}{self.paint(first, colour) if colour else first}")
        for line in rest:
            self.line(f"{'':12}{line}".rstrip())


class Clock:
    """Says each step of a preparation once it is done."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal, self._start = terminal, time.monotonic()

    def done(self, text: str) -> None:
        """The seconds since the start, and what is done."""
        self._terminal.at(time.monotonic() - self._start, text)


class Live:
    """Says each state of an execution as it is entered, with the time since the push."""

    def __init__(self, terminal: Terminal, since: float) -> None:
        self._terminal, self._since = terminal, since
        self._choices: dict[str, str] = {}

    def __call__(self, step: Step) -> None:
        """A choice shares the line of the state that it chose."""
        chosen = self._choices.pop(step.execution, "")
        if step.kind == "Choice":
            self._choices[step.execution] = f"{chosen}{step.state} → "
            return
        colour = "good" if step.state in _GOOD else "bad" if step.state in _BAD else ""
        state = self._terminal.paint(step.state, colour) if colour else step.state
        indent = "  " if step.label else ""
        seconds = step.entered.timestamp() - self._since
        self._terminal.at(seconds, indent + self._terminal.paint(chosen, "quiet") + state)


def durations(steps: list[Step]) -> str:
    """How long each state took, visits added up; states that only decide are left out."""
    spent: dict[tuple[str, str], list[float]] = {}
    for step in steps:
        if step.kind not in ("Choice", "Pass", "Succeed", "Fail"):
            spent.setdefault((step.label, step.state), []).append(step.seconds)
    lines = []
    for (label, state), visits in spent.items():
        times = f"   {len(visits)} times" if len(visits) > 1 else ""
        lines.append(f"{('  ' if label else '') + state:<16}{sum(visits):6.2f} s{times}")
    return "\n".join(lines)
