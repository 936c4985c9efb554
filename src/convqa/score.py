"""Findings and a rubric -> points, score, caps, flags and the cost of each piece of evidence. Arithmetic only.

The score before caps is ``100 * sum(weight * points) / sum(weight)`` over the applicable criteria, and
the caps in force limit it. What a piece of evidence costs is found by leaving it out and doing the sum again.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from convqa.finding import Findings, Spoken
from convqa.report import Cap, CriterionScore, Evidence, Flag
from convqa.rubric import Answered, Avoided, Criterion, Occasion, Present, Rubric, Unlikely

MOST_EVIDENCE = 20
"""At most so many pieces of evidence are listed a criterion, the surest ones; points count all of them."""


@dataclass(frozen=True, slots=True)
class Score:
    """What the arithmetic gives: ``total`` 0 to 100 with its band, None where no criterion applies."""

    total: float | None
    band: str | None
    criteria: tuple[CriterionScore, ...]
    caps: tuple[Cap, ...]
    flags: tuple[Flag, ...]


@dataclass(frozen=True, slots=True)
class _Piece:
    """A label on an utterance; ``at`` is the utterance's number in the conversation."""

    at: int
    label: str


@dataclass(frozen=True, slots=True)
class _Verdict:
    """A criterion's outcome: ``points`` None where it does not apply."""

    points: float | None
    why: str
    pieces: tuple[_Piece, ...] = ()


def score(findings: Findings, rubric: Rubric, thresholds: Mapping[str, float]) -> Score:
    """Score a conversation. ``thresholds`` are those of the conversation labels' classifiers."""
    talk = _Talk(findings, thresholds)
    verdicts = {criterion.name: _judge(criterion, talk) for criterion in rubric.criterion}
    points = {name: verdict.points for name, verdict in verdicts.items()}
    total = _total(points, rubric, talk)
    costs: dict[_Piece, float] = {}

    def cost(piece: _Piece) -> float:
        if piece not in costs:
            without = talk.without(piece)
            changed = {c.name: _judge(c, without).points for c in rubric.criterion if piece.label in labels_of(c)}
            other = _total(points | changed, rubric, without)
            costs[piece] = 0.0 if total is None or other is None else round(other - total, 2)
        return costs[piece]

    criteria = []
    for criterion in rubric.criterion:
        verdict = verdicts[criterion.name]
        surest = sorted(verdict.pieces, key=lambda piece: (-talk.probability(piece), piece.at))[:MOST_EVIDENCE]
        shown = sorted(surest, key=lambda piece: (piece.at, piece.label))
        criteria.append(
            CriterionScore(
                criterion.name,
                criterion.weight,
                verdict.points is not None,
                verdict.points,
                verdict.why,
                tuple(talk.evidence(piece, cost(piece)) for piece in shown),
            )
        )
    return Score(
        total,
        None if total is None else rubric.band_of(total),
        tuple(criteria),
        tuple(_caps(rubric, talk)),
        tuple(_flags(rubric, talk)),
    )


@dataclass(frozen=True, slots=True)
class _Run:
    """What the customer says until the agent speaks: utterances ``first`` to ``last``, ``words`` in all."""

    first: int
    last: int
    words: int


class _Talk:
    """A conversation's findings, indexed for judging; ``without`` gives the same talk less one label."""

    __slots__ = ("agent_turn", "customer_turns", "findings", "labelled", "longest", "runs", "thresholds")

    def __init__(self, findings: Findings, thresholds: Mapping[str, float]) -> None:
        self.findings = findings
        self.thresholds = thresholds
        self.labelled: dict[str, list[int]] = {}
        self.agent_turn: list[int] = []
        # What the customer says last is no run: it cannot be answered any more.
        self.runs: list[_Run] = []
        customer: dict[int, int] = {}
        turns = words = 0
        first = last = None
        for at, spoken in enumerate(findings.spoken):
            if spoken.role == "agent":
                if first is not None:
                    self.runs.append(_Run(first, at - 1, words))
                first, words = None, 0
                turns += spoken.turn != last
            else:
                first = at if first is None else first
                number = len(spoken.text.split())
                words += number
                customer[spoken.turn] = customer.get(spoken.turn, 0) + number
            last = spoken.turn
            self.agent_turn.append(turns)
            for label in spoken.labels:
                self.labelled.setdefault(label, []).append(at)
        self.customer_turns = len(customer)
        self.longest = max(customer.values(), default=0)

    def without(self, piece: _Piece) -> _Talk:
        talk = _Talk.__new__(_Talk)
        talk.findings, talk.thresholds = self.findings, self.thresholds
        talk.runs, talk.agent_turn = self.runs, self.agent_turn
        talk.customer_turns, talk.longest = self.customer_turns, self.longest
        talk.labelled = self.labelled | {piece.label: [at for at in self.labelled[piece.label] if at != piece.at]}
        return talk

    def spoken(self, at: int) -> Spoken:
        return self.findings.spoken[at]

    def probability(self, piece: _Piece) -> float:
        return self.spoken(piece.at).labels[piece.label]

    def pieces(self, labels: Iterable[str]) -> list[_Piece]:
        return [_Piece(at, label) for label in labels for at in self.labelled.get(label, ())]

    def evidence(self, piece: _Piece, cost: float) -> Evidence:
        spoken = self.spoken(piece.at)
        return Evidence(spoken.turn, spoken.start, spoken.end, spoken.text, piece.label, self.probability(piece), cost)

    @property
    def has_agent(self) -> bool:
        return bool(self.agent_turn) and self.agent_turn[-1] > 0

    def signal_on(self, name: str) -> bool:
        value = self.findings.signals.get(name)
        return value is not None and value >= self.thresholds[name]

    def shown_for(self, occasion: Occasion) -> list[_Piece]:
        """Return the pieces that count towards an occasion of a label."""
        pieces = self.pieces([occasion.label] if occasion.label else ())
        return [piece for piece in pieces if self.probability(piece) >= occasion.probability_at_least]

    def shown_by(self, occasion: Occasion) -> int | None:
        """Return the utterance that best shows an occasion: the surest of its label, or of what a signal rests on."""
        pieces = self.shown_for(occasion) if occasion.label else self.pieces(_SHOWN_BY[str(occasion.signal)])
        return max(pieces, key=lambda piece: (self.probability(piece), -piece.at)).at if pieces else None


_SHOWN_BY = {
    "ignored_request": ("repeated_request", "pressure"),
    "one_way_dialogue": ("dismissive",),
}


def labels_of(criterion: Criterion) -> set[str]:
    """Return the utterance labels that a criterion rests on."""
    match criterion:
        case Answered():
            return {*criterion.need, *criterion.answer}
        case Avoided():
            return set(criterion.deduct)
        case Present():
            return set(criterion.credit)
        case Unlikely():
            return set()


def _judge(criterion: Criterion, talk: _Talk) -> _Verdict:
    match criterion:
        case Answered():
            return _answered(criterion, talk)
        case Avoided():
            return _avoided(criterion, talk)
        case Present():
            return _present(criterion, talk)
        case Unlikely():
            return _unlikely(criterion, talk)


def _answered(criterion: Answered, talk: _Talk) -> _Verdict:
    needs = {at: label for label in reversed(criterion.need) for at in talk.labelled.get(label, ())}
    answers = {at: label for label in reversed(criterion.answer) for at in talk.labelled.get(label, ())}
    given = sorted(answers)
    calls = _calls(criterion, talk, sorted(needs))
    unasked = criterion.applies_if_given and bool(answers)
    if not calls and not unasked:
        return _Verdict(None, "nothing called for it")
    if len(calls) < criterion.applies_from and not unasked:
        return _Verdict(None, f"called for {_times(len(calls))}; expected from {criterion.applies_from} on")
    if not calls:
        return _Verdict(1.0, "given without being called for", (_Piece(given[0], answers[given[0]]),))
    full = late = 0
    pieces: list[_Piece] = []
    used: list[int] = []
    for run, need in calls:
        after = bisect_right(given, run.last)
        if after < len(given):
            in_time = talk.agent_turn[given[after]] <= talk.agent_turn[run.last] + criterion.window
            full += in_time
            late += not in_time
            if given[after] not in used[-1:]:
                used.append(given[after])
        elif need is not None:
            pieces.append(_Piece(need, needs[need]))
    enough = min(criterion.enough, len(calls))
    points = round(min(1.0, (full + late * criterion.late) / enough), 4)
    parts = [f"called for {_times(len(calls))}", f"met {_times(full)}"]
    if late:
        parts.append(f"met late {_times(late)}")
    if enough < len(calls):
        parts.append(f"{enough} would be enough")
    # Where all is earned, what was missed costs nothing and is not held against anybody.
    missed = pieces if points < 1.0 else []
    return _Verdict(points, "; ".join(parts), (*missed, *(_Piece(at, answers[at]) for at in used)))


def _calls(criterion: Answered, talk: _Talk, needs: Sequence[int]) -> list[tuple[_Run, int | None]]:
    """Return the customer's runs that call for something, each with its first utterance that carries a need."""
    calls: list[tuple[_Run, int | None]] = []
    for run in talk.runs:
        place = bisect_left(needs, run.first)
        need = needs[place] if place < len(needs) and needs[place] <= run.last else None
        if need is not None or (criterion.need_words is not None and run.words >= criterion.need_words):
            calls.append((run, need))
    return calls


def _avoided(criterion: Avoided, talk: _Talk) -> _Verdict:
    pieces = talk.pieces(criterion.deduct)
    if not talk.has_agent:
        return _Verdict(None, "the agent says nothing")
    # One utterance is one act: it loses its dearest label once, however many labels name it. Each takes its share of
    # what is left, so that the fifth brush-off still costs something, and still shows.
    dearest: dict[int, float] = {}
    for piece in pieces:
        dearest[piece.at] = max(dearest.get(piece.at, 0.0), criterion.deduct[piece.label])  # type: ignore[index]
    points = round(math.prod(1.0 - dearest[at] for at in sorted(dearest)), 4)
    counts = {label: len(talk.labelled.get(label, ())) for label in criterion.deduct}
    found = ", ".join(f"{label} {_times(number)}" for label, number in counts.items() if number)
    return _Verdict(points, found or "nothing of the kind found", tuple(pieces))


def _present(criterion: Present, talk: _Talk) -> _Verdict:
    if talk.longest < criterion.need_words:
        return _Verdict(None, "the customer says too little to call for it")
    if not talk.has_agent:
        return _Verdict(None, "the agent says nothing")
    found = [label for label in criterion.credit if talk.labelled.get(label)]
    points = round(min(1.0, sum(criterion.credit[label] for label in found)), 4)
    pieces = talk.pieces(found)
    return _Verdict(points, ", ".join(found) if found else "not found: " + ", ".join(criterion.credit), tuple(pieces))


def _unlikely(criterion: Unlikely, talk: _Talk) -> _Verdict:
    probability = talk.findings.signals.get(criterion.signal)
    if probability is None or talk.customer_turns < criterion.customer_turns:
        return _Verdict(None, "too short to tell")
    return _Verdict(
        round(1.0 - probability, 4), f"probability of {criterion.signal.replace('_', ' ')} {probability:.2f}"
    )


def _holds(occasion: Occasion, talk: _Talk) -> bool:
    if occasion.label is not None:
        return len(talk.shown_for(occasion)) >= occasion.at_least
    return talk.signal_on(str(occasion.signal))


def _total(points: Mapping[str, float | None], rubric: Rubric, talk: _Talk) -> float | None:
    """Return the score, 0 to 100, of criterion points under the caps in force; None where nothing applies."""
    counted = [(c.weight, p) for c in rubric.criterion if (p := points[c.name]) is not None]
    if not counted:
        return None
    total = 100.0 * sum(weight * p for weight, p in counted) / sum(weight for weight, _ in counted)
    limits = [cap.at_most for cap in rubric.cap if _holds(cap.when, talk)]
    return round(min([total, *limits]), 1)


def _caps(rubric: Rubric, talk: _Talk) -> Iterable[Cap]:
    for cap in rubric.cap:
        if _holds(cap.when, talk):
            turn, quote = _shown(cap.when, talk)
            yield Cap(cap.name, cap.at_most, turn, quote)


def _flags(rubric: Rubric, talk: _Talk) -> Iterable[Flag]:
    for rule in rubric.flag:
        if _holds(rule.when, talk):
            turn, quote = _shown(rule.when, talk)
            yield Flag(rule.name, turn, quote, rule.severity)


def _shown(occasion: Occasion, talk: _Talk) -> tuple[int | None, str | None]:
    at = talk.shown_by(occasion)
    return (None, None) if at is None else (talk.spoken(at).turn, talk.spoken(at).text)


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"
