"""Train the role model: which of two speakers is the agent. Prints held-out figures, writes models/roles.

    python training/roles/train.py [--real DIR]     # under a minute

``--real`` is a folder with the WMT24 chat task's CSV files (not part of this project, CC BY-NC 4.0), for a check on
real support chats that trained nothing.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
import sklearn
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from convqa.artifact import write_artifact
from convqa.labels import LANGUAGES
from convqa.roles import CONFIDENT, ENOUGH, KIND, RoleModel, speaker_rows
from corpus import DATA, conversations, data_hash, folds
from figures import fill, share_interval, table, with_interval

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
VERSION = "1.0.0"
FOLDS = 5
CUTS = (2, 5, 1000)
"""Conversations are also learnt from their first turns only: short excerpts must be judged, too."""

Speakers = list[list[str]]


def speakers(conversation: dict[str, Any], turns: int = 1000) -> tuple[Speakers, list[str]]:
    """Return what each speaker says, in order of first speaking, and their roles."""
    said: dict[str, list[str]] = {}
    for turn in conversation["turns"][:turns]:
        said.setdefault(turn["role"], []).append(" ".join(part["text"] for part in turn["utterances"]))
    return list(said.values()), list(said)


def difference(spoken: Speakers, roles: Sequence[str]) -> sp.csr_matrix:
    rows = speaker_rows(spoken)
    return rows[roles.index("agent")] - rows[roles.index("customer")]


def fit(pairs: Sequence[tuple[Speakers, list[str]]]) -> NDArray[np.float64]:
    """Fit weights so that agent minus customer is positive: logistic regression on differences, both ways round."""
    x = sp.vstack([difference(*pair) for pair in pairs])
    model = LogisticRegression(C=100.0, fit_intercept=False, max_iter=2000)
    model.fit(sp.vstack([x, -x]), np.repeat([True, False], x.shape[0]))
    return np.asarray(model.coef_[0], np.float64)


def sharpness(margins: NDArray[np.float64]) -> float:
    """Calibrate: the factor that makes expit(factor * margin) a probability, fitted on held-out margins."""
    model = LogisticRegression(C=1e6, fit_intercept=False)
    model.fit(np.concatenate([margins, -margins]).reshape(-1, 1), np.repeat([True, False], len(margins)))
    return float(model.coef_[0, 0])


def real_chats(folder: Path) -> list[tuple[Speakers, list[str]]]:
    """Read the WMT24 chats: a speaker is the sender column; the English side of each segment is the text."""
    chats: dict[str, dict[str, list[str]]] = defaultdict(dict)
    for path in sorted(folder.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                english = row["source"] if row["source_language"].startswith("en") else row.get("reference") or ""
                if english.strip():
                    chats[path.name + row["doc_id"]].setdefault(row["sender"], []).append(english)
    return [(list(said.values()), list(said)) for said in chats.values() if set(said) == {"agent", "customer"}]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--real", type=Path)
    parser.add_argument("--out", type=Path, default=ROOT / "models" / "roles")
    options = parser.parse_args()

    rows = conversations(options.data, "train")
    fold = folds([row["author"] for row in rows], FOLDS)
    margins: dict[int, NDArray[np.float64]] = {cut: np.zeros(len(rows)) for cut in CUTS}
    for number in range(FOLDS):
        train = [speakers(row, cut) for row, f in zip(rows, fold, strict=True) if f != number for cut in CUTS]
        weights = fit([pair for pair in train if len(pair[1]) == 2])
        for at in np.flatnonzero(fold == number):
            for cut in CUTS:
                pair = speakers(rows[at], cut)
                margins[cut][at] = float((difference(*pair) @ weights)[0]) if len(pair[1]) == 2 else np.nan
    whole = np.concatenate([margins[cut][~np.isnan(margins[cut])] for cut in CUTS])
    factor = sharpness(whole)

    body = []
    figures: dict[str, Any] = {}
    language = np.array([row["language"] for row in rows])
    for code in ("all", *LANGUAGES):
        line = [code]
        for cut in CUTS:
            here = margins[cut][((language == code) | (code == "all")) & ~np.isnan(margins[cut])]
            sure = expit(factor * np.abs(here)) >= CONFIDENT
            low, high = share_interval(here > 0)
            figures[f"{code}, {'all' if cut == CUTS[-1] else 'first ' + str(cut)} turns"] = {
                "accuracy": round(float((here > 0).mean()), 4),
                "interval": [low, high],
                "conversations": len(here),
                "confident": round(float(sure.mean()), 4),
                "accuracy_where_confident": round(float((here[sure] > 0).mean()), 4),
            }
            line.append(f"{(here > 0).mean():.3f} ({low:.3f}–{high:.3f})")
            line.append(f"{sure.mean():.2f} / {(here[sure] > 0).mean():.3f}")
        body.append(line)
    weights = fit([pair for row in rows for cut in CUTS if len((pair := speakers(row, cut))[1]) == 2])
    tested = [pair for row in conversations(options.data, "test") if len((pair := speakers(row))[1]) == 2]
    right = np.array([float((difference(*pair) @ weights)[0]) > 0 for pair in tested])
    figures["test split, all turns"] = {
        "accuracy": round(float(right.mean()), 4),
        "interval": list(share_interval(right)),
        "conversations": len(right),
    }
    test = f"{len(right)} conversations: accuracy {with_interval(right.mean(), share_interval(right))}"
    header = ["language"]
    for cut in CUTS:
        header += [f"{'all' if cut == CUTS[-1] else 'first ' + str(cut)} turns", "confident / right where confident"]
    real = ""
    if options.real:
        model = RoleModel(weights, factor, "")
        chats = real_chats(options.real)
        right, sure_right, sure = [], [], 0
        for spoken, roles in chats:
            verdicts, probability = model.agents(spoken)
            right.append(verdicts[roles.index("agent")])
            if probability >= CONFIDENT:
                sure += 1
                sure_right.append(right[-1])
        low, high = share_interval(np.array(right))
        figures["real chats (WMT24)"] = {
            "accuracy": round(float(np.mean(right)), 4),
            "interval": [low, high],
            "conversations": len(chats),
            "confident": round(sure / len(chats), 4),
            "accuracy_where_confident": round(float(np.mean(sure_right)), 4),
        }
        real = (
            f"\nOn {len(chats)} real English support chats (WMT24 chat task, which trained nothing): accuracy "
            f"{with_interval(np.mean(right), (low, high))}; confident on {sure / len(chats):.2f}, right on "
            f"{np.mean(sure_right):.3f} of those.\n"
        )
    text = fill(
        HERE / "card.md",
        version=VERSION,
        folds=FOLDS,
        confident=CONFIDENT,
        enough=ENOUGH,
        table=table(header, body),
        test=test,
        real=real,
    )
    write_artifact(
        options.out,
        kind=KIND,
        meta={
            "name": "roles",
            "version": VERSION,
            "labels": ["agent", "customer"],
            "sharpness": factor,
            "data": {"sha256": data_hash(options.data), "conversations": len(rows)},
            "scores": figures,
            "libraries": {"scikit-learn": sklearn.__version__, "numpy": np.__version__},
            "headline": f"accuracy {figures['all, all turns']['accuracy']:.3f}",
            "licence": "Apache-2.0",
        },
        arrays={"weights": weights.astype(np.float32)},
        card=text,
    )
    print(text)


if __name__ == "__main__":
    main()
