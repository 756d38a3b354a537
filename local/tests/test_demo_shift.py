"""What the demo says of a shift, and what it takes for a fault, without an AWS."""

from dataclasses import replace

import pytest

from demo_shift import Shift
from heard import Heard
from terminal import Terminal


def heard(*answers: str) -> Heard:
    return Heard([(float(second), answer) for second, answer in enumerate(answers)])


V1, V2, V3 = "hello from v1", "hello from v2", "goodbye from v3"
GOOD = Shift(
    outcome="Deployed",
    expected="Deployed",
    before="v1",
    pushed="v2",
    visitors=heard(V1, V1, V1, V2, V2),
    testers=heard(V1, V2, V2, V2, V2),
    tasks=(["a", "b"], ["c", "d"]),
    judged=2.1,
    answered=2.2,
    ended=4.0,
    done=5.0,
)
BAD = replace(
    GOOD,
    outcome="RolledBack",
    expected="RolledBack",
    before="v2",
    pushed="v3",
    visitors=heard(V2, V2, V2),
    testers=heard(V2, V3, V2),
    tasks=(["a", "b"], ["a", "b"]),
)


@pytest.mark.parametrize(
    "answers, said",
    [
        ([], "no version; 0 answers, none failed"),
        ([V1, V1], "v1 all the time; 2 answers, none failed"),
        ([V1, V1, V2], "v1 until 1.0 s, v2 from 2.0 s on; 3 answers, none failed"),
        ([V2, V3, "<503>"], "v2 until 0.0 s, v3 from 1.0 s on; 3 answers, 1 failed"),
        (
            [V2, V3, V3, V2],
            "v2 until 0.0 s, v3 from 1.0 s until 2.0 s, v2 from 3.0 s on; 4 answers, none failed",
        ),
    ],
)
def test_who_answered_when(answers, said):
    assert str(heard(*answers)) == said


@pytest.mark.parametrize(
    "shift, faults",
    [
        (GOOD, []),
        (BAD, []),
        (replace(GOOD, visitors=heard(V1, V1)), ["visitors heard v1, not v1, then v2"]),
        (
            replace(GOOD, visitors=heard(V1, V1, V1, V2, V1)),
            ["visitors heard v1, then v2, then v1, not v1, then v2"],
        ),
        (
            replace(GOOD, visitors=heard(V1, V1, "<503>", V2)),
            ["1 of 4 requests of visitors failed: <503>"],
        ),
        (replace(GOOD, answered=None), ["nobody answered the gate"]),
        (replace(GOOD, answered=3.5), ["the traffic moved before the gate was answered"]),
        (replace(GOOD, tasks=(["a", "b"], ["a", "c"])), ["tasks from before still run"]),
        (replace(BAD, visitors=heard(V2, V2, V2, V3, V2)), ["visitors heard v2, then v3, then v2, not v2"]),
        (replace(BAD, testers=heard(V2, V2)), ["v3 never answered the test listener"]),
        (replace(BAD, tasks=(["a", "b"], ["a", "c"])), ["other tasks serve than before"]),
    ],
)
def test_what_is_not_as_it_has_to_be(shift, faults):
    assert shift.faults() == faults


def test_what_is_shown(capsys):
    BAD.show(Terminal())
    shown = capsys.readouterr().out
    assert "v2 all the time; 3 answers, none failed; 0 answers of v3 (production listener)" in shown
    assert "traffic moved" not in shown and "a and b serve, as before" in shown
