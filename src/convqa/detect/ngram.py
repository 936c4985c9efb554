"""The n-gram detector: what is said, then what was said before and by whom.

Two steps, both scikit-learn models, both trained by ``training/utterances``. First, a logistic
regression a label scores every text by its word and character n-grams. Second, a small
multi-layer perceptron reads a line's scores together with those of the lines before it, by role, and
a few facts (``DENSE``): an answer means something else after distress than after a number.
Loading needs numpy arrays and word lists only, no pickle.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.special import expit, logit
from sklearn.feature_extraction.text import CountVectorizer

from convqa.artifact import Artifact, complete, models_folder, open_artifact
from convqa.detect import LOOK_BACK, Line, Probabilities, allowed
from convqa.labels import LABELS_OF_ROLE, ROLES, Role
from convqa.ngrams import WordwiseCounter, chars, inverse_document_frequency, normalise, unit_rows, words

KIND = "utterance-ngram"
CONTEXT: tuple[tuple[Role, int], ...] = (("customer", 2), ("agent", 2))
"""How many earlier utterances of each role are looked at, the nearest first."""
NOTHING = -6.0
"""The score of a label on a line that is not there or cannot carry it: surely not."""
_LONG = 40
_PUNCTUATION = re.compile(r"[.!?,]")

DENSE = (
    "agent speaks",
    "position unknown",
    "position",
    "near the end",
    "nothing said before",
    "at most two utterances before",
    "the other spoke last",
    "length",
    "question mark",
    "no punctuation",
    "lower case",
)

Scores = NDArray[np.float64]


def dense_row(line: Line) -> list[float]:
    """Return what is known of a line besides its words; see ``DENSE``."""
    known = line.position is not None
    return [
        float(line.role == "agent"),
        float(not known),
        line.position or 0.0,
        float(known and (line.position or 0.0) > 0.85),
        float(not line.context),
        float(len(line.context) < 3),
        float(bool(line.context) and line.context[-1][0] != line.role),
        min(len(line.text.split()), _LONG) / _LONG,
        float(line.text.rstrip().endswith("?")),
        float(not _PUNCTUATION.search(line.text)),
        float(line.text == line.text.lower()),
    ]


def earlier(line: Line, role: Role, most: int) -> list[str]:
    """Return the last utterances of ``role`` before this line, the nearest first, at most ``most``."""
    return [text for who, text in reversed(line.context[-LOOK_BACK:]) if who == role][:most]


@dataclass(slots=True)
class Features:
    """Texts -> one sparse matrix of TF-IDF rows: word 1- to 3-grams beside character 2- to 5-grams.

    ``idf`` holds one array for ``words`` and one for ``chars``. ``fit`` makes one from texts (training only).
    """

    word_list: list[str]
    char_list: list[str]
    idf: Mapping[str, NDArray[np.float64]]
    _words: CountVectorizer = field(init=False)
    _chars: WordwiseCounter = field(init=False)

    def __post_init__(self) -> None:
        self._words = words(self.word_list)
        self._chars = WordwiseCounter(chars(self.char_list))

    @classmethod
    def fit(cls, texts: Sequence[str], *, min_words: int = 2, min_chars: int = 3) -> Features:
        """Learn the vocabularies and idf weights; ``min_*`` is in how many texts an n-gram must occur."""
        normal = [normalise(text) for text in texts]
        lists, idf = {}, {}
        for name, counter in (("words", words(min_df=min_words)), ("chars", chars(min_df=min_chars))):
            counts = counter.fit_transform(normal)
            lists[name] = [str(ngram) for ngram in counter.get_feature_names_out()]
            idf[name] = inverse_document_frequency(counts)
        return cls(lists["words"], lists["chars"], idf)

    def matrix(self, texts: Sequence[str]) -> sp.csr_matrix:
        """Return the features, shape (len(texts), words + characters)."""
        normal = [normalise(text) for text in texts]
        blocks = [
            unit_rows(self._words.transform(normal), self.idf["words"]),
            unit_rows(self._chars.transform(normal), self.idf["chars"]),
        ]
        return sp.hstack(blocks, format="csr")


def in_context(lines: Sequence[Line], labels: Sequence[str], number: Mapping[str, int], scores: Scores) -> Scores:
    """Put the scores of a line and of those before it side by side, with the dense features.

    ``scores`` has shape (texts, labels), and ``number`` says which row a text is. Returns shape
    (len(lines), labels + context + len(DENSE)); a line's own labels that its role cannot carry count as NOTHING.
    """
    padded = np.vstack([scores, np.full((1, len(labels)), NOTHING)])
    own = padded[[number[line.text] for line in lines]]
    blocks = [np.where(allowed(labels, [line.role for line in lines]), own, NOTHING)]
    for role, most in CONTEXT:
        columns = [n for n, label in enumerate(labels) if label in LABELS_OF_ROLE[role]]
        before = [[number[text] for text in earlier(line, role, most)] for line in lines]
        for place in range(most):
            rows = [some[place] if place < len(some) else -1 for some in before]
            blocks.append(padded[rows][:, columns])
    blocks.append(np.array([dense_row(line) for line in lines]).reshape(-1, len(DENSE)))
    return np.hstack(blocks)


@dataclass(frozen=True, slots=True)
class Perceptron:
    """One hidden layer, as scikit-learn's MLPClassifier (relu, logistic output) fitted it on standardised input."""

    mean: Scores
    scale: Scores
    hidden: Scores
    hidden_bias: Scores
    output: Scores
    output_bias: Scores

    def predict_proba(self, x: Scores) -> Probabilities:
        """Return probabilities, shape (len(x), labels)."""
        standard = (x - self.mean) / self.scale
        # Row by row in effect: einsum without BLAS, so that a row's result does not depend on how many there are.
        hidden = np.maximum(np.einsum("ij,jk->ik", standard, self.hidden) + self.hidden_bias, 0.0)
        return np.asarray(expit(np.einsum("ij,jk->ik", hidden, self.output) + self.output_bias))


class NgramDetector:
    """The bundled detector; see the module. Probabilities are calibrated on held-out folds (Platt 1999).

    Arrays: ``coefficients`` (n-grams, labels), ``intercepts`` (labels), for each of the averaged perceptrons its
    layers, ``calibration`` (2, labels): probability = ``expit(slope * logit(mean) + shift)``.
    """

    def __init__(self, artifact: Artifact) -> None:
        meta, arrays = artifact.meta, artifact.arrays()
        self.name = artifact.name
        self.digest = artifact.digest
        self.labels: tuple[str, ...] = tuple(meta["labels"])
        self.thresholds: dict[str, float] = dict(meta["thresholds"])
        self.features = Features(
            artifact.lines("words"),
            artifact.lines("chars"),
            {name: arrays[f"idf_{name}"].astype(np.float64) for name in ("words", "chars")},
        )
        self._coefficients = arrays["coefficients"].astype(np.float64)
        self._intercepts = arrays["intercepts"].astype(np.float64)
        self._slope, self._shift = arrays["calibration"].astype(np.float64)
        self._perceptrons = [
            Perceptron(*(arrays[f"{name}_{n}"].astype(np.float64) for name in Perceptron.__dataclass_fields__))
            for n in range(int(meta["perceptrons"]))
        ]

    @classmethod
    def load(cls, folder: Path | None = None) -> NgramDetector:
        """Open a model's folder; the bundled one without an argument. Raises ModelError."""
        artifact = open_artifact(folder or models_folder() / "utterances", KIND)
        with complete(artifact):
            return cls(artifact)

    def predict_proba(self, lines: Sequence[Line]) -> Probabilities:
        """Return calibrated probabilities, shape (len(lines), labels); 0 where the role cannot carry the label."""
        if not lines:
            return np.zeros((0, len(self.labels)))
        number: dict[str, int] = {}
        for line in lines:
            number.setdefault(line.text, len(number))
            for _, text in line.context[-LOOK_BACK:]:
                number.setdefault(text, len(number))
        scores = self.features.matrix(list(number)) @ self._coefficients + self._intercepts
        if all(line.role is not None for line in lines):
            return self._judged(lines, number, scores)
        # Who says a line may not be known: then it is judged as either's, each with the labels that are theirs.
        as_agent, as_customer = (
            self._judged([_said_by(line, role) for line in lines], number, scores) for role in ROLES
        )
        return np.maximum(as_agent, as_customer)

    def _judged(self, lines: Sequence[Line], number: Mapping[str, int], scores: Scores) -> Probabilities:
        x = in_context(lines, self.labels, number, scores)
        mean = np.mean([perceptron.predict_proba(x) for perceptron in self._perceptrons], axis=0)
        probabilities: Probabilities = expit(self._slope * logit(np.clip(mean, 1e-9, 1 - 1e-9)) + self._shift)
        return np.where(allowed(self.labels, [line.role for line in lines]), probabilities, 0.0)


def _said_by(line: Line, role: Role) -> Line:
    return line if line.role is not None else replace(line, role=role)
