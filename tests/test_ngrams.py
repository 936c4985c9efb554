"""Our short cuts give what scikit-learn gives."""

from __future__ import annotations

import random
import unicodedata

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

from convqa.ngrams import WordwiseCounter, chars, inverse_document_frequency, normalise, unit_rows, words

WORDS = """
hei takk ikke jeg på å æ ø fakturaen kjempelei don't o'clock 12,50 kl. 😀 👩‍👩‍👧 🇳🇴 … « » — ß İ ǅ é 中文 مرحبا a - ?! .
"""
PIECES = [*WORDS.split(), "e\u0301", " ", "  ", "\n", "\r\n", "\t", "\u00a0", "\u2003", "\u200b"]


def texts(number: int, seed: int) -> list[str]:
    rng = random.Random(seed)  # noqa: S311
    made = [" ".join(rng.choices(PIECES, k=rng.randrange(12))) for _ in range(number)]
    return [*made, "", " ", "\n\n", "x", "😀", "".join(PIECES)]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("most", [0, 5, 50_000])
def test_wordwise_counts_are_exactly_those_of_char_wb(seed: int, most: int) -> None:
    known, others = texts(60, seed), texts(60, seed + 100)
    plain = CountVectorizer(analyzer="char_wb", ngram_range=(2, 5), lowercase=False).fit(known)
    ours = WordwiseCounter(chars(list(plain.get_feature_names_out())), most)
    for some in (known, others, known, ["nothing of it, Zzyzx"], ["", " \n"]):
        got, expected = ours.transform(some), plain.transform(some)
        assert got.shape == expected.shape
        assert (got != expected).nnz == 0
    assert ours.transform([]).shape == (0, len(plain.vocabulary_))  # which scikit-learn itself refuses


@pytest.mark.parametrize("seed", range(5))
def test_unit_rows_are_tfidf_rows(seed: int) -> None:
    known, others = texts(60, seed), texts(60, seed + 100)
    for options, counter in (
        ({"token_pattern": r"\w+|[^\w\s]", "ngram_range": (1, 3)}, words()),
        ({"analyzer": "char_wb", "ngram_range": (2, 5)}, chars()),
    ):
        plain = TfidfVectorizer(lowercase=False, sublinear_tf=True, **options)
        expected = plain.fit_transform(known)
        counts = counter.fit_transform(known)
        idf = inverse_document_frequency(counts)
        np.testing.assert_allclose(idf, plain.idf_)
        np.testing.assert_allclose(unit_rows(counts, idf).toarray(), expected.toarray(), atol=1e-12)
        unseen = unit_rows(counter.transform(others), idf)
        np.testing.assert_allclose(unseen.toarray(), plain.transform(others).toarray(), atol=1e-12)


def test_unit_rows_leaves_the_counts_alone() -> None:
    counts = words().fit_transform(["a a b", "b"])
    before = counts.toarray().copy()
    unit_rows(counts, inverse_document_frequency(counts))
    np.testing.assert_array_equal(counts.toarray(), before)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Kl. 14.30, 3 DAGER", "kl. 00.00, 0 dager"),
        ("e\u0301", unicodedata.normalize("NFC", "e\u0301")),
        ("ÆØÅ 😀\n٣", "æøå 😀\n0"),
        ("", ""),
    ],
)
def test_normalise_folds_form_case_and_digits(text: str, expected: str) -> None:
    assert normalise(text) == expected


def test_words_count_punctuation_marks_and_pass_over_line_ends() -> None:
    counter = words()
    counter.fit(["Nei!\nIkke ok"])
    assert {"Nei", "!", "Nei !", "! Ikke ok"} <= set(counter.get_feature_names_out())


def test_wordwise_counter_remembers_no_more_than_it_may() -> None:
    counter = WordwiseCounter(chars(["ab", "bc"]), most=10)
    for n in range(100):
        counter.transform([f"abc{n} bc{n}"])
    assert len(counter._known) <= 12


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("We apologize, organizing", "we apologise, organising"),
        ("Size, prize, citizen, pizza", "size, prize, citizen, pizza"),
    ],
)
def test_normalise_folds_american_spelling(text: str, folded: str) -> None:
    assert normalise(text) == folded
