"""A scored conversation as it is written: the record of the contract, field by field."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from convqa.labels import Channel, Language, Role

Status = Literal["scored", "skipped", "failed"]
Severity = Literal["critical", "warning", "notice"]
Phase = Literal["opening", "problem", "handling", "closing"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Words that earned or cost points.

    ``turn`` is the index into the record's ``turns`` (from 0); ``start`` and ``end`` are character
    offsets into that turn's text, so that ``text[start:end] == quote``. ``cost`` is how many points
    of the total this evidence takes away (negative: adds), found by recomputing without it.
    """

    turn: int
    start: int
    end: int
    quote: str
    label: str
    probability: float
    cost: float


@dataclass(frozen=True, slots=True)
class CriterionScore:
    """One criterion: ``points`` is the share earned, 0 to 1 (None where not applicable).

    The conversation's score before caps is ``100 * sum(weight * points) / sum(weight)`` over the
    applicable criteria.
    """

    name: str
    weight: float
    applicable: bool
    points: float | None
    why: str
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Cap:
    """A limit on the score that was in force: whatever the criteria add up to, no more than ``at_most``."""

    name: str
    at_most: float
    turn: int | None
    quote: str | None


@dataclass(frozen=True, slots=True)
class Flag:
    """Something that a person should look at; ``turn`` and ``quote`` where one line shows it."""

    name: str
    turn: int | None
    quote: str | None
    severity: Severity


@dataclass(frozen=True, slots=True)
class Utterance:
    """Characters ``start`` to ``end`` of a turn's text, with the labels found at or above threshold."""

    start: int
    end: int
    labels: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ScoredTurn:
    """A turn as it came in, with the role that was used, its phase and its utterances."""

    role: Role | None
    speaker: str | None
    start: float | None
    end: float | None
    text: str
    phase: Phase | None = None
    utterances: tuple[Utterance, ...] = ()


@dataclass(frozen=True, slots=True)
class Roles:
    """Who was taken for the agent, and how sure that is.

    ``origin``: ``given`` by the source, ``inferred`` from what the speakers say, or ``overruled``
    by the user. ``probability`` is None unless inferred. ``confident`` is False where the
    probability is below ``convqa.roles.CONFIDENT``.
    """

    origin: Literal["given", "inferred", "overruled"]
    agents: tuple[str, ...]
    probability: float | None
    confident: bool


@dataclass(frozen=True, slots=True)
class Provenance:
    """What made the record: versions and SHA-256 sums (hexadecimal) of model and rubric."""

    convqa: str
    model: str
    model_sha256: str
    rubric: str
    rubric_sha256: str


@dataclass(frozen=True, slots=True)
class Record:
    """A scored, skipped or failed conversation. ``score`` is 0 to 100, None unless scored."""

    id: str
    source: str | None
    language: Language | str | None
    channel: Channel | None
    status: Status
    reason: str | None
    score: float | None
    band: str | None
    criteria: tuple[CriterionScore, ...]
    caps: tuple[Cap, ...]
    flags: tuple[Flag, ...]
    signals: dict[str, float | None]
    turns: tuple[ScoredTurn, ...]
    roles: Roles | None
    language_probability: float | None
    metadata: dict[str, Any]
    provenance: Provenance
