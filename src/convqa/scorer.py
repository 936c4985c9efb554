"""The whole way for a batch of conversations, everything loaded once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from convqa._version import __version__
from convqa.artifact import kind_of, models_folder
from convqa.conversation import Conversation, Turn, Unreadable
from convqa.detect import LOOK_BACK, Detector, Line, Probabilities, ngram, surest_first
from convqa.detect.dialogue import Detected, DialogueDetector, signals
from convqa.errors import ModelError, UsageError
from convqa.finding import Findings, Spoken
from convqa.labels import LANGUAGES, Role
from convqa.language import identify
from convqa.phases import phases
from convqa.report import Provenance, Record, Roles, ScoredTurn, Status, Utterance
from convqa.roles import RoleModel, assign
from convqa.rubric import RubricFile, load_rubric
from convqa.score import score
from convqa.segment import Segmenter, Span

BATCH_UTTERANCES = 1500
"""About so many utterances are detected in one call: enough to share work, little enough to stay small."""
_CHARACTERS_AN_UTTERANCE = 60
ROUNDING = 1e-4
"""Probabilities are rounded to four decimals before they are compared with thresholds."""


@dataclass(frozen=True, slots=True)
class _Ready:
    """A conversation that can be assessed: turns with roles, language known."""

    conversation: Conversation
    language: str
    language_probability: float | None
    roles: Roles


class Scorer:
    """Scores conversations: segment, detect, judge by the rubric. Make one with ``convqa.load``."""

    def __init__(
        self,
        *,
        segmenter: Segmenter,
        roles: RoleModel,
        detector: Detector,
        dialogue: DialogueDetector,
        rubric: RubricFile,
        language: str | None = None,
        agent: str | None = None,
    ) -> None:
        self.segmenter = segmenter
        self.role_model = roles
        self.detector = detector
        self.dialogue = dialogue
        self.rubric = rubric
        self.language = language
        self.agent = agent
        self._floor = np.array([detector.thresholds[label] for label in detector.labels]) - ROUNDING
        digests = (detector.digest, dialogue.digest, roles.digest, segmenter.digest)
        self.provenance = Provenance(
            convqa=__version__,
            model=detector.name,
            model_sha256=hashlib.sha256("\n".join(digests).encode()).hexdigest(),
            rubric=rubric.name,
            rubric_sha256=rubric.digest,
        )

    @property
    def labels(self) -> Sequence[str]:
        """The utterance labels, in the order of the detector."""
        return self.detector.labels

    def score(self, conversation: Conversation | Unreadable) -> Record:
        """Score one conversation. Never raises for what is in it: see the record's status and reason."""
        return next(self.pipe([conversation]))

    def pipe(self, conversations: Iterable[Conversation | Unreadable]) -> Iterator[Record]:
        """Score conversations in batches and yield their records in the same order; memory stays flat."""
        for batch in batches(conversations):
            yield from self._score_batch(batch)

    def detect(self, texts: Iterable[str | Mapping[str, Any]]) -> list[dict[str, float]]:
        """Return the labels found in texts: label -> probability, at or above the thresholds, surest first.

        A text may also be a mapping with ``text`` and, if known, ``role``, ``context`` (what was said just before,
        oldest first, like ``"customer: …"``) and ``language``. A text of several utterances gets each label's
        highest probability. Raises UsageError where a mapping does not have that form.
        """
        return [self.predicted(row) for row in self.probabilities(texts)]

    def predicted(self, probabilities: Mapping[str, float]) -> dict[str, float]:
        """Return the labels at or above their thresholds."""
        return {label: p for label, p in probabilities.items() if p >= self.detector.thresholds[label]}

    def probabilities(self, texts: Iterable[str | Mapping[str, Any]]) -> list[dict[str, float]]:
        """Return the probability of every label for texts, as ``detect`` takes them; surest first."""
        asked = [_asked(text) for text in texts]
        turns = [([*line.context, (line.role, line.text)], self.language or language or "") for line, language in asked]
        spans = self.segmenter.segment_many([([text for _, text in said], language) for said, language in turns])
        lines: list[Line] = []
        owner: list[int] = []
        for number, ((said, _), found) in enumerate(zip(turns, spans, strict=True)):
            flat = [
                (role, text[start:end]) for (role, text), some in zip(said, found, strict=True) for start, end in some
            ]
            for at in range(len(flat) - len(found[-1]), len(flat)):
                role, text = flat[at]
                lines.append(Line(text, role, tuple(flat[max(0, at - LOOK_BACK) : at])))
                owner.append(number)
        highest = np.zeros((len(asked), len(self.detector.labels)))
        np.maximum.at(highest, np.array(owner, np.int64), self._detect(lines))
        return [surest_first(self.detector.labels, row) for row in highest]

    def _detect(self, lines: Sequence[Line]) -> Probabilities:
        parts = [
            self.detector.predict_proba(lines[at : at + BATCH_UTTERANCES])
            for at in range(0, len(lines), BATCH_UTTERANCES)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, len(self.detector.labels)))

    def _score_batch(self, batch: Sequence[Conversation | Unreadable]) -> Iterator[Record]:
        prepared = [self._prepare(item) for item in batch]
        ready = [item for item in prepared if isinstance(item, _Ready)]
        spans = self.segmenter.segment_many(
            [([_judged(turn) for turn in item.conversation.turns], item.language) for item in ready]
        )
        lines = [_lines(item.conversation.turns, found) for item, found in zip(ready, spans, strict=True)]
        probabilities = self._detect([line for some in lines for line in some])
        ends = np.cumsum([len(some) for some in lines])
        parts = iter(zip(spans, np.split(probabilities, ends[:-1]) if ready else [], strict=True))
        for item in prepared:
            yield self._judge(item, *next(parts)) if isinstance(item, _Ready) else item

    def _prepare(self, item: Conversation | Unreadable) -> _Ready | Record:
        if isinstance(item, Unreadable):
            place = f"{item.source}, {item.place}" if item.place else item.source
            return self._unscored(item.id, item.source, "failed", f"{place}: {item.reason}")

        language, probability = self.language or item.language, None

        def skipped(reason: str, whole: Conversation = item, roles: Roles | None = None) -> Record:
            return replace(
                self._unscored(item.id, item.source, "skipped", reason),
                language=language,
                language_probability=probability,
                channel=item.channel,
                turns=tuple(ScoredTurn(t.role, t.speaker, t.start, t.end, t.text) for t in whole.turns),
                roles=roles,
                metadata=item.metadata,
            )

        if not any(turn.text.strip() for turn in item.turns):
            return skipped("nothing is said in it")
        if language is None:
            guess = identify(turn.text for turn in item.turns)
            language, probability = guess.language, guess.probability
        if language not in LANGUAGES:
            return skipped(f"language {language!r} is not supported; use one of {' '.join(LANGUAGES)}")
        with_roles, roles = assign(item, self.role_model, self.agent)
        if roles is None:
            return skipped("only one speaker, and it is not said whether agent or customer (--agent says it)")
        speaking = {turn.role for turn in with_roles.turns if turn.text.strip()}
        for role in ("agent", "customer"):
            if role not in speaking:
                return skipped(f"no {role} speaks in it", with_roles, roles)
        return _Ready(with_roles, language, probability, roles)

    def _unscored(self, id: str, source: str | None, status: Status, reason: str) -> Record:
        return Record(
            id=id,
            source=source,
            language=None,
            channel=None,
            status=status,
            reason=reason,
            score=None,
            band=None,
            criteria=(),
            caps=(),
            flags=(),
            signals={},
            turns=(),
            roles=None,
            language_probability=None,
            metadata={},
            provenance=self.provenance,
        )

    def _judge(self, item: _Ready, spans: Sequence[Sequence[Span]], probabilities: Probabilities) -> Record:
        turns = item.conversation.turns
        where = [(turn, start, end) for turn, found in enumerate(spans) for start, end in found]
        spoken = [
            Spoken(turn, start, end, turns[turn].text[start:end], _role(turns[turn]), self._found(row))
            for (turn, start, end), row in zip(where, probabilities, strict=True)
        ]
        measured = signals(turns, Detected([turn for turn, _, _ in where], probabilities, self.labels), item.language)
        known = self.dialogue.predict(measured) | measured
        result = score(Findings(spoken, known), self.rubric.rubric, self.dialogue.thresholds)
        utterances: dict[int, list[Utterance]] = {}
        for said in spoken:
            utterances.setdefault(said.turn, []).append(Utterance(said.start, said.end, dict(said.labels)))
        scored_turns = tuple(
            ScoredTurn(turn.role, turn.speaker, turn.start, turn.end, turn.text, phase, tuple(utterances.get(n, ())))
            for n, (turn, phase) in enumerate(zip(turns, phases(spoken, len(turns)), strict=True))
        )
        return Record(
            id=item.conversation.id,
            source=item.conversation.source,
            language=item.language,
            channel=item.conversation.channel,
            status="scored" if result.total is not None else "skipped",
            reason=None if result.total is not None else "no criterion of the rubric applies",
            score=result.total,
            band=result.band,
            criteria=result.criteria,
            caps=result.caps,
            flags=result.flags,
            signals=known,
            turns=scored_turns,
            roles=item.roles,
            language_probability=item.language_probability,
            metadata=item.conversation.metadata,
            provenance=self.provenance,
        )

    def _found(self, row: Probabilities) -> dict[str, float]:
        # Most utterances carry no label or one: do not sort sixteen numbers to find that out.
        near = np.flatnonzero(row >= self._floor)
        return self.predicted(surest_first([self.labels[int(n)] for n in near], row[near])) if len(near) else {}


def load(
    model: str | Path | None = None,
    rubric: str | Path | None = None,
    *,
    language: str | None = None,
    agent: str | None = None,
) -> Scorer:
    """Load a scorer: the bundled model and rubric unless others are named.

    ``model`` is the name of a bundled utterance model or the path of a model's folder, ``rubric`` the path of a TOML
    file. ``language`` (nb nn da sv en) is taken for granted instead of being found out; ``agent`` is the speaker
    who is the agent wherever they speak. Raises ModelError, RubricError or UsageError.
    """
    if language is not None and language not in LANGUAGES:
        raise UsageError(f"language {language!r} is not supported; use one of {' '.join(LANGUAGES)}")
    return Scorer(
        segmenter=Segmenter.load(),
        roles=RoleModel.load(),
        detector=_detector(_model_folder(model)),
        dialogue=DialogueDetector.load(),
        rubric=load_rubric(Path(rubric) if rubric is not None else None),
        language=language,
        agent=agent,
    )


DETECTORS: Mapping[str, Callable[[Path], Detector]] = {ngram.KIND: ngram.NgramDetector.load}
"""What opens an utterance model, by the kind that its ``meta.json`` names."""

BUNDLED = {"fast": "utterances"}
"""Bundled utterance models by name: the folder each lies in."""


def _model_folder(model: str | Path | None) -> Path:
    name = str(model) if model is not None else "fast"
    folder = models_folder() / BUNDLED[name] if name in BUNDLED else Path(name)
    if not folder.is_dir():
        raise ModelError(f"{name}: no such folder, nor a bundled model ({', '.join(BUNDLED)})")
    return folder


def _detector(folder: Path) -> Detector:
    kind = kind_of(folder)
    if kind not in DETECTORS:
        raise ModelError(f"{folder}: kind is {kind!r}; utterance models are {', '.join(DETECTORS)}")
    return DETECTORS[kind](folder)


def batches(items: Iterable[Conversation | Unreadable]) -> Iterator[list[Conversation | Unreadable]]:
    """Group conversations, in order, so that each group has about ``BATCH_UTTERANCES`` utterances."""
    batch: list[Conversation | Unreadable] = []
    size = 0
    for item in items:
        batch.append(item)
        size += 1
        if isinstance(item, Conversation):
            size += len(item.turns) + sum(len(turn.text) for turn in item.turns) // _CHARACTERS_AN_UTTERANCE
        if size >= BATCH_UTTERANCES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _lines(turns: Sequence[Turn], spans: Sequence[Sequence[Span]]) -> list[Line]:
    said = [(turn.role, turn.text[start:end]) for turn, found in zip(turns, spans, strict=True) for start, end in found]
    return [
        Line(text, role, tuple(said[max(0, at - LOOK_BACK) : at]), at / len(said))
        for at, (role, text) in enumerate(said)
    ]


def _judged(turn: Turn) -> str:
    """Return what is judged of a turn: nothing where it is neither agent's nor customer's, as a bot's or a system's."""
    return turn.text if turn.role is not None else ""


def _role(turn: Turn) -> Role:
    if turn.role is None:
        raise AssertionError("a turn without role was let through")
    return turn.role


def check_asked(row: Mapping[str, Any]) -> None:
    """Check a mapping that ``detect`` is asked about.

    Raises UsageError naming the field, what was met and what would do.
    """
    text, role, context, language = (row.get(key) for key in ("text", "role", "context", "language"))
    if not isinstance(text, str):
        raise UsageError(f"'text' is {text!r}; a string is wanted" if "text" in row else "'text' is missing")
    if role not in ("agent", "customer", None):
        raise UsageError(f"'role' is {role!r}; use agent or customer")
    if language is not None and language not in LANGUAGES:
        raise UsageError(f"'language' is {language!r}; use one of {' '.join(LANGUAGES)}")
    if not isinstance(context, list | tuple | None) or not all(isinstance(before, str) for before in context or ()):
        raise UsageError(f"'context' is {context!r}; a list of strings like 'customer: …' is wanted")


def _asked(text: str | Mapping[str, Any]) -> tuple[Line, str | None]:
    """Read one text of ``detect``; returns it as a line, and its language where given."""
    if isinstance(text, str):
        return Line(text), None
    check_asked(text)
    before = tuple(_before(entry) for entry in text.get("context") or ())
    return Line(text["text"], text.get("role"), before), text.get("language")


def _before(entry: str) -> tuple[Role | None, str]:
    who, separator, said = entry.partition(":")
    match who.strip().lower() if separator else None:
        case "agent":
            return "agent", said.strip()
        case "customer":
            return "customer", said.strip()
    return None, entry
