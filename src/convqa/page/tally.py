"""Running counts over all records: what the first part of the report shows. Size does not grow with the records."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from convqa.page.words import BANDS
from convqa.report import CriterionScore, Provenance, Record, Severity

_MOST_GROUPS = 60
_MOST_REASONS = 200
_MOST_NAMED = 12
_SEVERITIES: tuple[Severity, ...] = ("critical", "warning", "notice")


@dataclass(slots=True)
class CriterionTally:
    """One criterion over all scored conversations.

    ``applicable`` of ``met`` conversations gave points, summing to ``points`` (shares, 0 to 1 each);
    ``fifths`` counts them by fifths of the points, lowest first.
    """

    name: str
    weight: float
    met: int = 0
    applicable: int = 0
    points: float = 0.0
    fifths: list[int] = field(default_factory=lambda: [0] * 5)

    @property
    def mean(self) -> float | None:
        """Mean share of the points, None where the criterion never applied."""
        return self.points / self.applicable if self.applicable else None

    def add(self, criterion: CriterionScore) -> None:
        """Count one conversation's score on the criterion."""
        self.met += 1
        self.weight = criterion.weight
        if criterion.applicable and criterion.points is not None:
            self.applicable += 1
            self.points += criterion.points
            self.fifths[min(4, max(0, int(criterion.points * 5)))] += 1


@dataclass(slots=True)
class FlagTally:
    """How many conversations carry a flag of this name and severity, and how many times in all."""

    name: str
    severity: Severity
    conversations: int = 0
    times: int = 0


@dataclass(slots=True)
class GroupTally:
    """Scored conversations of one language or channel."""

    conversations: int = 0
    total: float = 0.0

    @property
    def mean(self) -> float:
        """Mean score, 0 to 100."""
        return self.total / self.conversations


@dataclass(slots=True)
class ReasonTally:
    """Conversations that were not scored for one reason; the first few by name."""

    conversations: int = 0
    named: list[tuple[str, str | None]] = field(default_factory=list)


@dataclass(slots=True)
class ScoreCount:
    """Scores as a count for each tenth of a point: at most 1,001 numbers, however many scores."""

    tenths: Counter[int] = field(default_factory=Counter)

    def add(self, score: float) -> None:
        """Count one score, 0 to 100."""
        self.tenths[round(score * 10)] += 1

    @property
    def number(self) -> int:
        """How many scores were counted."""
        return self.tenths.total()

    @property
    def mean(self) -> float | None:
        """Mean score, None where nothing was scored."""
        return sum(tenth * n for tenth, n in self.tenths.items()) / self.number / 10 if self.number else None

    @property
    def median(self) -> float | None:
        """Median score, None where nothing was scored."""
        if not self.number:
            return None
        return (self._at((self.number - 1) // 2) + self._at(self.number // 2)) / 20

    def _at(self, place: int) -> int:
        """The score, in tenths, at a place of the sorted scores."""
        for tenth in sorted(self.tenths):
            place -= self.tenths[tenth]
            if place < 0:
                return tenth
        raise IndexError(place)


class Tally:
    """Counts over records, added one by one."""

    def __init__(self) -> None:
        """Nothing counted yet."""
        self.statuses: Counter[str] = Counter()
        self.criteria: dict[str, CriterionTally] = {}
        self.provenances: Counter[Provenance] = Counter()
        self.not_scored: dict[tuple[str, str], ReasonTally] = {}
        self.other_reasons = 0
        self.critical = 0
        self._languages: dict[str | None, GroupTally] = {}
        self._channels: dict[str | None, GroupTally] = {}
        self._flags: dict[tuple[str, Severity], FlagTally] = {}
        self._bands: Counter[str | None] = Counter()
        self._scores = ScoreCount()

    @property
    def conversations(self) -> int:
        """All conversations, scored or not."""
        return self.statuses.total()

    @property
    def scored(self) -> int:
        """Conversations that have a score."""
        return self._scores.number

    @property
    def mean(self) -> float | None:
        """Mean score, None where nothing was scored."""
        return self._scores.mean

    @property
    def median(self) -> float | None:
        """Median score, None where nothing was scored."""
        return self._scores.median

    @property
    def bins(self) -> list[int]:
        """Conversations by score: 20 bins of 5 points, lowest first; 100 is in the last."""
        bins = [0] * 20
        for tenth, n in self._scores.tenths.items():
            bins[min(19, tenth // 50)] += n
        return bins

    @property
    def bands(self) -> list[tuple[str | None, int]]:
        """Bands from best to worst with their conversations; unknown bands last."""
        others = [band for band in self._bands if band not in BANDS]
        usual = [] if others else BANDS  # a rubric with bands of its own has none of the usual ones
        return [(band, self._bands[band]) for band in (*usual, *(band for band in self._bands if band not in usual))]

    @property
    def languages(self) -> list[tuple[str | None, GroupTally]]:
        """Languages, the most frequent first."""
        return _by_size(self._languages)

    @property
    def channels(self) -> list[tuple[str | None, GroupTally]]:
        """Channels, the most frequent first."""
        return _by_size(self._channels)

    @property
    def flags(self) -> list[FlagTally]:
        """Flags, the gravest and most frequent first."""
        return sorted(
            self._flags.values(), key=lambda flag: (_SEVERITIES.index(flag.severity), -flag.conversations, flag.name)
        )

    def add(self, record: Record) -> None:
        """Count one record."""
        self.statuses[record.status] += 1
        if record.provenance in self.provenances or len(self.provenances) < _MOST_GROUPS:
            self.provenances[record.provenance] += 1
        self._add_flags(record)
        if record.status == "scored" and record.score is not None:
            self._add_score(record, record.score)
        else:
            self._add_reason(record)

    def _add_score(self, record: Record, score: float) -> None:
        self._scores.add(score)
        self._bands[record.band] += 1
        for criterion in record.criteria:
            self.criteria.setdefault(criterion.name, CriterionTally(criterion.name, criterion.weight)).add(criterion)
        self._add_group(self._languages, record.language, score)
        self._add_group(self._channels, record.channel, score)

    @staticmethod
    def _add_group(groups: dict[str | None, GroupTally], name: str | None, score: float) -> None:
        if name not in groups and len(groups) >= _MOST_GROUPS:
            name = "other"
        group = groups.setdefault(name, GroupTally())
        group.conversations += 1
        group.total += score

    def _add_flags(self, record: Record) -> None:
        kinds = Counter((flag.name, flag.severity) for flag in record.flags)
        for kind, times in kinds.items():
            flag = self._flags.setdefault(kind, FlagTally(*kind))
            flag.conversations += 1
            flag.times += times
        self.critical += any(severity == "critical" for _, severity in kinds)

    def _add_reason(self, record: Record) -> None:
        kind = (record.status, record.reason or "no reason was given")
        if kind not in self.not_scored and len(self.not_scored) >= _MOST_REASONS:
            self.other_reasons += 1
            return
        reason = self.not_scored.setdefault(kind, ReasonTally())
        reason.conversations += 1
        if len(reason.named) < _MOST_NAMED:
            reason.named.append((record.id, record.source))


def _by_size(groups: dict[str | None, GroupTally]) -> list[tuple[str | None, GroupTally]]:
    return sorted(groups.items(), key=lambda item: (-item[1].conversations, item[0] or ""))
