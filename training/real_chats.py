"""Score real support chats that trained nothing, and write what comes out to docs/real-chats.md.

    python training/real_chats.py PATH [--chats 600]

PATH is a folder with the WMT24 chat task's CSV files (real company chats, English side; CC BY-NC 4.0, not part of this
project). Some agent messages of it carry labels of two annotators (real_messages.py); the whole chats carry none.
"""

from __future__ import annotations

import argparse
import csv
import random
import re
from collections import Counter
from pathlib import Path

import numpy as np

import convqa
from convqa import Conversation, Turn
from convqa.labels import AGENT_LABELS, CUSTOMER_LABELS
from figures import fill, table
from real_messages import english, report

OUT = Path(__file__).resolve().parents[1] / "docs" / "real-chats.md"
REGRET = re.compile(r"\b(apolog|sorry (for|about|that we))", re.I)

CARD = Path(__file__).with_suffix(".md")


def chats(folder: Path) -> list[Conversation]:
    """Read the chats, English side, one conversation a document."""
    said: dict[str, list[Turn]] = {}
    for path in sorted(folder.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                text, role = english(row), row["sender"]
                if text.strip() and (role == "agent" or role == "customer"):
                    turn = Turn(text, "agent" if role == "agent" else "customer")
                    said.setdefault(path.name + row["doc_id"], []).append(turn)
    return [Conversation(name, tuple(turns), language="en", channel="chat") for name, turns in said.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--chats", type=int, default=600)
    options = parser.parse_args()
    found = chats(options.folder)
    random.Random(0).shuffle(found)  # noqa: S311 - a sample, no secret
    scorer = convqa.load()
    records = [r for r in scorer.pipe(found[: options.chats]) if r.score is not None]
    scores = np.array([record.score for record in records])
    points: dict[str, list[float]] = {}
    labels: Counter[str] = Counter()
    spoken: Counter[str] = Counter()
    regrets = hits = 0
    for record in records:
        for criterion in record.criteria:
            if criterion.points is not None:
                points.setdefault(criterion.name, []).append(criterion.points)
        for turn in record.turns:
            for utterance in turn.utterances:
                spoken[turn.role or ""] += 1
                labels.update(utterance.labels)
                if turn.role == "agent" and REGRET.search(turn.text[utterance.start : utterance.end]):
                    regrets += 1
                    hits += "apology" in utterance.labels
    bands = Counter(record.band for record in records)
    rates = [[label, f"{100 * labels[label] / spoken['agent']:.1f}"] for label in AGENT_LABELS]
    rates += [[label, f"{100 * labels[label] / spoken['customer']:.1f}"] for label in CUSTOMER_LABELS]
    text = fill(
        CARD,
        messages=report(options.folder, scorer),
        n=len(records),
        mean=scores.mean(),
        quartiles=", ".join(f"{value:.1f}" for value in np.quantile(scores, [0.25, 0.5, 0.75])),
        bands=", ".join(f"{str(b).replace('_', ' ')} {number / len(records):.0%}" for b, number in bands.most_common()),
        criteria=table(
            ["criterion", "mean points", "applies to"],
            [[name, f"{np.mean(some):.2f}", f"{len(some) / len(records):.0%}"] for name, some in points.items()],
        ),
        labels=table(["label", "per hundred"], rates),
        regrets=regrets,
        found=hits,
    )
    OUT.write_text(text, "utf-8")
    print(text)


if __name__ == "__main__":
    main()
