"""What a client heard of a service: which version answered when.

heard = Heard([(0.1, "hello from v1"), (0.2, "hello from v2")])
str(heard) == "v1 until 0.1 s, v2 from 0.2 s on; 2 answers, none failed"
"""

from dataclasses import dataclass
from itertools import groupby


@dataclass(frozen=True)
class Spell:
    """Answers of one version that came one after the other."""

    version: str
    first: float
    last: float


@dataclass(frozen=True)
class Heard:
    """All answers of one address, each with the seconds since the push."""

    answers: list[tuple[float, str]]

    @property
    def failed(self) -> list[str]:
        """What was no success."""
        return [answer for _, answer in self.answers if _failed(answer)]

    @property
    def spells(self) -> list[Spell]:
        """The versions that answered, in their order; one comes twice if another answered in between."""
        good = [(at, _version(answer)) for at, answer in self.answers if not _failed(answer)]
        runs = [(version, list(run)) for version, run in groupby(good, lambda each: each[1])]
        return [Spell(version, run[0][0], run[-1][0]) for version, run in runs]

    @property
    def versions(self) -> list[str]:
        """The same without the times."""
        return [spell.version for spell in self.spells]

    def count(self, version: str) -> int:
        """How many answers came from a version."""
        return [_version(answer) for _, answer in self.answers].count(version)

    def since(self, version: str) -> float | None:
        """When a version answered first, if it did."""
        return next((spell.first for spell in self.spells if spell.version == version), None)

    def document(self) -> dict:
        """All of it in the report."""
        spells = [
            {"version": spell.version, "from": round(spell.first, 3), "until": round(spell.last, 3)}
            for spell in self.spells
        ]
        return {"answers": len(self.answers), "failed": self.failed, "versions": spells}

    def __str__(self) -> str:
        """All of it in one line."""
        counts = f"{len(self.answers)} answers, {len(self.failed) or 'none'} failed"
        return f"{self._timeline() or 'no version'}; {counts}"

    def _timeline(self) -> str:
        spells = self.spells
        if len(spells) == 1:
            return f"{spells[0].version} all the time"
        starts = ["", *(f" from {spell.first:.1f} s" for spell in spells[1:])]
        ends = [*(f" until {spell.last:.1f} s" for spell in spells[:-1]), " on"]
        return ", ".join(f"{spell.version}{start}{end}" for spell, start, end in zip(spells, starts, ends))


def _failed(answer: str) -> bool:
    return answer.startswith("<")


def _version(answer: str) -> str:
    """Its last word, whatever the image says before it."""
    return answer.rsplit(" ", 1)[-1]
