"""Train the classifiers of whole conversations: one_way_dialogue and ignored_request. Writes models/dialogue.

    python training/utterances/train.py && python training/dialogue/train.py        # the second takes seconds

They read signals measured on out-of-fold utterance probabilities of the train split (build/utterances-oof.npz), as
new conversations will have them.
Prints AUC with intervals, on folds by author of the train split and on the test split, and, for the rubric, how the
score relates to the authors' quality ratings.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import precision_score, recall_score, roc_auc_score

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from convqa.artifact import open_artifact, write_artifact
from convqa.conversation import Turn
from convqa.detect import surest_first
from convqa.detect.dialogue import KIND, MODEL_SIGNALS, Detected, model_row, signals
from convqa.detect.ngram import KIND as UTTERANCES
from convqa.finding import Findings, Spoken
from convqa.labels import CONVERSATION_LABELS, LANGUAGES, UTTERANCE_LABELS
from convqa.rubric import load_rubric
from convqa.score import score
from corpus import DATA, conversations, data_hash, folds
from figures import best_threshold, bootstrap, fill, interval, table, with_interval

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
VERSION = "1.0.0"
FOLDS = 5
STRENGTH = 0.1
"""Inverse of the regularisation. On the folds 0.1, 0.3 and 1 give the same AUC to 0.001; 0.01 and 0.03 give less."""
CAUTION = 0.5
"""Thresholds maximise F-beta with this beta: they cap scores and raise critical flags, so being right counts double."""
GOLD = {"one_way_dialogue": "one_way", "ignored_request": "ignored_request"}

Model = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], float]


def turns_of(row: dict[str, Any]) -> list[Turn]:
    return [
        Turn(" ".join(part["text"] for part in turn["utterances"]), turn["role"], None, turn["start"], turn["end"])
        for turn in row["turns"]
    ]


def measure(row: dict[str, Any], probabilities: NDArray[np.float64]) -> dict[str, float | None]:
    turn_of = [number for number, turn in enumerate(row["turns"]) for _ in turn["utterances"]]
    return signals(turns_of(row), Detected(turn_of, probabilities, UTTERANCE_LABELS), row["language"])


def fit(x: NDArray[np.float64], y: NDArray[np.bool_]) -> Model:
    mean, scale = np.nanmean(x, axis=0), np.nanstd(x, axis=0)
    scale[scale == 0] = 1.0
    model = LogisticRegression(C=STRENGTH, max_iter=1000).fit(np.nan_to_num((x - mean) / scale), y)
    return mean, scale, model.coef_[0], float(model.intercept_[0])


def predict(model: Model, x: NDArray[np.float64]) -> NDArray[np.float64]:
    mean, scale, coefficients, intercept = model
    probability: NDArray[np.float64] = expit(np.nan_to_num((x - mean) / scale) @ coefficients + intercept)
    return probability


def spoken_of(row: dict[str, Any], probabilities: NDArray[np.float64], thresholds: dict[str, float]) -> list[Spoken]:
    found = []
    at = 0
    for number, turn in enumerate(row["turns"]):
        offset = 0
        for part in turn["utterances"]:
            all_labels = surest_first(UTTERANCE_LABELS, probabilities[at])
            labels = {label: p for label, p in all_labels.items() if p >= thresholds[label]}
            found.append(Spoken(number, offset, offset + len(part["text"]), part["text"], turn["role"], labels))
            offset += len(part["text"]) + 1
            at += 1
    return found


def _auc(y: NDArray[np.bool_], p: NDArray[np.float64]) -> float:
    """Like roc_auc_score; half where a small draw holds one kind only."""
    return float(roc_auc_score(y, p)) if 0 < y.sum() < len(y) else 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--oof", type=Path, default=ROOT / "build" / "utterances-oof.npz")
    parser.add_argument("--utterances", type=Path, default=ROOT / "models" / "utterances")
    parser.add_argument("--rubric", type=Path)
    parser.add_argument("--out", type=Path, default=ROOT / "models" / "dialogue")
    options = parser.parse_args()

    rows = conversations(options.data, "train", "test")
    stored = np.load(options.oof)
    if str(stored["data_sha256"]) != data_hash(options.data):
        raise SystemExit(f"{options.oof}: made from other data; run training/utterances again")
    by_id: dict[str, NDArray[np.float64]] = {}
    for name in dict.fromkeys(stored["conversation"].tolist()):
        by_id[name] = stored["probabilities"][stored["conversation"] == name]
    # Fold -1 is the test split: never trained on, and measured with the finished classifiers.
    is_test = np.array([row["split"] == "test" for row in rows])
    fold = np.full(len(rows), -1)
    fold[~is_test] = folds([row["author"] for row in rows if row["split"] != "test"], FOLDS)
    found = [measure(row, by_id[row["id"]]) for row in rows]
    x = np.array([model_row(signal) for signal in found])
    language = np.array([row["language"] for row in rows])

    arrays: dict[str, list[Any]] = {"coefficients": [], "intercepts": []}
    thresholds: dict[str, float] = {}
    figures: dict[str, Any] = {}
    held_out: dict[str, NDArray[np.float64]] = {}
    body = []
    for label in CONVERSATION_LABELS:
        y = np.array([bool(row[GOLD[label]]) for row in rows])
        p = np.zeros(len(rows))
        mean, scale, coefficients, intercept = model = fit(x[~is_test], y[~is_test])
        for number in range(FOLDS):
            others = (fold != number) & ~is_test
            p[fold == number] = predict(fit(x[others], y[others]), x[fold == number])
        p[is_test] = predict(model, x[is_test])
        thresholds[label] = round(best_threshold(y[~is_test], p[~is_test], CAUTION), 4)
        chosen = p >= thresholds[label]
        for number in range(FOLDS):
            others = (fold != number) & ~is_test
            chosen[fold == number] = p[fold == number] >= best_threshold(y[others], p[others], CAUTION)
        held_out[label] = p
        arrays["coefficients"].append(coefficients)
        arrays["intercepts"].append(intercept)
        auc = bootstrap(len(rows), lambda at, y=y, p=p: roc_auc_score(y[at], p[at]))
        by_language = {
            code: round(float(roc_auc_score(y[language == code], p[language == code])), 3)
            for code in LANGUAGES
            if 0 < y[language == code].sum() < (language == code).sum()
        }
        strongest = sorted(zip(MODEL_SIGNALS, coefficients, strict=True), key=lambda item: -abs(item[1]))[:8]
        figures[label] = {
            "auc": round(float(roc_auc_score(y, p)), 3),
            "interval": interval(auc),
            "precision": round(float(precision_score(y, chosen)), 3),
            "recall": round(float(recall_score(y, chosen)), 3),
            "positives": int(y.sum()),
            "auc_by_language": by_language,
            "strongest_signals": {name: round(float(value), 3) for name, value in strongest},
        }
        share = float(roc_auc_score(y, np.array([signal["agent_word_share"] for signal in found], np.float64)))
        figures[label]["auc_of_talk_share_alone"] = round(share, 3)
        figures[label]["auc_of_test"] = with_interval(
            roc_auc_score(y[is_test], p[is_test]),
            interval(bootstrap(is_test.sum(), lambda at, y=y[is_test], p=p[is_test]: _auc(y[at], p[at]))),
        )
        item = figures[label]
        body.append(
            [label, f"{item['auc']:.3f} ({item['interval'][0]:.3f}–{item['interval'][1]:.3f})", f"{share:.3f}"]
            + [figures[label]["auc_of_test"]]
            + [f"{by_language[code]:.3f}" if code in by_language else "–" for code in LANGUAGES]
            + [f"{item['precision']:.2f} / {item['recall']:.2f}", str(item["positives"])]
        )

    rubric = load_rubric(options.rubric).rubric
    utterance_meta = open_artifact(options.utterances, UTTERANCES).meta
    occasions = {part.when: part.name for part in (*rubric.cap, *rubric.flag) if part.when.label}
    said: dict[Any, list[tuple[bool, bool]]] = {occasion: [] for occasion in occasions}
    totals = []
    for at, row in enumerate(rows):
        known = found[at] | {label: round(float(held_out[label][at]), 4) for label in CONVERSATION_LABELS}
        spoken = spoken_of(row, by_id[row["id"]], utterance_meta["thresholds"])
        for occasion, both in said.items():
            gold = sum(occasion.label in part["labels"] for turn in row["turns"] for part in turn["utterances"])
            sure = sum(
                one.labels.get(occasion.label, 0.0) >= max(occasion.probability_at_least, 1e-9) for one in spoken
            )
            both.append((sure >= occasion.at_least, gold >= occasion.at_least))
        totals.append(score(Findings(spoken, known), rubric, thresholds).total)
    total = np.array([np.nan if value is None else value for value in totals])
    quality = np.array([row["quality"] for row in rows])
    scored = ~np.isnan(total)
    quality, total, language_scored = quality[scored], total[scored], language[scored]
    rho = bootstrap(len(total), lambda at: spearmanr(total[at], quality[at]).statistic)
    worst = np.argsort(total, kind="stable")[: len(total) // 5]
    lift = float((quality[worst] <= 2).mean() / (quality <= 2).mean())
    figures["occasions"] = {
        f"{occasions[occasion]} (at least {occasion.at_least}, probability {occasion.probability_at_least:g})": {
            "conversations": sum(flagged for flagged, _ in both),
            "precision": round(float(precision_score([g for _, g in both], [f for f, _ in both], zero_division=0)), 3),
            "recall": round(float(recall_score([g for _, g in both], [f for f, _ in both], zero_division=0)), 3),
        }
        for occasion, both in said.items()
    }
    of_test = is_test[scored]
    rho_test = spearmanr(total[of_test], quality[of_test]).statistic
    rho_test_samples = bootstrap(
        of_test.sum(), lambda at: spearmanr(total[of_test][at], quality[of_test][at]).statistic
    )
    figures["score"] = {
        "spearman_of_test": with_interval(rho_test, interval(rho_test_samples)),
        "spearman_with_quality": round(float(spearmanr(total, quality).statistic), 3),
        "interval": interval(rho),
        "by_language": {
            code: round(float(spearmanr(total[language_scored == code], quality[language_scored == code]).statistic), 3)
            for code in LANGUAGES
        },
        "lift_of_worst_fifth": round(lift, 2),
        "mean_score_by_quality": {
            str(step): round(float(total[np.round(quality) == step].mean()), 1) for step in (1, 2, 3, 4, 5)
        },
        "bands": {
            band.name: {
                "share": round(float(np.mean([rubric.band_of(t) == band.name for t in total])), 3),
                "mean_quality": round(
                    float(
                        np.mean(
                            [q for t, q in zip(total, quality, strict=True) if rubric.band_of(t) == band.name] or [0]
                        )
                    ),
                    2,
                ),
            }
            for band in rubric.band
        },
    }
    text = fill(
        HERE / "card.md",
        version=VERSION,
        folds=FOLDS,
        table=table(
            [
                "label",
                "AUC",
                "AUC of talk share alone",
                "AUC, test split",
                *LANGUAGES,
                "precision / recall",
                "positives",
            ],
            body,
        ),
        occasions=table(
            ["flag or cap", "conversations", "precision", "recall"],
            [[name, *(f"{value:g}" for value in found.values())] for name, found in figures["occasions"].items()],
        ),
        strongest="\n".join(
            f"- `{label}`: "
            + ", ".join(f"{name} {value:+.2f}" for name, value in figures[label]["strongest_signals"].items())
            for label in CONVERSATION_LABELS
        ),
        rho=with_interval(figures["score"]["spearman_with_quality"], figures["score"]["interval"]),
        rho_language=", ".join(f"{code} {value:.2f}" for code, value in figures["score"]["by_language"].items()),
        rho_test=figures["score"]["spearman_of_test"],
        n_test=int(of_test.sum()),
        lift=figures["score"]["lift_of_worst_fifth"],
        by_quality=", ".join(f"{step}: {value}" for step, value in figures["score"]["mean_score_by_quality"].items()),
        n=len(total),
    )
    write_artifact(
        options.out,
        kind=KIND,
        meta={
            "name": "dialogue",
            "version": VERSION,
            "labels": list(CONVERSATION_LABELS),
            "thresholds": thresholds,
            "signals": list(MODEL_SIGNALS),
            "data": {
                "sha256": data_hash(options.data),
                "conversations": int((~is_test).sum()),
                "test_conversations": int(is_test.sum()),
            },
            "scores": figures,
            "libraries": {"scikit-learn": sklearn.__version__, "numpy": np.__version__},
            "headline": "; ".join(f"{label} AUC {figures[label]['auc']:.2f}" for label in CONVERSATION_LABELS),
            "licence": "Apache-2.0",
        },
        arrays={
            "mean": mean,
            "scale": scale,
            "coefficients": np.array(arrays["coefficients"]).T,
            "intercepts": np.array(arrays["intercepts"]),
        },
        card=text,
    )
    print(text)


if __name__ == "__main__":
    main()
