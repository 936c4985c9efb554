"""Hold detectors against real agent messages that two annotators labelled (data/annotations/wmt24-chat.jsonl).

The project keeps places and labels only; the text is joined from where a user has the WMT24 chat task. The messages are
for validation: nothing here trains a model that is shipped.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from baseline import Baseline
from convqa import Scorer
from convqa.labels import CORE_LABELS, UTTERANCE_LABELS
from corpus import DATA, labelled
from figures import bootstrap_f1, interval, table

LABELS = ("empathy", "apology", "active_listening")
"""What the headline is the mean of; dismissive has too few real cases for a figure of its own worth."""
MEAN = f"mean of {', '.join(LABELS)}"
PATTERN = "one pattern of regret"
BASELINE = "TF-IDF baseline"
JUDGES = {BASELINE: (*CORE_LABELS, MEAN), PATTERN: ("apology",)}
"""Which rows a column has, where it has not all."""
SHOWN = 4
"""Messages before it that annotators saw, and that detectors see."""
FEWEST = 20
"""Labels with fewer real cases get no row."""
REGRET = re.compile(r"\b(apolog\w*|sorry|regret)\b", re.I)
Found = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Message:
    """An agent's message, what was said before it (oldest first, ``"customer: …"``), and who labelled it how."""

    text: str
    context: tuple[str, ...]
    document: str
    stratum: str
    gold: frozenset[str]
    first: frozenset[str]
    second: frozenset[str]


def english(row: dict[str, str]) -> str:
    """Return the English side of a segment; empty where there is none."""
    return row["source"] if row["source_language"].startswith("en") else row.get("reference") or ""


def messages(folder: Path, annotations: Path = DATA / "annotations" / "wmt24-chat.jsonl") -> list[Message]:
    """Join labels with the text in ``folder``; raises SystemExit where a file is missing or another version."""
    files: dict[str, list[dict[str, str]]] = {}
    found = []
    for number, line in enumerate(annotations.read_text("utf-8").splitlines(), 1):
        item = json.loads(line)
        if item["file"] not in files:
            path = folder / item["file"]
            if not path.is_file():
                raise SystemExit(f"{path}: not there; {annotations}, line {number}, needs it")
            with path.open(encoding="utf-8", newline="") as file:
                files[item["file"]] = list(csv.DictReader(file))
        rows, at = files[item["file"]], item["row"]
        if at >= len(rows) or hashlib.sha256(rows[at]["source"].encode()).hexdigest()[:16] != item["sha256"]:
            raise SystemExit(
                f"{folder / item['file']}, row {at}: is not the message that was labelled; another version of the set?"
            )
        before = [row for row in rows[max(0, at - SHOWN) : at] if row["doc_id"] == item["document"] and english(row)]
        found.append(
            Message(
                english(rows[at]),
                tuple(f"{row['sender']}: {english(row)}" for row in before),
                item["document"],
                item["stratum"],
                *(frozenset(item[name]) for name in ("labels", "first", "second")),
            )
        )
    return found


def measure(some: Sequence[Message], found: Found) -> dict[str, tuple[float, list[float]]]:
    """Return F1 with its interval (bootstrap over chats) by label, and for the headline's mean (MEAN)."""
    gold = np.array([[label in message.gold for label in UTTERANCE_LABELS] for message in some])
    group = np.array([message.document for message in some])
    figures = {}
    for name, columns in [(label, [label]) for label in UTTERANCE_LABELS] + [(MEAN, list(LABELS))]:
        at = [UTTERANCE_LABELS.index(label) for label in columns]
        both, either = (gold & found)[:, at].sum(axis=0), gold[:, at].sum(axis=0) + found[:, at].sum(axis=0)
        f1 = float(np.mean(2 * both / np.maximum(either, 1)))
        figures[name] = (f1, interval(bootstrap_f1(gold[:, at], found[:, at], group)))
    return figures


def report(folder: Path, scorer: Scorer) -> str:
    """Return tables of real messages: detector, TF-IDF baseline, a pattern, and annotators against what was decided."""
    every = messages(folder)
    core = [UTTERANCE_LABELS.index(label) for label in CORE_LABELS]
    baseline = Baseline().fit(labelled(DATA, "train"))

    def detector(some: Sequence[Message]) -> Found:
        asked = [{"text": m.text, "role": "agent", "context": list(m.context), "language": "en"} for m in some]
        answers = [scorer.predicted(row) for row in scorer.probabilities(asked)]
        return np.array([[label in answer for label in UTTERANCE_LABELS] for answer in answers])

    def tfidf(some: Sequence[Message]) -> Found:
        spans = scorer.segmenter.segment_many([([m.text], "en") for m in some])
        pieces = [[m.text[start:end] for start, end in of_one[0]] for m, of_one in zip(some, spans, strict=True)]
        p = baseline.predict_proba([piece for of_one in pieces for piece in of_one])
        owner = np.repeat(np.arange(len(some)), [len(of_one) for of_one in pieces])
        highest = np.zeros((len(some), len(core)))
        np.maximum.at(highest, owner, p)
        found = np.zeros((len(some), len(UTTERANCE_LABELS)), bool)
        found[:, core] = highest >= baseline.thresholds
        return found

    def pattern(some: Sequence[Message]) -> Found:
        found = np.zeros((len(some), len(UTTERANCE_LABELS)), bool)
        found[:, UTTERANCE_LABELS.index("apology")] = [bool(REGRET.search(m.text)) for m in some]
        return found

    def annotator(side: str) -> Callable[[Sequence[Message]], Found]:
        return lambda some: np.array([[label in getattr(m, side) for label in UTTERANCE_LABELS] for m in some])

    annotators = {"first annotator": annotator("first"), "second annotator": annotator("second")}
    systems = {"n-gram detector": detector, BASELINE: tfidf, PATTERN: pattern}
    columns = systems | annotators
    text = []
    for title, some in {f"All {len(every)} messages": every, **_strata(every)}.items():
        figures = {name: measure(some, find(some)) for name, find in columns.items()}
        number = {label: sum(label in message.gold for message in some) for label in UTTERANCE_LABELS}
        rows = {label: str(number[label]) for label in UTTERANCE_LABELS if number[label] >= FEWEST or label in LABELS}
        body = [
            [
                row,
                count,
                *(_shown(figures[name][row]) if row in JUDGES.get(name, (*rows, MEAN)) else "–" for name in columns),
            ]
            for row, count in (rows | {MEAN: ""}).items()
        ]
        text.append(f"**{title}**\n\n" + table(["label", "messages", *columns], body))
    return "\n\n".join(text)


def _strata(every: Sequence[Message]) -> dict[str, list[Message]]:
    return {
        "Of these, drawn at random": [message for message in every if message.stratum == "random"],
        "Of these, drawn among those with a cue": [message for message in every if message.stratum == "cues"],
    }


def _shown(figure: tuple[float, list[float]]) -> str:
    return f"{figure[0]:.2f} ({figure[1][0]:.2f}–{figure[1][1]:.2f})"
