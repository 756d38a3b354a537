"""Draws bars of two parts as SVG, for light and for dark pages, with nothing but text."""

from dataclasses import dataclass
from html import escape

_WIDTH, _LEFT, _RIGHT = 860, 74, 180
_BAR, _GAP, _TITLE, _TOP = 16, 4, 22, 58
_HUES = ("rust", "python", "node")
_STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328; }
  .quiet { fill: #59636e; }
  .title { font-weight: 600; font-size: 15px; }
  .rust { fill: #b7410e; } .python { fill: #2f6db3; } .node { fill: #3c873a; } .other { fill: #7a5aa6; }
  .start { opacity: .55; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc; }
    .quiet { fill: #9198a1; }
    .rust { fill: #f0743a; } .python { fill: #6ea8e6; } .node { fill: #72c06f; } .other { fill: #b79be0; }
  }
"""


@dataclass(frozen=True)
class Bar:
    """The start and the first call of one peer, and what is written behind both."""

    peer: str
    start: float
    call: float
    says: str


@dataclass(frozen=True)
class Group:
    """The bars of one case."""

    title: str
    bars: list[Bar]


def drawn(groups: list[Group]) -> str:
    """The chart; all bars have one scale."""
    longest = max(bar.start + bar.call for group in groups for bar in group.bars)
    scale, parts, y = (_WIDTH - _LEFT - _RIGHT) / longest, [], _TOP
    for group in groups:
        parts.append(_text(0, y + 14, group.title, "quiet"))
        y += _TITLE
        for bar in group.bars:
            parts += _drawn(bar, y, scale)
            y += _BAR + _GAP
        y += _GAP * 2
    head = [
        _text(0, 18, "Cold start of the same plan: milliseconds until the first answer, medians", "title"),
        _text(0, 40, "pale: until the function asks for its first call; full: that call", "quiet"),
    ]
    box = f'viewBox="0 0 {_WIDTH} {y}" width="{_WIDTH}" height="{y}"'
    opened = f'<svg xmlns="http://www.w3.org/2000/svg" {box} role="img" aria-label="{_alternative(groups)}">'
    return "\n".join([opened, f"<style>{_STYLE}</style>", *head, *parts, "</svg>"]) + "\n"


def _drawn(bar: Bar, y: int, scale: float) -> list[str]:
    start, call, hue = bar.start * scale, bar.call * scale, _hue(bar.peer)
    return [
        _text(_LEFT - 8, y + 13, bar.peer, anchor="end"),
        f'<rect class="{hue} start" x="{_LEFT}" y="{y}" width="{start:.1f}" height="{_BAR}"/>',
        f'<rect class="{hue}" x="{_LEFT + start:.1f}" y="{y}" width="{call:.1f}" height="{_BAR}"/>',
        _text(_LEFT + start + call + 6, y + 13, bar.says),
    ]


def _hue(peer: str) -> str:
    return peer.lower() if peer.lower() in _HUES else "other"


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    style = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y}" text-anchor="{anchor}"{style}>{escape(text)}</text>'


def _alternative(groups: list[Group]) -> str:
    """What the chart says, for who does not see it."""
    said = (f"{group.title}: {'; '.join(f'{bar.peer} {bar.says}' for bar in group.bars)}" for group in groups)
    return escape(". ".join(said))
