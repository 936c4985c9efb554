"""What was found in a conversation: the input of the score, and nothing else is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from convqa.labels import Role


@dataclass(frozen=True, slots=True)
class Spoken:
    """An utterance: characters ``start`` to ``end`` of turn number ``turn``, with its labels.

    ``labels`` holds the probability of every label at or above its threshold.
    """

    turn: int
    start: int
    end: int
    text: str
    role: Role
    labels: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Findings:
    """All utterances of a conversation in order, and its signals (numbers about the whole of it).

    A signal is None where it cannot be known, as silence without times.
    """

    spoken: Sequence[Spoken]
    signals: Mapping[str, float | None]
