"""Texts -> counted n-grams -> TF-IDF rows, with scikit-learn's counters."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.preprocessing import normalize

WORD_PATTERN = r"\w+|[^\w\s]"
WORD_RANGE = (1, 3)
CHAR_RANGE = (2, 5)
_DIGIT = re.compile(r"\d")
_AMERICAN = re.compile(r"(?<=\w\w\w)iz(?=(?:e|ed|es|ers?|ing|ations?)\b)")


def normalise(text: str) -> str:
    """Fold what no label depends on: Unicode form, letter case, which digit it is, apologize or apologise."""
    return _AMERICAN.sub("is", _DIGIT.sub("0", unicodedata.normalize("NFC", text).lower()))


def words(vocabulary: Sequence[str] | None = None, **options: Any) -> CountVectorizer:
    """Return the counter of word 1- to 3-grams (punctuation marks count as words)."""
    return CountVectorizer(
        token_pattern=WORD_PATTERN, ngram_range=WORD_RANGE, lowercase=False, vocabulary=vocabulary, **options
    )


def chars(vocabulary: Sequence[str] | None = None, **options: Any) -> CountVectorizer:
    """Return the counter of character 2- to 5-grams inside words."""
    return CountVectorizer(
        analyzer="char_wb", ngram_range=CHAR_RANGE, lowercase=False, vocabulary=vocabulary, **options
    )


class WordwiseCounter:
    """Counts character n-grams by way of distinct words.

    ``char_wb`` never crosses a word's edge, so a text's counts are the sum of its words' counts, and
    words come again and again: what a word holds is counted once and remembered, up to
    ``most`` words.
    """

    def __init__(self, counter: CountVectorizer, most: int = 50_000) -> None:
        self._counter = counter
        self._most = most
        self._known: dict[str, tuple[NDArray[np.int32], NDArray[np.int64]]] = {}

    def transform(self, texts: Sequence[str]) -> sp.csr_matrix:
        """Count, shape (len(texts), n-grams): exactly what the counter itself would count."""
        number: dict[str, int] = {}
        columns, ends = [], [0]
        for text in texts:
            columns += [number.setdefault(word, len(number)) for word in text.split()]
            ends.append(len(columns))
        per_text = sp.csr_matrix((np.ones(len(columns)), columns, ends), shape=(len(texts), len(number)))
        return (per_text @ self._words(list(number))).tocsr()

    def _words(self, words: Sequence[str]) -> sp.csr_matrix:
        if len(self._known) > self._most:
            self._known.clear()
        known = self._known
        if new := [word for word in words if word not in known]:
            counts = self._counter.transform(new)
            parts = ((counts.indices[a:b], counts.data[a:b]) for a, b in pairwise(counts.indptr))
            known.update(zip(new, parts, strict=True))
        rows = [known[word] for word in words]
        ends = np.cumsum([0, *(len(indices) for indices, _ in rows)])
        width = len(self._counter.vocabulary)
        if not rows:
            return sp.csr_matrix((0, width))
        indices = np.concatenate([indices for indices, _ in rows])
        data = np.concatenate([data for _, data in rows])
        return sp.csr_matrix((data, indices, ends), shape=(len(rows), width))


def unit_rows(counts: sp.csr_matrix, idf: NDArray[np.float64]) -> sp.csr_matrix:
    """Turn counts into TF-IDF rows of length 1, as ``TfidfVectorizer(sublinear_tf=True)`` does."""
    weighted = counts.tocsr().astype(np.float64)
    weighted.data = (1.0 + np.log(weighted.data)) * idf[weighted.indices]
    return normalize(weighted, copy=False)


def inverse_document_frequency(counts: sp.csr_matrix) -> NDArray[np.float64]:
    """Return the smoothed idf of each column, as scikit-learn's TfidfTransformer defines it."""
    documents = np.bincount(counts.indices, minlength=counts.shape[1])
    idf: NDArray[np.float64] = np.log((1 + counts.shape[0]) / (1 + documents)) + 1.0
    return idf
