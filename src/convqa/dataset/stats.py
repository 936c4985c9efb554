"""How much of what a data set holds, as the tables of its card."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import get_args

from scipy.stats import spearmanr

from convqa.dataset.agreement import Agreement, agreement, cohen_kappa
from convqa.dataset.folder import SPLITS, Dataset
from convqa.dataset.records import Style, TwiceLabelled
from convqa.labels import CORE_LABELS, LANGUAGES, UTTERANCE_LABELS

STYLES: tuple[Style, ...] = get_args(Style)


@dataclass(frozen=True, slots=True)
class Table:
    """A table with a title; the first column names the row, the others are right-aligned figures."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """Return the table in Markdown, its title as a line above it."""
        lines = ["| " + " | ".join(self.header) + " |", "|" + "---|" * len(self.header)]
        lines += ["| " + " | ".join(row) + " |" for row in self.rows]
        return "\n".join([f"**{self.title}**", "", *lines])


@dataclass(frozen=True, slots=True)
class Counts:
    """Every count of a data set. ``tables`` gives them as the card has them."""

    conversations: int
    authors: int
    agent_utterances: int
    customer_utterances: int
    snippets: int
    one_way: int
    ignored_request: int
    company: int
    by_language: dict[str, int]
    by_split: dict[str, dict[str, int]]
    labels: dict[str, dict[str, int]]
    quality: dict[str, int]
    tables: tuple[Table, ...]


def stats(dataset: Dataset) -> Counts:
    """Count conversations, utterances, labels and ratings, by language, style, split and agreement."""
    rows = [item.conversation for item in dataset.conversations]
    spoken = Counter(role for row in rows for role, _ in row.lines())
    labels: Counter[tuple[str, str]] = Counter(
        (label, dialogue.language)
        for dialogue in [*rows, *(snippet for snippet, _ in dataset.snippets)]
        for _, said in dialogue.lines()
        for label in said.labels
    )
    quality = Counter(row.quality for row in rows if row.quality is not None)
    languages = Counter(row.language for row in rows)
    styles = Counter((row.language, row.style) for row in rows)
    by_split: dict[str, dict[str, int]] = {
        split: {
            "authors": len({item.author for item in dataset.conversations if item.split == split}),
            "conversations": sum(item.split == split for item in dataset.conversations),
            **{
                code: sum(item.split == split and item.conversation.language == code for item in dataset.conversations)
                for code in LANGUAGES
            },
        }
        for split in SPLITS
        if any(item.split == split for item in dataset.conversations)
    }
    counts = {
        label: {"all": sum(labels[label, code] for code in LANGUAGES)}
        | {code: labels[label, code] for code in LANGUAGES}
        for label in UTTERANCE_LABELS
    }
    ratings = {f"{rating:g}": quality[rating] for rating in sorted(quality)}
    tables = [
        Table(
            "Conversations by language and style",
            ("language", "conversations", *STYLES),
            tuple((code, str(languages[code]), *(str(styles[code, style]) for style in STYLES)) for code in LANGUAGES),
        ),
        Table(
            "Labelled utterances, conversations and snippets",
            ("label", "all", *LANGUAGES),
            tuple((label, *(str(number) for number in by.values())) for label, by in counts.items()),
        ),
        Table(
            "Quality ratings",
            ("rating", *ratings),
            (("conversations", *(str(number) for number in ratings.values())),),
        ),
    ]
    if by_split:
        header = ("split", *next(iter(by_split.values())))
        tables.insert(
            1, Table("Splits", header, tuple((s, *(str(n) for n in by.values())) for s, by in by_split.items()))
        )
    tables += agreement_tables(dataset)
    return Counts(
        len(rows),
        len({item.author for item in dataset.conversations}),
        spoken["agent"],
        spoken["customer"],
        len(dataset.snippets),
        sum(row.one_way is True for row in rows),
        sum(row.ignored_request is True for row in rows),
        sum(row.manner == "company" for row in rows),
        {code: languages[code] for code in LANGUAGES},
        by_split,
        counts,
        ratings,
        tuple(tables),
    )


def agreement_tables(dataset: Dataset) -> list[Table]:
    """Return what two blind annotators agreed on: by label, by label and language, and on the ratings."""
    known = {item.conversation.id: item.conversation for item in dataset.conversations}
    spoken = {id: [role for role, _ in conversation.lines()] for id, conversation in known.items()}
    # What does not fit its conversation is a problem that `convqa data check` names; here it cannot be compared.
    twice = [
        item
        for item, _ in dataset.twice
        if len(item.first.labels) == len(item.second.labels) == len(spoken.get(item.id, ())) > 0
    ]
    if not twice:
        return []
    roles = [spoken[item.id] for item in twice]
    whole = agreement(twice, roles)
    by_language: dict[str, dict[str, Agreement]] = {}
    for code in LANGUAGES:
        at = [number for number, item in enumerate(twice) if known[item.id].language == code]
        if at:
            found = agreement([twice[number] for number in at], [roles[number] for number in at])
            by_language[code] = {one.label: one for one in found}
    header = ("label", "kappa", "F1", "first", "second")
    rows = [
        (
            one.label,
            _figure(one.kappa, one.kappa_interval),
            _figure(one.f1, one.f1_interval),
            str(one.first),
            str(one.second),
        )
        for one in whole
    ]
    core = [one.f1 for one in whole if one.label in CORE_LABELS and one.f1 is not None]
    f1s = Table(
        "F1 of the two by language",
        ("label", *by_language),
        tuple((one.label, *(_figure(found[one.label].f1) for found in by_language.values())) for one in whole),
    )
    kappas = Table(
        "Kappa of the two by language",
        ("label", *by_language),
        tuple((one.label, *(_figure(found[one.label].kappa) for found in by_language.values())) for one in whole),
    )
    title = f"Two blind annotators on {len(twice)} conversations"
    title += f" (core macro-F1 {sum(core) / len(core):.3f})" if len(core) == len(CORE_LABELS) else " (core macro-F1 –)"
    return [Table(title, header, tuple(rows)), f1s, kappas, _ratings(twice)]


def _ratings(twice: list[TwiceLabelled]) -> Table:
    """How the two agree on whole conversations: rank correlation for quality, kappa for the rest."""
    quality = [(one.first.quality, one.second.quality) for one in twice]
    rated = [(a, b) for a, b in quality if a is not None and b is not None]
    varied = all(len(set(side)) > 1 for side in zip(*rated, strict=True)) and len(rated) > 2
    rho = float(spearmanr(*zip(*rated, strict=True)).statistic) if varied else None
    rows = [("quality", "Spearman", _figure(rho), str(len(rated)))]
    for name in ("one_way", "ignored_request", "resolved"):
        both = [(getattr(one.first, name), getattr(one.second, name)) for one in twice]
        given = [pair for pair in both if None not in pair]
        rows.append((name, "kappa", _figure(cohen_kappa(given)), str(len(given))))
    return Table("Ratings of whole conversations", ("rating", "measure", "value", "conversations"), tuple(rows))


def _figure(value: float | None, ends: tuple[float, float] | None = None) -> str:
    if value is None:
        return "–"
    return f"{value:.2f} ({ends[0]:.2f}–{ends[1]:.2f})" if ends else f"{value:.2f}"
