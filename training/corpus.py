"""The project's own labelled data as the recipes use it, loaded with ``datasets``.

Conversations, snippets and phrases all become labelled lines: an utterance, what was said before it, a
value for each label and a mask that says which of the values are known.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import numpy as np
from numpy.typing import NDArray

from convqa.dataset.folder import read_description
from convqa.detect import LOOK_BACK, Line, allowed
from convqa.errors import InputError
from convqa.labels import UTTERANCE_LABELS

datasets.disable_progress_bars()

DATA = Path(__file__).resolve().parents[1] / "data"

_UTTERANCE = {
    "text": datasets.Value("string"),
    "labels": [datasets.Value("string")],
    "start": datasets.Value("float64"),
    "end": datasets.Value("float64"),
}
_TURN = {
    "role": datasets.Value("string"),
    "utterances": [_UTTERANCE],
    "start": datasets.Value("float64"),
    "end": datasets.Value("float64"),
}
CONVERSATION = datasets.Features(
    {
        **{name: datasets.Value("string") for name in ("id", "language", "domain", "topic", "channel", "style")},
        **{name: datasets.Value("string") for name in ("manner", "agent", "customer", "outcome", "resolved")},
        "quality": datasets.Value("float64"),
        "one_way": datasets.Value("bool"),
        "ignored_request": datasets.Value("bool"),
        "turns": [_TURN],
    }
)
SNIPPET = datasets.Features(
    {**{name: datasets.Value("string") for name in ("id", "language", "style")}, "turns": [_TURN]}
)
PHRASE = datasets.Features(
    {name: datasets.Value("string") for name in ("language", "label", "subtype", "polarity", "phrase")}
)

# The phrases' labels are finer than the codebook's (data/README.md).
_COARSER: dict[str, tuple[str, ...]] = {
    "cust_complaint": ("distress",),
    "cust_frustration": ("distress",),
    "cust_repeat_request": ("repeated_request",),
    "cust_not_listening": ("repeated_request",),
    "cust_gratitude": ("gratitude",),
    "cust_satisfaction": ("gratitude",),
    "greeting": ("courtesy",),
    "closing_check": ("courtesy",),
    "wait_transparency": ("courtesy",),
    "solution_offer": ("solution",),
    "humble_referral": ("honest_uncertainty",),
    "dismissive/blame_customer": ("dismissive", "blame"),
    "dismissive/sarcasm_insult": ("dismissive", "hostility"),
    "dismissive/ignoring_request": ("dismissive", "pressure"),
}


@dataclass(frozen=True, slots=True)
class Labelled:
    """A line with its labels. ``values`` and ``known`` follow UTTERANCE_LABELS; ``group`` is the author.

    ``split`` is the author's by dataset.toml; snippets and phrases are for training.
    """

    line: Line
    values: tuple[bool, ...]
    known: tuple[bool, ...]
    group: str
    split: str
    conversation: str
    language: str
    style: str
    kind: str


def load(folder: Path, features: datasets.Features) -> list[dict[str, Any]]:
    """Load every ``*.jsonl`` of a folder, in the order of names; each row also says its ``author`` (the file)."""
    rows = []
    for path in sorted(folder.glob("*.jsonl")):
        table = datasets.load_dataset("json", data_files=str(path), features=features, split="train")
        rows += [{**row, "author": path.stem} for row in table]
    if not rows:
        raise SystemExit(f"{folder}: no *.jsonl files here; give the folder of the data set")
    return rows


def conversations(data: Path = DATA, *splits: str) -> list[dict[str, Any]]:
    """Return the authored conversations of the splits (all without), each with its ``author`` and ``split``."""
    split_of = splits_of(data)
    rows = load(data / "conversations", CONVERSATION)
    unlisted = sorted({row["author"] for row in rows} - set(split_of)) if split_of else []
    if unlisted:
        raise SystemExit(f"{data / 'dataset.toml'}: {', '.join(unlisted)} in no split; list who is new under train")
    rows = [{**row, "split": split_of.get(row["author"], "train")} for row in rows]
    return [row for row in rows if not splits or row["split"] in splits]


def splits_of(data: Path = DATA) -> dict[str, str]:
    """Return which split each author is in, by dataset.toml; empty where it lists none: then everybody trains."""
    try:
        description = read_description(data / "dataset.toml")
    except InputError as error:
        raise SystemExit(str(error)) from None
    listed = description.splits if description else {}
    found: dict[str, str] = {}
    for split, authors in listed.items():
        for author in authors:
            if author in found:
                raise SystemExit(
                    f"{data / 'dataset.toml'}: {author} is in {found[author]} and in {split}; one would do"
                )
            found[author] = split
    return found


def lines_of(conversation: dict[str, Any], *, positions: bool = True) -> list[Line]:
    """Return the lines of a conversation as a detector sees them, gold utterances as they stand."""
    flat = [(turn["role"], said["text"]) for turn in conversation["turns"] for said in turn["utterances"]]
    return [
        Line(text, role, tuple(flat[max(0, at - LOOK_BACK) : at]), at / len(flat) if positions else None)
        for at, (role, text) in enumerate(flat)
    ]


def labelled(data: Path = DATA, *splits: str) -> list[Labelled]:
    """Return every labelled line of the splits' conversations (all without); train has snippets and phrases, too."""
    rows: list[Labelled] = []
    for conversation in conversations(data, *splits):
        rows += _labelled(conversation, "conversation")
    if splits and "train" not in splits:
        return rows
    for snippet in load(data / "snippets", SNIPPET):
        rows += _labelled(snippet, "snippet")
    rows += _phrases(data / "phrases" / "phrases.tsv")
    return rows


def _labelled(conversation: dict[str, Any], kind: str) -> Iterator[Labelled]:
    lines = lines_of(conversation, positions=kind == "conversation")
    given = [set(said["labels"]) for turn in conversation["turns"] for said in turn["utterances"]]
    masks = allowed(UTTERANCE_LABELS, [line.role for line in lines])
    for line, labels, mask in zip(lines, given, masks, strict=True):
        yield Labelled(
            line,
            tuple(label in labels for label in UTTERANCE_LABELS),
            tuple(bool(known) for known in mask),
            conversation["author"],
            conversation.get("split", "train"),
            conversation["id"],
            conversation["language"],
            conversation["style"] or "",
            kind,
        )


def _phrases(path: Path) -> Iterator[Labelled]:
    """A phrase is certain for its own label only: the others are masked, not negative."""
    table = datasets.load_dataset("csv", data_files=str(path), features=PHRASE, split="train", sep="\t", quoting=3)
    for row in table:
        fine = f"{row['label']}/{row['subtype']}"
        labels = _COARSER.get(fine) or _COARSER.get(row["label"]) or (row["label"],)
        if labels[0] not in UTTERANCE_LABELS:
            continue
        # A back-channel alone is not active listening by the codebook.
        positive = row["polarity"] == "pos" and fine != "active_listening/backchannel"
        sure = labels if positive else labels[:1]
        role = "customer" if labels[0] in ("distress", "repeated_request", "gratitude") else "agent"
        yield Labelled(
            Line(row["phrase"], role),
            tuple(positive and label in sure for label in UTTERANCE_LABELS),
            tuple(label in sure for label in UTTERANCE_LABELS),
            "phrases",
            "train",
            "",
            row["language"],
            "",
            "phrase",
        )


def data_hash(data: Path = DATA) -> str:
    """Return one SHA-256 over all data files and the splits; targets and comments in dataset.toml do not count."""
    total = hashlib.sha256(json.dumps(sorted(splits_of(data).items())).encode())
    for path in sorted(
        [
            *data.glob("conversations/*.jsonl"),
            *data.glob("snippets/*.jsonl"),
            data / "phrases/phrases.tsv",
        ]
    ):
        total.update(path.name.encode() + path.read_bytes())
    return total.hexdigest()


def folds(groups: Sequence[str], number: int, seed: int = 0) -> NDArray[np.int64]:
    """Spread groups (authors) over folds so that no group is in two; -1 for what is never tested (phrases, snippets).

    Returns the fold of each row. Groups are dealt by size, the largest first, to the smallest fold.
    """
    rng = np.random.default_rng(seed)
    names = sorted({group for group in groups if _tested(group)})
    rng.shuffle(names)
    sizes = {name: sum(group == name for group in groups) for name in names}
    names.sort(key=lambda name: -sizes[name])
    load_of = [0] * number
    fold: dict[str, int] = {}
    for name in names:
        smallest = load_of.index(min(load_of))
        fold[name] = smallest
        load_of[smallest] += sizes[name]
    return np.array([fold.get(group, -1) for group in groups], np.int64)


def _tested(group: str) -> bool:
    return group != "phrases" and not group.startswith("snippets")
