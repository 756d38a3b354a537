"""`make flow`: draws docs/flow.svg, the way of a release, from the definition of the state machine.

Where a state stands is written here.  Which function it calls, what follows it and whether it asks again is read from
the definition.  A state without a place, an arrow that the definition does not have, and a way that is not drawn are
errors: the picture cannot say anything else than the machine.  Catches are left out.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEFINITION = ROOT / "statemachine/release.asl.json"
PICTURE = ROOT / "docs/flow.svg"
WIDTH, HEIGHT = 880, 712
BOX, PILL = 44, 24

# Tasks beside the way: they see to what others have started, and keep what could not be told.
BESIDE = {"NotAsked", "Undelivered", "PreRun", "Run", "EndRuns", "MoveFailed", "RollbackFailed", "RestoreTagFailed"}
# What one item of a Map ends in, and the states of the Map that is drawn as one box.
ENDS = {"MoveDone", "RollbackDone", "RestoreTagDone"}
WITHIN = {"ReserveTags", "RestoreTag"}
# Ways that pass a dashed box, instead of through it.
PASSES = {
    ("OpenRelease", "TakeLeases"),
    ("TakeLeases", "TellStarted"),
    ("ReserveStart", "Register"),
    ("Register", "HealthTest"),
}

# The middle of each box, its top, and its width.
BOXES = {
    "OpenRelease": (184, 58, 106),
    "AskApproval": (311, 58, 106),
    "Approve": (431, 58, 92),
    "TakeLeases": (547, 58, 102),
    "Reach": (667, 58, 98),
    "TellStarted": (797, 58, 106),
    "ReserveStart": (104, 216, 112),
    "Retag": (240, 216, 92),
    "Register": (366, 216, 92),
    "PreTest": (492, 216, 100),
    "Deploy": (618, 216, 92),
    "HealthTest": (766, 216, 124),
    "GiveBack": (618, 292, 92),
    "Shift": (766, 292, 124),
    "Bake": (98, 398, 100),
    "Judge": (264, 398, 112),
    "TellRollingBack": (484, 398, 128),
    "ReserveRollback": (449, 504, 122),
    "Rollback": (572, 504, 84),
    "RollbackTest": (686, 504, 104),
    "ShiftBack": (797, 504, 78),
    "RestoreTags": (484, 582, 128),
    "CloseRelease": (264, 582, 112),
    "Alert": (264, 650, 112),
}
# The Maps that are drawn with their states: left, top, right, bottom, and what for.
GROUPS = {
    "Wave": (28, 172, 852, 354, "for each service of the wave, several at once"),
    "RollbackWave": (372, 466, 852, 566, "for each service that was changed, the last wave first"),
}
# The outcomes: those that end at once, and those that are told.  Their middle, their top, their width and their colour.
AT_ONCE = {"Ignored": 114, "Planned": 190, "Answered": 266}
TOLD = ["Deployed", "RolledBack", "NeedsHuman", "Superseded", "Refused", "Rejected", "Expired", "Answered"]
COLOURS = {"Deployed": "good", "RolledBack": "back", "NeedsHuman": "bad"}

STYLE = """
  .card { fill: #ffffff; stroke: #d0d7de }
  .group { fill: #f6f8fa; stroke: #d0d7de }
  .box { fill: #ddf4ff; stroke: #54aeff }
  .sometimes { stroke-dasharray: 4 3 }
  .way, .rail, .again { fill: none; stroke: #57606a; stroke-width: 1.5 }
  .rail { stroke: #8c959f; stroke-dasharray: 2 3 }
  .again { stroke-width: 1.4 }
  .head { fill: #57606a }
  .good { fill: #1a7f37 } .back { fill: #9a6700 } .bad { fill: #cf222e } .quiet { fill: #6e7781 }
  text { font: 13px -apple-system, "Segoe UI", "Noto Sans", Helvetica, Arial, sans-serif }
  text { text-anchor: middle; fill: #1f2328 }
  .name { font-weight: 600 }
  .says { font-size: 11px; fill: #57606a }
  .end { font-size: 12px; font-weight: 600; fill: #ffffff }
  .start { text-anchor: start }
"""
DARK = """
  .card { fill: #0d1117; stroke: #30363d }
  .group { fill: #161b22; stroke: #30363d }
  .box { fill: #0c2d6b; stroke: #388bfd }
  .way, .again { stroke: #9198a1 }
  .rail { stroke: #6e7681 }
  .head { fill: #9198a1 }
  .good { fill: #238636 } .back { fill: #9e6a03 } .bad { fill: #da3633 } .quiet { fill: #545d68 }
  text { fill: #f0f6fc }
  .says { fill: #9198a1 }
  .end { fill: #ffffff }
"""

Point = tuple[float, float]


@dataclass(frozen=True)
class Arrow:
    """A way from state to state along some points; `rail` is what leads around the work."""

    ways: tuple[tuple[str, str], ...]
    points: tuple[Point, ...]
    kind: str = "way"
    ends: bool = True


def draw(definition: str) -> str:
    """Returns the picture."""
    states = json.loads(definition)["States"]
    ways = _ways(states)
    arrows = _arrows()
    _check(states, ways, arrows)
    again = {start for start, end in ways if start == end}
    passed = {name for name in BOXES if any(_between(name, way) for way in PASSES)}
    calls = {name: _calls(state) for name, state in _all(states).items()}
    parts = [f'<rect class="card" x="0.5" y="0.5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="8"/>']
    parts += [_group(name, name in again) for name in GROUPS]
    parts += [_arrow(arrow) for arrow in arrows]
    parts += [_box(name, calls[name], name in again, name in passed) for name in BOXES]
    parts += [_pill(name, (middle, 124), 70) for name, middle in AT_ONCE.items()]
    parts += [_pill(name, (430 + 120 * (at % 4), 646 + 30 * (at // 4)), 112) for at, name in enumerate(TOLD)]
    parts += _words()
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="what">'
    what = "The way of a release through the state machine, from the push to the outcome"
    style = f"<style>{STYLE}  @media (prefers-color-scheme: dark) {{{DARK}  }}\n</style>"
    return "\n".join([head, f'<title id="what">{what}</title>', style, *parts, "</svg>", ""])


def _all(states: dict) -> dict:
    """The states of the machine, and those within its Maps."""
    found = dict(states)
    for state in states.values():
        found |= state.get("ItemProcessor", {}).get("States", {})
    return found


def _is_drawn(name: str, state: dict) -> bool:
    """Tasks, Maps and ends are drawn, and the one Wait that a release is known by."""
    work = state["Type"] in ("Task", "Map", "Succeed", "Fail") and name not in BESIDE
    return work or name == "Bake" or name in ENDS


def _ways(states: dict) -> set[tuple[str, str]]:
    """What follows what, where everything that is not drawn is passed through."""
    found = set()
    everything = _all(states)
    for start, state in everything.items():
        seen, rest = set(), _next(state) if _is_drawn(start, state) else []
        while rest:
            name = rest.pop()
            if name in seen:
                continue
            seen.add(name)
            if _is_drawn(name, everything[name]):
                found.add((start, name))
            else:
                rest += _next(everything[name])
    return found


def _next(state: dict) -> list[str]:
    choices = [choice["Next"] for choice in state.get("Choices", [])]
    return choices + [state[key] for key in ("Default", "Next") if key in state]


def _check(states: dict, ways: set[tuple[str, str]], arrows: list[Arrow]) -> None:
    """Every state has a place, every arrow is in the definition, and every way is drawn."""
    wanted = {name for name, state in _all(states).items() if _is_drawn(name, state)} - ENDS - WITHIN
    placed = {*BOXES, *GROUPS, *AT_ONCE, *TOLD}
    if wanted != placed:
        raise ValueError(f"give a place to {sorted(wanted - placed)}, and none to {sorted(placed - wanted)}")
    drawn = {way for arrow in arrows for way in arrow.ways} | PASSES
    left = {(a, b) for a, b in ways if a != b and b not in ENDS and a not in WITHIN}
    if left != drawn:
        raise ValueError(f"draw {sorted(left - drawn)}, and do not draw {sorted(drawn - left)}")


def _calls(state: dict) -> str:
    """The function that a state calls, a Map within it."""
    function = re.search(r"\$\{(\w+)FunctionArn\}", json.dumps(state))
    return re.sub(r"(?<!^)(?=[A-Z])", "-", function[1]).lower() if function else state["Type"].lower()


def _between(name: str, way: tuple[str, str]) -> bool:
    (start, top, _), (end, _, _) = BOXES[way[0]], BOXES[way[1]]
    middle, at, _ = BOXES[name]
    return at == top and start < middle < end


def _arrows() -> list[Arrow]:
    def right(name: str) -> Point:
        middle, top, width = BOXES[name]
        return middle + width / 2, top + BOX / 2

    def left(name: str) -> Point:
        middle, top, width = BOXES[name]
        return middle - width / 2, top + BOX / 2

    def over(name: str, aside: float = 0) -> Point:
        return BOXES[name][0] + aside, BOXES[name][1]

    def under(name: str, aside: float = 0) -> Point:
        return BOXES[name][0] + aside, BOXES[name][1] + BOX

    def along(*names: str) -> list[Arrow]:
        pairs = zip(names, names[1:], strict=False)
        return [Arrow(((a, b),), (right(a), left(b))) for a, b in pairs]

    wave, rollback = GROUPS["Wave"], GROUPS["RollbackWave"]
    rail, above = 14, 36
    arrows = [Arrow((), ((84, 80), left("OpenRelease")))]
    arrows += along("OpenRelease", "AskApproval", "Approve", "TakeLeases", "Reach", "TellStarted")
    arrows += along("ReserveStart", "Retag", "Register", "PreTest", "Deploy", "HealthTest")
    arrows += along("ReserveRollback", "Rollback", "RollbackTest", "ShiftBack")
    # Asked again: the plan became another one.
    again = under("TakeLeases"), (BOXES["TakeLeases"][0], 118), (BOXES["AskApproval"][0], 118), under("AskApproval")
    arrows += [
        Arrow((("TakeLeases", "AskApproval"),), again),
        Arrow((("Approve", "AskApproval"),), (under("Approve"), (BOXES["Approve"][0], 118)), ends=False),
    ]
    arrows += [
        Arrow((("OpenRelease", name),), (under("OpenRelease"), (184, 112), (middle, 112), (middle, 124)))
        for name, middle in AT_ONCE.items()
    ]
    # What was not let in goes around the work.
    arrows += [
        Arrow(
            (("Reach", "CloseRelease"),),
            (over("Reach"), (BOXES["Reach"][0], above), (rail, above), (rail, 604), left("CloseRelease")),
            "rail",
        ),
        *(
            Arrow(((name, "CloseRelease"),), (over(name), (BOXES[name][0], above)), "rail", ends=False)
            for name in ("Approve", "TakeLeases")
        ),
        Arrow((("OpenRelease", "Alert"),), (over("OpenRelease"), (184, above)), "rail", ends=False),
        Arrow((("OpenRelease", "Alert"),), ((rail, 600), (rail, 672), left("Alert")), "rail"),
    ]
    arrows += [
        Arrow((("TellStarted", "Wave"),), (under("TellStarted"), (BOXES["TellStarted"][0], wave[1]))),
        Arrow((("HealthTest", "Shift"),), (under("HealthTest", 6), over("Shift", 6))),
        Arrow((("Shift", "HealthTest"),), (over("Shift", 22), under("HealthTest", 22))),
        Arrow((("HealthTest", "GiveBack"),), (under("HealthTest", -30), (736, 276), (618, 276), over("GiveBack"))),
        Arrow((("Wave", "Judge"),), ((248, wave[3]), over("Judge", -16))),
        Arrow((("Judge", "Wave"),), (over("Judge", 16), (280, wave[3]))),
        Arrow((("Judge", "Bake"),), ((208, 412), (148, 412))),
        Arrow((("Bake", "Judge"),), ((148, 428), (208, 428))),
        Arrow((("Judge", "TellRollingBack"),), (right("Judge"), left("TellRollingBack"))),
        Arrow((("TellRollingBack", "RollbackWave"),), (under("TellRollingBack"), (484, rollback[1]))),
        Arrow((("ShiftBack", "RollbackTest"),), (under("ShiftBack"), (797, 558), (686, 558), under("RollbackTest"))),
        Arrow((("RollbackWave", "RestoreTags"),), ((500, rollback[3]), over("RestoreTags", 16))),
        Arrow((("Judge", "RestoreTags"),), (under("Judge", 30), (294, 572), (468, 572), over("RestoreTags", -16))),
        Arrow((("RestoreTags", "CloseRelease"),), (left("RestoreTags"), right("CloseRelease"))),
        Arrow((("Judge", "CloseRelease"),), (under("Judge", -16), over("CloseRelease", -16))),
        # What is good is closed as it is judged.
        Arrow((("Judge", "Alert"),), (under("Judge", -44), (220, 556), (186, 556), (186, 662), (208, 662))),
        Arrow((("CloseRelease", "Alert"),), (under("CloseRelease"), over("Alert"))),
        Arrow(tuple(("Alert", name) for name in TOLD), (right("Alert"), (366, 672))),
    ]
    return arrows


def _arrow(arrow: Arrow) -> str:
    """Lines with round corners, and a head where they end."""
    points = arrow.points
    path = f"M{_at(points[0])}"
    for before, here, after in zip(points, points[1:], points[2:], strict=False):
        path += f" L{_at(_towards(here, before, 8))} Q{_at(here)} {_at(_towards(here, after, 8))}"
    tip = points[-1]
    path += f" L{_at(_towards(tip, points[-2], 6) if arrow.ends else tip)}"
    line = f'<path class="{arrow.kind}" d="{path}"/>'
    return line + (_head(points[-2], tip) if arrow.ends else "")


def _head(start: Point, tip: Point) -> str:
    x, y = _towards(tip, start, 8)
    across, down = (tip[1] - y) / 8 * 4, (tip[0] - x) / 8 * 4
    return f'<path class="head" d="M{_at(tip)} L{_at((x + across, y + down))} L{_at((x - across, y - down))} Z"/>'


def _towards(start: Point, end: Point, far: float) -> Point:
    """The point so far from the start on the way to the end."""
    length = abs(end[0] - start[0]) + abs(end[1] - start[1])  # ways are level or upright
    part = min(far / length, 0.5) if length else 0
    return start[0] + (end[0] - start[0]) * part, start[1] + (end[1] - start[1]) * part


def _at(point: Point) -> str:
    return ",".join(f"{value:g}" for value in point)


def _box(name: str, calls: str, again: bool, sometimes: bool) -> str:
    middle, top, width = BOXES[name]
    left, right = middle - width / 2, middle + width / 2
    kind = "box sometimes" if sometimes else "box"
    sign = _again(right - 12, top + 31) if again else ""
    return (
        f'<rect class="{kind}" x="{left:g}" y="{top}" width="{width}" height="{BOX}" rx="6"/>'
        f'<text class="name" x="{middle}" y="{top + 19}">{name}</text>'
        f'<text class="says" x="{middle}" y="{top + 35}">{calls}</text>{sign}'
    )


def _again(x: float, y: float) -> str:
    """A turn around: polled until there is an answer."""
    return (
        f'<path class="again" d="M{x + 4:g},{y - 2.2:g} A4.6,4.6 0 1 0 {x + 4.4:g},{y + 1.4:g}"/>'
        f'<path class="head" d="M{x + 6.4:g},{y - 5.6:g} L{x + 5.8:g},{y - 0.4:g} L{x + 1.2:g},{y - 2.6:g} Z"/>'
    )


def _group(name: str, again: bool) -> str:
    left, top, right, bottom, what = GROUPS[name]
    sign = _again(right - 16, top + 18) if again else ""
    return (
        f'<rect class="group" x="{left}" y="{top}" width="{right - left}" height="{bottom - top}" rx="8"/>'
        f'<text class="start" x="{left + 20}" y="{top + 25}"><tspan class="name">{name}</tspan>'
        f'<tspan class="says" dx="8">{what}</tspan></text>{sign}'
    )


def _pill(name: str, place: Point, width: float) -> str:
    middle, top = place
    return (
        f'<rect class="{COLOURS.get(name, "quiet")}" x="{middle - width / 2:g}" y="{top}" width="{width}" '
        f'height="{PILL}" rx="{PILL / 2:g}"/><text class="end" x="{middle}" y="{top + 16.5:g}">{name}</text>'
    )


def _words() -> list[str]:
    """What stands beside the arrows, and the key."""
    beside = [
        (54, 64, "push"),
        (54, 78, "request"),
        (54, 92, "alarm"),
        (54, 106, "sweep"),
        (430, 28, "not let in: nothing was changed"),
        (430, 134, "the plan became another one"),
        (814, 279, "a gate"),
        (676, 270, "unhealthy"),
        (314, 380, "next wave"),
        (178, 406, "healthy"),
        (370, 414, "unhealthy"),
        (324, 566, "stopped"),
        (198, 546, "done"),
    ]
    key = [
        '<rect class="box sometimes" x="34" y="470" width="22" height="14" rx="4"/>',
        _again(45, 501),
        '<text class="says start" x="66" y="481">only where needed</text>',
        '<text class="says start" x="66" y="505">asks again until it knows</text>',
    ]
    return key + [f'<text class="says" x="{x}" y="{y}">{text}</text>' for x, y, text in beside]


if __name__ == "__main__":
    PICTURE.write_text(draw(DEFINITION.read_text()))
    print(f"wrote {PICTURE.relative_to(ROOT)}")
