"""Opening, problem, handling, closing: stated rules over turns and what was found in them.

- *opening*: until the customer states the matter: the first customer turn with distress, a repeated
  request, or at least ``MATTER_WORDS`` words;
- *problem*: from there until the agent acts: the first agent turn with a solution, ownership, a
  commitment or honest uncertainty; without one, until the middle of what is left;
- *closing*: the last turns, as long as they hold nothing but courtesy, thanks and short answers;
- *handling*: everything between.
"""

from __future__ import annotations

from collections.abc import Sequence

from convqa.finding import Spoken
from convqa.report import Phase

MATTER_WORDS = 8
CLOSING_WORDS = 12
_MATTER = {"distress", "repeated_request"}
_ACTS = {"solution", "ownership", "commitment", "honest_uncertainty"}
_FAREWELL = {"courtesy", "gratitude"}


def phases(spoken: Sequence[Spoken], turns: int) -> list[Phase | None]:
    """Return the phase of each of ``turns`` turns; None for a turn with no utterance."""
    by_turn: dict[int, list[Spoken]] = {}
    for utterance in spoken:
        by_turn.setdefault(utterance.turn, []).append(utterance)
    order = sorted(by_turn)
    matter = next((i for i, turn in enumerate(order) if _states_matter(by_turn[turn])), len(order))
    closing = len(order)
    while closing > matter + 1 and _takes_leave(by_turn[order[closing - 1]]):
        closing -= 1
    if not any(_FAREWELL & set(u.labels) for turn in order[closing:] for u in by_turn[turn]):
        closing = len(order)
    acts = (i for i in range(matter + 1, closing) if _has(by_turn[order[i]], _ACTS, "agent"))
    handling = next(acts, (matter + closing + 1) // 2)
    result: list[Phase | None] = [None] * turns
    for i, turn in enumerate(order):
        if i < matter:
            result[turn] = "opening"
        elif i >= closing:
            result[turn] = "closing"
        else:
            result[turn] = "problem" if i < handling else "handling"
    return result


def _has(turn: Sequence[Spoken], labels: set[str], role: str) -> bool:
    return any(u.role == role and labels & set(u.labels) for u in turn)


def _words(turn: Sequence[Spoken]) -> int:
    return sum(len(utterance.text.split()) for utterance in turn)


def _states_matter(turn: Sequence[Spoken]) -> bool:
    return turn[0].role == "customer" and (_has(turn, _MATTER, "customer") or _words(turn) >= MATTER_WORDS)


def _takes_leave(turn: Sequence[Spoken]) -> bool:
    found = {label for utterance in turn for label in utterance.labels}
    return found <= _FAREWELL and (bool(found) or _words(turn) <= CLOSING_WORDS)
