"""How much each doubling of authors still adds: train on some authors of the train split, measure on validation.

    python training/learning_curve.py              # half an hour on two cores

Writes data/learning-curve.json and data/learning-curve.svg, which the card shows, for two models: the n-gram detector
as shipped, and the plain TF-IDF baseline. Snippets and phrases always take part. Nothing touches the test split.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt
import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE / "utterances")]

import train as ngram

from baseline import CORE, Baseline, core_figure
from convqa.labels import CORE_LABELS
from corpus import DATA, Labelled, data_hash, labelled
from figures import table

HALVINGS = 3
"""The curve's points are all authors, half of them, a quarter, an eighth, so that each step is a doubling."""
ORDERS = 3
"""Which authors come first is chance: the baseline, which is cheap, is trained on so many orders; figures are means."""


def by_baseline(rows: list[Labelled], held: list[Labelled]) -> np.ndarray:
    """Return which core labels the TF-IDF baseline, trained on ``rows``, gives to held-out lines."""
    model = Baseline().fit(rows)
    return np.asarray(model.predict_proba([row.line.text for row in held]) >= model.thresholds)


def by_ngrams(rows: list[Labelled], held: list[Labelled], jobs: int) -> np.ndarray:
    """Return which core labels the n-gram detector, trained on ``rows``, gives to held-out lines."""
    detector = ngram.train(rows, jobs).detector()
    probabilities = detector.predict_proba([row.line for row in held])[:, CORE]
    return np.asarray(probabilities >= np.array([detector.thresholds[label] for label in CORE_LABELS]))


def draw(points: list[dict[str, Any]], path: Path) -> None:
    """Plot the curve: authors on a doubling axis, core macro-F1 with 95 % intervals."""
    mpl.rcParams["svg.hashsalt"] = "convqa"  # the same figures give the same file
    figure, axes = plt.subplots(figsize=(7, 4))
    for name, colour in (("n-gram detector", "#1f6f5c"), ("TF-IDF baseline", "#8a6d3b")):
        mine = [point for point in points if point["model"] == name]
        x = [point["authors"] for point in mine]
        y = np.array([point["macro_f1"] for point in mine])
        ends = np.array([point["interval"] for point in mine])
        axes.errorbar(
            x, y, yerr=[y - ends[:, 0], ends[:, 1] - y], label=name, color=colour, marker="o", capsize=3, linewidth=1.8
        )
    axes.set_xscale("log", base=2)
    numbers = sorted({point["authors"] for point in points})
    axes.set_xticks(numbers, [str(number) for number in numbers])
    axes.minorticks_off()
    most = max(points, key=lambda point: point["authors"])
    each = most["conversations"] / most["authors"]
    axes.set_xlabel(f"authors in training (about {each:.0f} conversations each)")
    axes.set_ylabel("core macro-F1 on validation authors")
    axes.grid(axis="y", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right")
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, default=DATA, help="folder for learning-curve.json and .svg")
    parser.add_argument("--halvings", type=int, default=HALVINGS)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    rows = labelled(options.data, "train")
    held = [row for row in labelled(options.data, "validation") if row.line.role == "agent"]
    if not held:
        raise SystemExit(f"{options.data / 'dataset.toml'}: lists no validation authors that are here")
    authors = sorted({row.group for row in rows if row.kind == "conversation"})
    orders = []
    for seed in range(ORDERS):
        orders.append(authors[:])
        random.Random(seed).shuffle(orders[-1])  # noqa: S311 - an order, no secret
    points = []
    for halving in range(options.halvings, -1, -1):
        size = max(1, round(len(authors) / 2**halving))
        some = [[row for row in rows if row.kind != "conversation" or row.group in order[:size]] for order in orders]
        # All authors are the same in any order.
        drawn = some if halving else some[:1]
        for model, found in (
            ("TF-IDF baseline", [by_baseline(part, held) for part in drawn]),
            ("n-gram detector", [by_ngrams(some[0], held, options.jobs)]),
        ):
            conversations = len({row.conversation for row in some[0] if row.kind == "conversation"})
            point = {"model": model, "authors": size, "conversations": conversations, **core_figure(held, found)}
            points.append(point)
            print(point, flush=True)
    text = {"data_sha256": data_hash(options.data), "measure": "core macro-F1, validation split", "points": points}
    (options.out / "learning-curve.json").write_text(json.dumps(text, indent=1) + "\n", "utf-8")
    draw(points, options.out / "learning-curve.svg")
    print(
        table(
            ["model", "authors", "conversations", "core macro-F1"],
            [[p["model"], str(p["authors"]), str(p["conversations"]), str(p["macro_f1"])] for p in points],
        )
    )


if __name__ == "__main__":
    main()
