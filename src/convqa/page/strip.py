"""Who spoke when, as a drawing: positions in percent of the width, heights in pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from convqa.labels import CUSTOMER_LABELS
from convqa.page.words import clock, count, listed, number, percent, words
from convqa.report import Record, ScoredTurn

Effect = Literal["earned", "cost", "neutral"]

NO_CHANGE: Final = 0.05
"""Points of the total below which evidence is said to change nothing."""

_LANE_HEIGHT: Final = 30
_TICK_STEPS: Final = (5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
_MOST_DESCRIBED: Final = 8


@dataclass(frozen=True, slots=True)
class Lane:
    """One speaker role: its name, its share of the talk (0 to 1), where it is drawn (pixels from the top)."""

    role: str
    share: float
    y: int


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of talk."""

    x: float
    width: float
    y: int
    role: str


@dataclass(frozen=True, slots=True)
class Sign:
    """A piece of evidence (``earned``, ``cost``, ``neutral``) above its lane, or a flag on it."""

    x: float
    y: int
    kind: Effect | Literal["flag"]
    title: str


@dataclass(frozen=True, slots=True)
class Band:
    """A phase of the conversation."""

    x: float
    width: float
    phase: str


@dataclass(frozen=True, slots=True)
class Strip:
    """The whole drawing; ``by_time`` is False where the turns have no times and length stands for time."""

    by_time: bool
    lanes: tuple[Lane, ...]
    bars: tuple[Bar, ...]
    signs: tuple[Sign, ...]
    bands: tuple[Band, ...]
    axis: tuple[tuple[float, str], ...]
    description: str

    @property
    def lanes_height(self) -> int:
        """Pixels that the lanes take."""
        return _LANE_HEIGHT * len(self.lanes) + 4

    @property
    def height(self) -> int:
        """Pixels of the whole drawing."""
        return self.lanes_height + (22 if self.bands else 0) + (18 if self.axis else 0)


def effect_of(cost: float) -> Effect:
    """Whether evidence took points of the total away, added some, or changed nothing to speak of."""
    return "cost" if cost >= NO_CHANGE else "earned" if cost <= -NO_CHANGE else "neutral"


def effect_words(label: str, cost: float) -> str:
    """``cost 9.1``, ``earned 2.0`` or ``no change by itself``, in points of the total.

    What the customer said costs points only where the agent did not meet it; that is said too.
    """
    effect = effect_of(cost)
    if effect == "neutral":
        return "no change by itself"
    return f"{'not met, ' if effect == 'cost' and label in CUSTOMER_LABELS else ''}{effect} {number(abs(cost))}"


def draw(record: Record) -> Strip | None:
    """The strip of a conversation, None where nothing was said."""
    turns = record.turns
    times = _times(turns)
    spans = times or _lengths(turns)
    total = max((end for _, end in spans), default=0.0)
    if total <= 0:
        return None
    scale = 100 / total
    lanes = _lanes(turns, spans)
    tops = {lane.role: lane.y for lane in lanes}
    signs = _signs(record, spans, scale, tops)
    return Strip(
        by_time=times is not None,
        lanes=lanes,
        bars=_bars(turns, spans, scale, tops),
        signs=signs,
        bands=_bands(turns, spans, scale, total),
        axis=_axis(total) if times else (),
        description=_description(lanes, signs, by_time=times is not None),
    )


def _times(turns: tuple[ScoredTurn, ...]) -> list[tuple[float, float]] | None:
    spans = [(turn.start, turn.end) for turn in turns if turn.start is not None and turn.end is not None]
    whole = len(spans) == len(turns) and all(0 <= start <= end for start, end in spans)
    return spans if whole else None


def _lengths(turns: tuple[ScoredTurn, ...]) -> list[tuple[float, float]]:
    spans, at = [], 0
    for turn in turns:
        spans.append((float(at), float(at + len(turn.text))))
        at += len(turn.text)
    return spans


def _role(turn: ScoredTurn) -> str:
    return turn.role or "unknown"


def _lanes(turns: tuple[ScoredTurn, ...], spans: list[tuple[float, float]]) -> tuple[Lane, ...]:
    talk = {"agent": 0.0, "customer": 0.0}
    for turn, (start, end) in zip(turns, spans, strict=True):
        talk[_role(turn)] = talk.get(_role(turn), 0.0) + end - start
    total = sum(talk.values()) or 1.0
    return tuple(Lane(role, share / total, i * _LANE_HEIGHT + 14) for i, (role, share) in enumerate(talk.items()))


def _bars(
    turns: tuple[ScoredTurn, ...], spans: list[tuple[float, float]], scale: float, tops: dict[str, int]
) -> tuple[Bar, ...]:
    bars: list[Bar] = []
    last: dict[str, int] = {}
    for turn, (start, end) in zip(turns, spans, strict=True):
        role, x, width = _role(turn), start * scale, (end - start) * scale
        before = bars[last[role]] if role in last else None
        # Stretches that would touch on the page are one: thousands of turns stay a small drawing.
        if before and 0 <= x - (before.x + before.width) < 0.08:
            bars[last[role]] = Bar(before.x, round(max(x + width - before.x, before.width), 3), before.y, role)
        else:
            last[role] = len(bars)
            bars.append(Bar(round(x, 3), round(max(width, 0.12), 3), tops[role], role))
    return tuple(bars)


def _signs(record: Record, spans: list[tuple[float, float]], scale: float, tops: dict[str, int]) -> tuple[Sign, ...]:
    signs: dict[tuple[int, int, str], Sign] = {}
    turns = record.turns
    for criterion in record.criteria:
        for evidence in criterion.evidence:
            if not 0 <= evidence.turn < len(turns):
                continue
            turn, (start, end) = turns[evidence.turn], spans[evidence.turn]
            x = (start + (end - start) * evidence.start / max(len(turn.text), 1)) * scale
            title = f"#{evidence.turn} {words(evidence.label)}, {effect_words(evidence.label, evidence.cost)}"
            sign = Sign(round(x, 3), tops[_role(turn)] - 11, effect_of(evidence.cost), title)
            signs.setdefault((evidence.turn, evidence.start, evidence.label), sign)
    for flag in record.flags:
        if flag.turn is not None and 0 <= flag.turn < len(turns):
            turn, (start, _) = turns[flag.turn], spans[flag.turn]
            title = f"#{flag.turn} flag: {words(flag.name)}, {flag.severity}"
            signs[flag.turn, -1, flag.name] = Sign(round(start * scale, 3), tops[_role(turn)] + 3, "flag", title)
    return tuple(signs[key] for key in sorted(signs))


def _bands(
    turns: tuple[ScoredTurn, ...], spans: list[tuple[float, float]], scale: float, total: float
) -> tuple[Band, ...]:
    starts: list[tuple[float, str]] = []
    for turn, (start, _) in zip(turns, spans, strict=True):
        if turn.phase and (not starts or starts[-1][1] != turn.phase):
            starts.append((max(start, starts[-1][0]) if starts else start, turn.phase))
    ends = [*(start for start, _ in starts[1:]), total][: len(starts)]
    return tuple(
        Band(round(start * scale, 3), round((end - start) * scale, 3), phase)
        for (start, phase), end in zip(starts, ends, strict=True)
    )


def _axis(total: float) -> tuple[tuple[float, str], ...]:
    step = next((step for step in _TICK_STEPS if total / step <= 7), _TICK_STEPS[-1])
    return tuple((round(100 * at / total, 3), clock(at)) for at in range(0, int(total) + 1, step) if at <= 0.97 * total)


def _description(lanes: tuple[Lane, ...], signs: tuple[Sign, ...], *, by_time: bool) -> str:
    shares = listed([f"{words(lane.role)} {percent(lane.share)}" for lane in lanes])
    measure = "Share of the time spoken" if by_time else "Share of the characters written or spoken"
    named = "; ".join(sign.title for sign in signs[:_MOST_DESCRIBED])
    rest = f"; and {count(len(signs) - _MOST_DESCRIBED, 'more mark')}" if len(signs) > _MOST_DESCRIBED else ""
    return f"{measure}: {shares}." + (f" Marked: {named}{rest}." if signs else "")
