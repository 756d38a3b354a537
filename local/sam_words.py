"""The words of a sample, and those of the local AWS for them.

The samples tell of an account in another region, at another time, with digests and ids that nobody can choose.  So a
sample is put into the words of the local AWS before it is played, and its answer back into the words of the sample.
"""

import json
import re
from datetime import datetime, timedelta, timezone

# The moment at which Rust's tests play every sample.
_NOW = datetime(2026, 11, 23, 10, 0, 10, tzinfo=timezone.utc)
_TIME = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
# What AWS numbers: a deployment, and a revision of a task definition.
_MINTED = re.compile(r"ecs-svc/\w+|task-definition/[\w-]+:\d+")


class Words:
    """Those of one sample, as long as it is played."""

    def __init__(self, sample: str, names: dict[str, str]) -> None:
        self._sample, self._names = sample, names
        self._later = datetime.now(timezone.utc).replace(microsecond=0) - _NOW

    @property
    def there(self) -> str:
        """The sample in the words of the local AWS."""
        return _moved(_named(self._sample, self._names), self._later)

    def back(self, text: str) -> str:
        """An answer in the words of the sample."""
        return _moved(_named(text, {theirs: ours for ours, theirs in self._names.items()}), -self._later)

    def same(self, answer: str, golden: str, seconds: float = 10) -> bool:
        """Whether an answer, put back, says what the golden one does.

        The clock goes on while a sample is played, and what AWS has numbered meanwhile may bear any number.
        """
        one, other = (json.dumps(json.loads(each), sort_keys=True) for each in (answer, golden))
        late = [_moment(is_) - _moment(was) for is_, was in zip(_TIME.findall(one), _TIME.findall(other))]
        in_time = all(timedelta(seconds=-1) <= each <= timedelta(seconds=seconds) for each in late)
        return in_time and self._timeless(one) == self._timeless(other)

    def _timeless(self, text: str) -> str:
        known = set(_MINTED.findall(self._sample))
        text = _MINTED.sub(lambda found: found[0] if found[0] in known else "a new one", text)
        return _TIME.sub("a time", text)


def _named(text: str, names: dict[str, str]) -> str:
    """The text with other names, each looked at once: a new name may begin like an old one."""
    longest_first = sorted(names, key=len, reverse=True)
    either = "|".join(map(re.escape, longest_first))
    return re.sub(rf"(?:{either})(?!\w)", lambda found: names[found[0]], text)


def _moved(text: str, by: timedelta) -> str:
    return _TIME.sub(lambda found: (_moment(found[0]) + by).isoformat().replace("+00:00", "Z"), text)


def _moment(text: str) -> datetime:
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{whole}+00:00") + timedelta(seconds=float(f"0.{fraction or 0}"))
