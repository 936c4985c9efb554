"""Train the n-gram detector on the train split: all 16 utterance labels, calibrated, one artifact, measured on test.

    python training/utterances/train.py            # seven to fifteen minutes on two cores

Calibration and thresholds come from folds by author inside the train split. Prints the test split's figures and writes
models/utterances (arrays, word lists, meta.json, model card) and the probabilities that training/dialogue needs
(build/utterances-oof.npz): out-of-fold for train, the finished model's for test.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import scipy
import scipy.sparse as sp
import sklearn
from joblib import Parallel, delayed
from numpy.typing import NDArray
from scipy.special import expit, logit
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, f1_score
from sklearn.neural_network import MLPClassifier

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from convqa.artifact import write_artifact
from convqa.detect import Line
from convqa.detect.ngram import KIND, Features, NgramDetector, Perceptron, in_context
from convqa.labels import CORE_LABELS, LANGUAGES, UTTERANCE_LABELS
from corpus import DATA, Labelled, data_hash, folds, labelled
from figures import best_threshold, bootstrap_f1, fill, interval, table, with_interval

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
VERSION = "1.0.0"
STRENGTH = 4.0
"""Inverse of the regularisation (scikit-learn's C); with the scaling below, 2 and 4 did about the same in trials."""
LOG_COUNT_WEIGHT = 0.5
"""How much a feature's naive-Bayes log-count ratio scales it (Wang & Manning 2012).

In trials on folds by author 0.5 and 1 did about the same, both better than none."""
HIDDEN = 64
DECAY = 0.1
"""Weight decay of the perceptrons (scikit-learn's alpha); in trials on folds by author better than 0.001 and 1."""
EPOCHS = 25
PERCEPTRONS = 4
UNKNOWN_POSITION = 0.2
"""Share of conversation lines trained without a position, as `convqa detect` has none."""
FOLDS = 5
SEED = 0

Array = NDArray[np.float64]


def scaled_regression(x: sp.csr_matrix, y: NDArray[np.bool_]) -> tuple[Array, float]:
    """Fit one label: naive-Bayes scaled logistic regression; returns coefficients for the unscaled features."""
    present = (x > 0).astype(np.float64)
    yes = np.asarray(present[y].sum(axis=0)).ravel() + 1.0
    no = np.asarray(present[~y].sum(axis=0)).ravel() + 1.0
    scale = 1.0 + LOG_COUNT_WEIGHT * np.abs(np.log((yes / yes.sum()) / (no / no.sum())))
    model = LogisticRegression(C=STRENGTH, solver="liblinear", random_state=SEED)
    model.fit(x @ sp.diags(scale), y)
    return model.coef_[0] * scale, float(model.intercept_[0])


def fit_texts(rows: Sequence[Labelled], jobs: int) -> tuple[Features, Array, Array]:
    """Fit the first step: n-grams and one regression a label, each on the lines for which the label is known."""
    texts = [row.line.text for row in rows]
    features = Features.fit(texts)
    x = features.matrix(texts)
    x.sum_duplicates()
    values = np.array([row.values for row in rows])
    known = np.array([row.known for row in rows])
    fitted = Parallel(jobs, max_nbytes=None)(  # no memory mapping: SciPy sorts in place
        delayed(scaled_regression)(x[known[:, n]], values[known[:, n], n]) for n in range(len(UTTERANCE_LABELS))
    )
    return features, np.array([c for c, _ in fitted]).T, np.array([i for _, i in fitted])


def in_contexts(rows: Sequence[Labelled], fold: NDArray[np.int64], jobs: int) -> Array:
    """Return the input of the second step for every row, its scores from models that saw nothing of its fold."""
    lines = without_some_positions(rows)
    x: Array | None = None
    for number in range(FOLDS):
        features, coefficients, intercepts = fit_texts(
            [r for r, f in zip(rows, fold, strict=True) if f != number], jobs
        )
        here = np.flatnonzero(fold == number)
        mine = [lines[at] for at in here]
        texts = {text: None for line in mine for text in (line.text, *(before for _, before in line.context))}
        index = {text: n for n, text in enumerate(texts)}
        part = in_context(mine, UTTERANCE_LABELS, index, features.matrix(list(texts)) @ coefficients + intercepts)
        x = np.zeros((len(rows), part.shape[1])) if x is None else x
        x[here] = part
        print(f"first step, fold {number + 1} of {FOLDS}: {len(here)} lines", flush=True)
    return np.zeros((0, 0)) if x is None else x


def without_some_positions(rows: Sequence[Labelled]) -> list[Line]:
    hidden = np.random.default_rng(SEED).random(len(rows)) < UNKNOWN_POSITION
    return [replace(row.line, position=None) if hide else row.line for row, hide in zip(rows, hidden, strict=True)]


def perceptron(x: Array, y: NDArray[np.bool_], seed: int) -> Perceptron:
    """Fit one perceptron; labels that a role cannot carry are negative, as the role is part of the input."""
    mean, scale = x.mean(axis=0), x.std(axis=0)
    scale[scale == 0] = 1.0
    model = MLPClassifier(
        (HIDDEN,), alpha=DECAY, batch_size=128, learning_rate_init=0.002, max_iter=EPOCHS, random_state=seed
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the epochs are the stopping rule
        model.fit((x - mean) / scale, y.astype(np.int64))
    return Perceptron(mean, scale, model.coefs_[0], model.intercepts_[0], model.coefs_[1], model.intercepts_[1])


def fit_lines(x: Array, y: NDArray[np.bool_], jobs: int) -> list[Perceptron]:
    return list(Parallel(jobs)(delayed(perceptron)(x, y, seed) for seed in range(PERCEPTRONS)))


def averaged(perceptrons: Sequence[Perceptron], x: Array) -> Array:
    """Return the logit of the perceptrons' mean probability."""
    mean = np.mean([one.predict_proba(x) for one in perceptrons], axis=0)
    return np.asarray(logit(np.clip(mean, 1e-9, 1 - 1e-9)))


def out_of_fold(
    x: Array, rows: Sequence[Labelled], fold: NDArray[np.int64], tested: NDArray[np.bool_], jobs: int
) -> Array:
    """Return the second step's scores of tested rows, from perceptrons that saw nothing of their fold; else NaN."""
    values = np.array([row.values for row in rows])
    whole = np.array([row.kind != "phrase" for row in rows])  # a phrase is known for one label only
    scores = np.full(values.shape, np.nan)
    for number in range(FOLDS):
        train = whole & (fold != number)
        here = tested & (fold == number)
        scores[here] = averaged(fit_lines(x[train], values[train], jobs), x[here])
        print(f"second step, fold {number + 1} of {FOLDS}", flush=True)
    return scores


def calibrate(scores: NDArray[np.float64], values: NDArray[np.bool_]) -> tuple[float, float]:
    """Fit Platt's sigmoid to out-of-fold scores: slope and shift."""
    model = LogisticRegression(C=1e6).fit(scores.reshape(-1, 1), values)
    return float(model.coef_[0, 0]), float(model.intercept_[0])


def cross_validated(
    rows: Sequence[Labelled], fold: NDArray[np.int64], scores: NDArray[np.float64]
) -> tuple[dict[str, Any], NDArray[np.float64], dict[str, float], NDArray[np.float64]]:
    """Calibrate, choose thresholds and measure, each on folds that the measured fold is not part of."""
    values = np.array([row.values for row in rows])
    known = np.array([row.known for row in rows]) & (fold >= 0)[:, None]
    calibration = np.zeros((2, len(UTTERANCE_LABELS)))
    thresholds: dict[str, float] = {}
    probabilities = np.full(scores.shape, np.nan)
    predicted = np.zeros(scores.shape, bool)
    for n, label in enumerate(UTTERANCE_LABELS):
        usable = known[:, n]
        calibration[:, n] = calibrate(scores[usable, n], values[usable, n])
        for number in range(FOLDS):
            here, others = usable & (fold == number), usable & (fold != number)
            slope, shift = calibrate(scores[others, n], values[others, n])
            cut = best_threshold(values[others, n], expit(slope * scores[others, n] + shift))
            probabilities[here, n] = expit(slope * scores[here, n] + shift)
            predicted[here, n] = probabilities[here, n] >= cut
        whole = expit(calibration[0, n] * scores[usable, n] + calibration[1, n])
        thresholds[label] = round(best_threshold(values[usable, n], whole), 4)
    figures = measure(rows, known, probabilities, predicted)
    return figures, calibration, thresholds, np.where(np.isnan(probabilities), 0.0, probabilities)


def measure(
    rows: Sequence[Labelled], known: NDArray[np.bool_], probabilities: NDArray[np.float64], predicted: NDArray[np.bool_]
) -> dict[str, Any]:
    """Return F1 and average precision by label and language, and the core macro-F1, with intervals."""
    values = np.array([row.values for row in rows])
    language = np.array([row.language for row in rows])
    conversation = np.array([row.conversation for row in rows])
    figures: dict[str, Any] = {"labels": {}, "core": {}}
    for n, label in enumerate(UTTERANCE_LABELS):
        by_language = {}
        for code in ("all", *LANGUAGES):
            rows_here = known[:, n] & ((language == code) | (code == "all"))
            y, hat, p = values[rows_here, n], predicted[rows_here, n], probabilities[rows_here, n]
            samples = bootstrap_f1(y[:, None], hat[:, None], conversation[rows_here])
            by_language[code] = {
                "f1": round(float(f1_score(y, hat, zero_division=0)), 3),
                "interval": interval(samples),
                "average_precision": round(float(average_precision_score(y, p)), 3) if y.any() else None,
                "positives": int(y.sum()),
            }
        figures["labels"][label] = by_language
    core = [UTTERANCE_LABELS.index(label) for label in CORE_LABELS]
    agent = known[:, core[0]]
    for code in ("all", *LANGUAGES):
        here = agent & ((language == code) | (code == "all"))
        samples = bootstrap_f1(values[here][:, core], predicted[here][:, core], conversation[here])
        figures["core"][code] = {
            "macro_f1": round(float(np.mean([figures["labels"][label][code]["f1"] for label in CORE_LABELS])), 3),
            "interval": interval(samples),
        }
    return figures


def card(figures: dict[str, Any], meta: dict[str, Any]) -> str:
    header = ["label", "all", *LANGUAGES, "positives", "average precision"]
    body = []
    for label, by in figures["labels"].items():
        whole = by["all"]
        body.append(
            [label, f"{whole['f1']:.2f} ({whole['interval'][0]:.2f}–{whole['interval'][1]:.2f})"]
            + [
                f"{by[code]['f1']:.2f} ({by[code]['interval'][0]:.2f}–{by[code]['interval'][1]:.2f})"
                for code in LANGUAGES
            ]
            + [str(whole["positives"]), f"{whole['average_precision']:.2f}"]
        )
    core, folded = figures["core"], meta["cross_validated"]["core"]

    def by_language(of: dict[str, Any]) -> str:
        return ", ".join(
            f"{code} {of[code]['macro_f1']:.2f} ({of[code]['interval'][0]:.2f}–{of[code]['interval'][1]:.2f})"
            for code in LANGUAGES
        )

    return fill(
        HERE / "card.md",
        version=meta["version"],
        conversations=meta["data"]["conversations"],
        authors=meta["data"]["authors"],
        lines=meta["data"]["lines"],
        digest=meta["data"]["sha256"],
        test=meta["data"]["test_conversations"],
        test_authors=meta["data"]["test_authors"],
        core=with_interval(core["all"]["macro_f1"], core["all"]["interval"]),
        core_line=by_language(core),
        folded=with_interval(folded["all"]["macro_f1"], folded["all"]["interval"]),
        folded_line=by_language(folded),
        table=table(header, body),
        folds=FOLDS,
    )


@dataclass(frozen=True, slots=True)
class Trained:
    """A detector's parts. ``probabilities`` are out-of-fold, for the rows where ``tested``."""

    thresholds: dict[str, float]
    arrays: dict[str, NDArray[Any]]
    lists: dict[str, list[str]]
    folded: dict[str, Any]
    tested: NDArray[np.bool_]
    probabilities: Array

    def meta(self) -> dict[str, Any]:
        """Return what the detector needs to load."""
        return {
            "name": "fast",
            "version": VERSION,
            "labels": list(UTTERANCE_LABELS),
            "thresholds": self.thresholds,
            "perceptrons": PERCEPTRONS,
            "libraries": {"scikit-learn": sklearn.__version__, "numpy": np.__version__, "scipy": scipy.__version__},
            "licence": "Apache-2.0",
        }

    def detector(self) -> NgramDetector:
        """Return the detector as it loads from disk: its numbers rounded as they are stored."""
        with TemporaryDirectory() as folder:
            write_artifact(
                Path(folder), kind=KIND, meta=self.meta(), arrays=self.arrays, lists=self.lists, card="not yet measured"
            )
            return NgramDetector.load(Path(folder))


def train(rows: Sequence[Labelled], jobs: int) -> Trained:
    """Train on all rows; calibration and thresholds come from folds by author inside them."""
    by_author = folds([row.group for row in rows], FOLDS)
    tested = by_author >= 0
    # Snippets and phrases are never tested, but need scores of models that did not see them: any fold will do.
    fold = np.where(tested, by_author, np.random.default_rng(SEED).integers(0, FOLDS, len(rows)))
    x = in_contexts(rows, fold, jobs)
    folded, calibration, thresholds, probabilities = cross_validated(
        rows, by_author, out_of_fold(x, rows, fold, tested, jobs)
    )
    features, coefficients, intercepts = fit_texts(rows, jobs)
    whole = np.array([row.kind != "phrase" for row in rows])
    perceptrons = fit_lines(x[whole], np.array([row.values for row in rows])[whole], jobs)
    arrays = {
        "coefficients": coefficients.astype(np.float32),
        "intercepts": intercepts,
        "calibration": calibration,
        **{f"idf_{name}": idf.astype(np.float32) for name, idf in features.idf.items()},
        **{
            f"{name}_{n}": np.asarray(getattr(one, name), np.float32)
            for n, one in enumerate(perceptrons)
            for name in Perceptron.__dataclass_fields__
        },
    }
    lists = {"words": features.word_list, "chars": features.char_list}
    return Trained(thresholds, arrays, lists, folded, tested, probabilities)


def measured(detector: NgramDetector, rows: Sequence[Labelled]) -> tuple[dict[str, Any], Array]:
    """Return a finished detector's figures on rows that did not train it, and its probabilities."""
    probabilities = detector.predict_proba([row.line for row in rows])
    above = probabilities >= np.array([detector.thresholds[label] for label in UTTERANCE_LABELS])
    return measure(rows, np.array([row.known for row in rows]), probabilities, above), probabilities


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, default=ROOT / "models" / "utterances")
    parser.add_argument("--oof", type=Path, default=ROOT / "build" / "utterances-oof.npz")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()

    rows, test = labelled(options.data, "train"), labelled(options.data, "test")
    if not test:
        raise SystemExit(
            f"{options.data / 'dataset.toml'}: lists no test authors that are here, and the figures are theirs"
        )
    trained = train(rows, options.jobs)
    figures, of_test = measured(trained.detector(), test)
    authored = [row for row in rows if row.kind == "conversation"]
    meta = trained.meta() | {
        "data": {
            "sha256": data_hash(options.data),
            "lines": len(rows),
            "conversations": len({row.conversation for row in authored}),
            "authors": len({row.group for row in authored}),
            "test_conversations": len({row.conversation for row in test}),
            "test_authors": len({row.group for row in test}),
        },
        "scores": figures,
        "cross_validated": trained.folded,
        "headline": f"core macro-F1 {figures['core']['all']['macro_f1']:.2f}",
    }
    write_artifact(
        options.out, kind=KIND, meta=meta, arrays=trained.arrays, lists=trained.lists, card=card(figures, meta)
    )
    options.oof.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        options.oof,
        data_sha256=data_hash(options.data),
        probabilities=np.concatenate([trained.probabilities[trained.tested], of_test]),
        conversation=[row.conversation for row, tested in zip(rows, trained.tested, strict=True) if tested]
        + [row.conversation for row in test],
    )
    print(json.dumps({"folds": trained.folded["core"], "test": figures["core"]}))
    print((options.out / "README.md").read_text("utf-8").split("## Figures")[1].split("## Limits")[0])


if __name__ == "__main__":
    main()
