"""Labelled conversations, as a person reads them."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from convqa.dataset.folder import Authored
from convqa.labels import CORE_LABELS
from convqa.terminal import printable


def show(item: Authored) -> Iterator[Text]:
    """Yield the lines of a labelled conversation: its head, then each utterance with its labels after it."""
    row = item.conversation
    rated = [
        *([f"quality {row.quality:g}"] if row.quality is not None else []),
        *(["one-way"] if row.one_way else []),
        *(["ignored request"] if row.ignored_request else []),
        *([f"resolved: {row.resolved}"] if row.resolved else []),
    ]
    about = [row.language, row.domain, row.topic, row.channel, row.style, item.split]
    yield Text(printable(row.id), "bold") + Text("  " + printable(", ".join(part for part in about if part)), "dim")
    yield Text("  " + printable("; ".join([*rated, *(p for p in (row.agent, row.customer) if p)])), "dim")
    for turn in row.turns:
        for number, said in enumerate(turn.utterances):
            line = Text(f"{turn.role if not number else '':>9}  ", "cyan" if turn.role == "agent" else "yellow")
            line.append(printable(said.text), "default")
            for label in said.labels:
                line.append(f"  [{label}]", "bold magenta" if label in CORE_LABELS else "magenta")
            yield line
    yield Text("")
