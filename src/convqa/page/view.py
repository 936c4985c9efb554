"""A record as the report shows it: text cut into marked pieces, arithmetic in rows.

Texts are still raw here; the page's templates escape them and make steering characters visible.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

from convqa.page.strip import NO_CHANGE, Effect, Strip, draw, effect_of, effect_words
from convqa.page.words import clock, count, language_tag, language_words, listed, number, percent, shortened, words
from convqa.report import Cap, CriterionScore, Evidence, Flag, Record, ScoredTurn

MOST_TURNS: Final = 400
"""Turns of a conversation that are shown; those that evidence, flags and caps point at always are."""

LONG_TURN: Final = 6_000
"""Characters from which on a turn is shortened to its beginning and what surrounds its evidence."""

_AROUND: Final = 300
_OPENING: Final = 1_200
_MOST_SHOWN: Final = 20_000
_MOST_QUOTES: Final = 6
_LONG_QUOTE: Final = 240


@dataclass(frozen=True, slots=True)
class Piece:
    """Consecutive characters with the same marks.

    ``effect`` is None for plain text; ``layers`` counts the marks that lie over it; ``opens`` are the
    numbers of the notes whose evidence begins here (empty unless a block has several).
    """

    text: str
    effect: Effect | Literal["mixed"] | None = None
    layers: int = 0
    opens: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Note:
    """What is written beside a block: evidence with its effect, or a label merely found."""

    label: str
    kind: Effect | Literal["found"]
    text: str
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """A line of a turn with its notes; ``left_out`` characters are missing before it."""

    pieces: tuple[Piece, ...]
    notes: tuple[Note, ...] = ()
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class FlagView:
    """A flag with its line; ``turn`` is None where no one line shows it."""

    name: str
    severity: str
    quote: str | None
    turn: int | None


@dataclass(frozen=True, slots=True)
class TurnView:
    """A turn. ``phase`` and ``speaker`` only where they are new; ``skipped`` turns are left out before it."""

    index: int
    role: str
    speaker: str | None
    time: str | None
    phase: str | None
    skipped: int
    blocks: tuple[Block, ...]
    left_out: int
    flags: tuple[FlagView, ...]


@dataclass(frozen=True, slots=True)
class QuoteView:
    """Words quoted in the arithmetic, with each label found in them; ``turn`` is None where there is no such turn."""

    quote: str
    labels: tuple[Note, ...]
    turn: int | None


@dataclass(frozen=True, slots=True)
class CriterionView:
    """A row of the arithmetic. ``adds`` of at most ``of`` points of the total (0 to 100)."""

    name: str
    weight: float
    applicable: bool
    points: float | None
    adds: float
    of: float
    why: str
    quotes: tuple[QuoteView, ...]
    more: int


@dataclass(frozen=True, slots=True)
class CapView:
    """A cap that was in force; ``lowers`` is False where the criteria add up to less anyway."""

    name: str
    at_most: float
    lowers: bool
    quote: str | None
    turn: int | None


@dataclass(frozen=True, slots=True)
class ConversationView:
    """One conversation on the page. ``sum`` is the score that the rows add up to, before ``caps``."""

    number: int
    id: str
    source: str | None
    lang: str | None
    score: float | None
    band: str | None
    reason: str
    facts: tuple[str, ...]
    cautions: tuple[str, ...]
    criteria: tuple[CriterionView, ...]
    weights: float
    sum: float | None
    caps: tuple[CapView, ...]
    flags: tuple[FlagView, ...]
    signals: tuple[tuple[str, str], ...]
    strip: Strip | None
    turns: tuple[TurnView, ...]
    turns_in_all: int
    skipped_after: int

    @property
    def turns_left_out(self) -> int:
        """Turns of the conversation that are not shown."""
        return self.turns_in_all - len(self.turns)


@dataclass(frozen=True, slots=True)
class _Mark:
    """Evidence of one label over the same characters, with its cost in each criterion that counts it."""

    start: int
    end: int
    label: str
    costs: tuple[tuple[str, float], ...]

    @property
    def effect(self) -> Effect:
        return effect_of(max((cost for _, cost in self.costs), key=abs))

    @property
    def words(self) -> str:
        felt = [(name, cost) for name, cost in self.costs if effect_of(cost) != "neutral"] or self.costs[:1]
        if len(felt) == 1:
            return effect_words(self.label, felt[0][1])
        return listed([f"{effect_words(self.label, cost)} in {words(name)}" for name, cost in felt])


def view(record: Record, number: int) -> ConversationView:
    """The record as the ``number``-th conversation on the page."""
    weights = sum(c.weight for c in record.criteria if c.applicable and c.points is not None)
    criteria = tuple(_criterion(record, criterion, weights) for criterion in record.criteria)
    total = sum(row.adds for row in criteria) if weights > 0 else None
    caps = tuple(
        CapView(words(c.name), c.at_most, total is not None and c.at_most < total - NO_CHANGE, *_line(record, c))
        for c in record.caps
    )
    kept = kept_turns(record)
    return ConversationView(
        number=number,
        id=shortened(record.id, 200),
        source=shortened(record.source, 200) if record.source else None,
        lang=language_tag(record.language),
        score=record.score,
        band=record.band,
        reason=shortened(record.reason, 600) if record.reason else _reason(record, criteria, caps),
        facts=_facts(record),
        cautions=_cautions(record),
        criteria=criteria,
        weights=weights,
        sum=total,
        caps=caps,
        flags=tuple(FlagView(words(flag.name), flag.severity, *_line(record, flag)) for flag in record.flags),
        signals=tuple((words(name), "not assessable" if v is None else f"{v:g}") for name, v in record.signals.items()),
        strip=draw(record),
        turns=tuple(_turns(record, kept)),
        turns_in_all=len(record.turns),
        skipped_after=len(record.turns) - 1 - kept[-1] if kept else len(record.turns),
    )


def kept_turns(record: Record, most: int = MOST_TURNS) -> list[int]:
    """Indexes of the turns to show, in order.

    Turns that evidence, flags and caps point at are always there; then their neighbours, then turns from the
    beginning, until there are ``most``.
    """
    turns = range(len(record.turns))
    if len(turns) <= most:
        return list(turns)
    keep = {evidence.turn for criterion in record.criteria for evidence in criterion.evidence}
    pointing: tuple[Flag | Cap, ...] = (*record.flags, *record.caps)
    keep |= {line.turn for line in pointing if line.turn is not None}
    keep &= set(turns)
    near = [turn + step for step in (-1, 1, -2, 2) for turn in sorted(keep)]
    for turn in (*near, *turns):
        if len(keep) >= most:
            break
        if turn in turns:
            keep.add(turn)
    return sorted(keep)


def _reason(record: Record, criteria: tuple[CriterionView, ...], caps: Iterable[CapView]) -> str:
    lost = sorted(((row.of - row.adds, row.name) for row in criteria if row.applicable), key=lambda pair: -pair[0])
    felt = [f"{name} ({number(points)})" for points, name in lost if points >= NO_CHANGE]
    told = f"Most points were lost on {listed(felt[:2])}." if felt else "Every criterion that applied was met in full."
    lowering = min((cap for cap in caps if cap.lowers), key=lambda cap: cap.at_most, default=None)
    if lowering:
        total = sum(row.adds for row in criteria)
        told += (
            f" {lowering.name} caps the score at {number(lowering.at_most)}; the criteria add up to {number(total)}."
        )
    return told


def _facts(record: Record) -> tuple[str, ...]:
    language = language_words(record.language)
    if record.language_probability is not None:
        language += f" (detected, {percent(record.language_probability)} sure)"
    facts = [
        language,
        words(record.channel) if record.channel else "Channel not known",
        count(len(record.turns), "turn"),
    ]
    ends = [turn.end for turn in record.turns if turn.end is not None]
    if ends:
        facts.append(f"{clock(max(ends))} long")
    if record.roles and record.roles.origin == "inferred" and record.roles.confident:
        facts.append(f"Agent inferred ({_agents(record)})")
    return tuple(facts)


def _cautions(record: Record) -> tuple[str, ...]:
    roles = record.roles
    if roles is None or roles.confident:
        return ()
    sure = f", with a probability of {percent(roles.probability)}" if roles.probability is not None else ""
    return (
        f"Who is the agent was inferred and is not certain: {_agents(record)} was taken for the agent{sure}. "
        "Were it the other way round, the score would not hold.",
    )


def _agents(record: Record) -> str:
    return listed(list(record.roles.agents)) if record.roles and record.roles.agents else "nobody"


def _criterion(record: Record, criterion: CriterionScore, weights: float) -> CriterionView:
    counts = criterion.applicable and criterion.points is not None and weights > 0
    of = 100 * criterion.weight / weights if counts else 0.0
    quotes: dict[tuple[int, int, int], list[Evidence]] = defaultdict(list)
    for evidence in sorted(criterion.evidence, key=lambda e: (-abs(e.cost), e.turn, e.start)):
        quotes[evidence.turn, evidence.start, evidence.end].append(evidence)
    gravest = list(quotes.values())[:_MOST_QUOTES]
    return CriterionView(
        name=words(criterion.name),
        weight=criterion.weight,
        applicable=criterion.applicable and criterion.points is not None,
        points=criterion.points,
        adds=of * (criterion.points or 0.0),
        of=of,
        why=words(criterion.why),
        quotes=tuple(_quote(record, same_words) for same_words in gravest),
        more=len(quotes) - len(gravest),
    )


def _quote(record: Record, same_words: list[Evidence]) -> QuoteView:
    first = same_words[0]
    return QuoteView(
        quote=shortened(first.quote.strip(), _LONG_QUOTE),
        labels=tuple(Note(words(e.label), effect_of(e.cost), effect_words(e.label, e.cost)) for e in same_words),
        turn=first.turn if 0 <= first.turn < len(record.turns) else None,
    )


def _line(record: Record, pointing: Flag | Cap) -> tuple[str | None, int | None]:
    """The quote and turn of what a flag or cap points at."""
    turn = pointing.turn if pointing.turn is not None and 0 <= pointing.turn < len(record.turns) else None
    return (shortened(pointing.quote.strip(), _LONG_QUOTE) if pointing.quote else None), turn


def _turns(record: Record, kept: list[int]) -> Iterable[TurnView]:
    marks = _marks(record)
    flags = defaultdict(list)
    for flag in record.flags:
        flags[flag.turn].append(FlagView(words(flag.name), flag.severity, None, flag.turn))
    before, phase = -1, None
    heard: dict[str, str | None] = {}
    for index in kept:
        turn = record.turns[index]
        blocks, left_out = blocks_of(turn, marks[index])
        role = words(turn.role) if turn.role else "Unknown"
        speaker = turn.speaker if turn.speaker and turn.speaker.casefold() != role.casefold() else None
        yield TurnView(
            index=index,
            role=role,
            speaker=shortened(speaker, 60) if speaker and heard.get(role) != speaker else None,
            time=clock(turn.start) if turn.start is not None and turn.start >= 0 else None,
            phase=words(turn.phase) if turn.phase and turn.phase != phase else None,
            skipped=index - before - 1,
            blocks=blocks,
            left_out=left_out,
            flags=tuple(flags[index]),
        )
        before, phase, heard[role] = index, turn.phase, speaker


def _marks(record: Record) -> dict[int, list[_Mark]]:
    costs: dict[tuple[int, int, int, str], list[tuple[str, float]]] = defaultdict(list)
    for criterion in record.criteria:
        for e in criterion.evidence:
            if 0 <= e.turn < len(record.turns) and 0 <= e.start < e.end:
                costs[e.turn, e.start, e.end, e.label].append((criterion.name, e.cost))
    marks: dict[int, list[_Mark]] = defaultdict(list)
    for (turn, start, end, label), by_criterion in sorted(costs.items()):
        marks[turn].append(_Mark(start, end, label, tuple(by_criterion)))
    return marks


def blocks_of(turn: ScoredTurn, marks: list[_Mark]) -> tuple[tuple[Block, ...], int]:
    """The turn's text in blocks, and how many characters are left out after the last one.

    Every stretch with evidence or labels is a block of its own, so that its notes stand beside it;
    what lies between is a block without notes. Put together, the pieces are the text, but for what is
    left out of a very long turn.
    """
    blocks: list[Block] = []
    at = 0
    for start, end in _shown(turn.text, marks):
        inside = _blocks_between(turn, marks, start, end)
        inside[0] = Block(inside[0].pieces, inside[0].notes, start - at)
        blocks += inside
        at = end
    return tuple(blocks), len(turn.text) - at


def _shown(text: str, marks: list[_Mark]) -> list[tuple[int, int]]:
    """The stretches of the text to show: all of it, or for a very long one its beginning and its evidence."""
    if len(text) <= LONG_TURN:
        return [(0, len(text))]
    windows, room = [(0, _OPENING)], _MOST_SHOWN
    for mark in sorted(marks, key=lambda mark: (-max(abs(cost) for _, cost in mark.costs), mark.start)):
        around = (max(0, mark.start - _AROUND), min(len(text), mark.end + _AROUND))
        if around[1] - around[0] > _OPENING:
            around = (around[0], around[0] + _OPENING)
        if room <= 0:
            break
        room -= around[1] - around[0]
        windows.append(around)
    return _joined([_between_words(text, *window) for window in windows], gap=80)


def _between_words(text: str, start: int, end: int) -> tuple[int, int]:
    """The window, widened by at most 40 characters on either side so that it cuts no word."""
    before = [at for at in range(max(0, start - 40), start) if text[at].isspace()]
    after = [at for at in range(end, min(len(text), end + 40)) if text[at].isspace()]
    return (before[-1] + 1 if before else start), (after[0] if after else end)


def _joined(spans: Iterable[tuple[int, int]], gap: int = 0) -> list[tuple[int, int]]:
    """The spans in order; those that overlap, or lie fewer than ``gap`` characters apart, as one."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and start < joined[-1][1] + gap:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def _blocks_between(turn: ScoredTurn, marks: list[_Mark], start: int, end: int) -> list[Block]:
    marks = [mark for mark in marks if mark.start < end and start < mark.end]
    labelled = [(u.start, u.end) for u in turn.utterances if u.labels and u.start < end and start < u.end]
    noted = [(max(s, start), min(e, end)) for s, e in _joined([*labelled, *((m.start, m.end) for m in marks)])]
    limits = [*(s for s, _ in noted[1:]), end]
    whole = [(s, _past_spaces(turn.text, e, limit)) for (s, e), limit in zip(noted, limits, strict=False)]
    cuts = [(start, start), *whole, (end, end)]
    blocks: list[Block] = []
    for (_, before), (s, e) in pairwise(cuts):
        if turn.text[before:s].strip():
            blocks.append(Block((Piece(turn.text[before:s]),)))
        elif before < s and blocks:
            last = blocks[-1]
            blocks[-1] = Block((*last.pieces, Piece(turn.text[before:s])), last.notes)
        elif before < s:
            s = before
        if s < e:
            inside = [mark for mark in marks if mark.start < e and s < mark.end]
            blocks.append(Block(_pieces(turn.text, inside, s, e), _notes(turn, inside, s, e)))
    return blocks or [Block((Piece(turn.text[start:end]),))]


def _past_spaces(text: str, at: int, end: int) -> int:
    while at < end and text[at].isspace():
        at += 1
    return at


def _pieces(text: str, marks: list[_Mark], start: int, end: int) -> tuple[Piece, ...]:
    numbered = len({(mark.start, mark.end) for mark in marks}) > 1
    edges = {start, end} | {at for m in marks for at in (m.start, m.end) if start < at < end}
    cuts = sorted(edges)
    pieces = []
    for i, (s, e) in enumerate(pairwise(cuts)):
        over = [mark for mark in marks if mark.start <= s and e <= mark.end]
        effects = {mark.effect for mark in over}
        felt = effects - {"neutral"} or effects
        opens = [n for n, m in enumerate(marks, 1) if m.start == s or (i == 0 and m.start < s and m in over)]
        pieces.append(
            Piece(
                text[s:e],
                None if not over else "mixed" if len(felt) > 1 else felt.pop(),
                len(over),
                tuple(opens) if numbered else (),
            )
        )
    return tuple(pieces)


def _notes(turn: ScoredTurn, marks: list[_Mark], start: int, end: int) -> tuple[Note, ...]:
    numbered = len({(mark.start, mark.end) for mark in marks}) > 1
    notes = [
        Note(words(mark.label), mark.effect, mark.words, n if numbered else None) for n, mark in enumerate(marks, 1)
    ]
    told = {mark.label for mark in marks}
    for utterance in turn.utterances:
        if utterance.start < end and start < utterance.end:
            fresh = {label: p for label, p in utterance.labels.items() if label not in told}
            notes += [Note(words(label), "found", percent(p)) for label, p in fresh.items()]
            told |= fresh.keys()
    return tuple(notes)
