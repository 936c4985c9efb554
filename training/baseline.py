"""The plain yardstick: TF-IDF of words and characters and a logistic regression, a text at a time.

    python training/baseline.py            # a minute: trained on the train split, measured on validation and test

Nothing of it is shipped. It shows what the data alone is worth (training/learning_curve.py) and what a detector adds.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion

from convqa.labels import CORE_LABELS, UTTERANCE_LABELS
from corpus import DATA, Labelled, labelled
from figures import best_threshold, bootstrap_f1, interval, with_interval

CORE = [UTTERANCE_LABELS.index(label) for label in CORE_LABELS]


class Baseline:
    """One logistic regression a core label on words (1 and 2) and characters (2 to 5) of the text alone."""

    def __init__(self) -> None:
        self.features = FeatureUnion(
            [
                ("words", TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, token_pattern=r"\w+")),  # noqa: S106 - words
                ("chars", TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), min_df=3, sublinear_tf=True)),
            ]
        )
        self.models: list[LogisticRegression] = []
        self.thresholds = np.full(len(CORE), 0.5)

    def fit(self, rows: Sequence[Labelled]) -> Baseline:
        """Train on the lines for which a label is known; thresholds from a sixth of the authors, then all."""
        authors = sorted({row.group for row in rows if row.kind == "conversation"})
        held = set(authors[::6])
        if len(authors) >= 6:
            first = Baseline()._fit([row for row in rows if row.group not in held])
            there = [row for row in rows if row.group in held and row.line.role == "agent"]
            p = first.predict_proba([row.line.text for row in there])
            y = np.array([row.values for row in there])[:, CORE]
            self.thresholds = np.array([best_threshold(y[:, n], p[:, n]) for n in range(len(CORE))])
        return self._fit(rows)

    def _fit(self, rows: Sequence[Labelled]) -> Baseline:
        agent = [row for row in rows if row.line.role == "agent"]
        x = self.features.fit_transform([row.line.text for row in agent]).tocsr()
        values, known = np.array([row.values for row in agent]), np.array([row.known for row in agent])
        self.models = [
            LogisticRegression(C=10.0, solver="liblinear").fit(x[known[:, at]], values[known[:, at], at]) for at in CORE
        ]
        return self

    def predict_proba(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Return the core labels' probabilities, shape (len(texts), 4)."""
        x = self.features.transform(texts)
        return np.array([model.predict_proba(x)[:, 1] for model in self.models]).T


def core_figure(held: Sequence[Labelled], runs: Sequence[NDArray[np.bool_]]) -> dict[str, Any]:
    """Return core macro-F1, the mean of the runs, each run's, and a 95 % interval by bootstrap over conversations."""
    values = np.array([row.values for row in held])[:, CORE]
    group = np.array([row.conversation for row in held])
    f1 = []
    for predicted in runs:
        both, either = (values & predicted).sum(axis=0), values.sum(axis=0) + predicted.sum(axis=0)
        f1.append(round(float(np.mean(2 * both / np.maximum(either, 1))), 3))
    samples = np.mean([bootstrap_f1(values, predicted, group) for predicted in runs], axis=0)
    return {"macro_f1": round(float(np.mean(f1)), 3), "interval": interval(samples), "orders": f1}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    options = parser.parse_args()
    model = Baseline().fit(labelled(options.data, "train"))
    for split in ("validation", "test"):
        held = [row for row in labelled(options.data, split) if row.line.role == "agent"]
        figure = core_figure(held, [model.predict_proba([row.line.text for row in held]) >= model.thresholds])
        print(f"TF-IDF baseline, {split} split: core macro-F1 {with_interval(figure['macro_f1'], figure['interval'])}")


if __name__ == "__main__":
    main()
