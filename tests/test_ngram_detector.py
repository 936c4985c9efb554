"""The n-gram detector, with weights set by hand so that its probabilities are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from convqa.artifact import write_artifact
from convqa.detect import Line
from convqa.detect.ngram import CONTEXT, DENSE, KIND, LOOK_BACK, NOTHING, Features, NgramDetector, dense_row, in_context
from convqa.errors import ModelError
from convqa.labels import AGENT_LABELS, CUSTOMER_LABELS

LABELS = ("empathy", "distress")
TEXTS = [
    "jeg er så lei av dette",
    "jeg er så lei nå",
    "det skjønner jeg godt",
    "hva er nummeret ditt",
    "nummeret er 4411",
]
# The columns of in_context for these labels: own scores, customer before and before that (distress), agent (empathy).
OWN_EMPATHY, OWN_DISTRESS, CUSTOMER_1, CUSTOMER_2, AGENT_1, AGENT_2 = range(6)
WIDTH = 6 + len(DENSE)


def write_model(folder: Path) -> None:
    """A model in which 'lei' is distress, 'skjønner' is empathy, and a customer's distress before it even more so."""
    features = Features.fit(TEXTS, min_words=1, min_chars=1)
    coefficients = np.zeros((len(features.word_list) + len(features.char_list), 2))
    for word, label, weight in (("skjønner", 0, 20.0), ("lei", 1, 20.0)):
        coefficients[features.word_list.index(word), label] = weight
    hidden = np.zeros((WIDTH, 3))
    hidden[OWN_EMPATHY, 0] = hidden[OWN_DISTRESS, 1] = hidden[CUSTOMER_1, 2] = 1.0
    write_artifact(
        folder,
        kind=KIND,
        meta={
            "name": "toy",
            "version": "1",
            "labels": LABELS,
            "thresholds": {"empathy": 0.5, "distress": 0.5},
            "perceptrons": 1,
        },
        arrays={
            "coefficients": coefficients,
            "intercepts": np.array([-2.0, -2.0]),
            "calibration": np.array([[1.0, 1.0], [0.0, 0.0]]),
            **{f"idf_{name}": idf for name, idf in features.idf.items()},
            "mean_0": np.zeros(WIDTH),
            "scale_0": np.ones(WIDTH),
            "hidden_0": hidden,
            "hidden_bias_0": np.array([2.0, 2.0, 2.0]),
            "output_0": np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]),
            "output_bias_0": np.array([-2.0, -2.0]),
        },
        lists={"words": features.word_list, "chars": features.char_list},
        card="",
    )


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> NgramDetector:
    folder = tmp_path_factory.mktemp("toy")
    write_model(folder)
    return NgramDetector.load(folder)


def test_features_keep_what_comes_often_enough() -> None:
    features = Features.fit(TEXTS, min_words=2, min_chars=3)
    assert {"jeg", "lei", "nummeret", "jeg er så", "er så lei"} <= set(features.word_list)
    assert not {"dette", "hva", "4411", "0000"} & set(features.word_list)
    assert " je" in features.char_list and "eg " in features.char_list
    assert not any(" " in ngram[1:-1] for ngram in features.char_list)  # never across a word's edge


def test_features_are_unit_rows_side_by_side() -> None:
    features = Features.fit(TEXTS, min_words=1, min_chars=1)
    matrix = features.matrix([*TEXTS, "zzz", ""]).toarray()
    words, chars = matrix[:, : len(features.word_list)], matrix[:, len(features.word_list) :]
    assert chars.shape[1] == len(features.char_list)
    np.testing.assert_allclose(np.linalg.norm(words, axis=1), [1.0] * 5 + [0.0] * 2)
    np.testing.assert_allclose(np.linalg.norm(chars, axis=1), [1.0] * 5 + [0.0] * 2)
    upper = features.matrix([text.upper().replace("4", "7") for text in TEXTS])
    np.testing.assert_allclose(upper.toarray(), matrix[:5])


def test_in_context_puts_the_nearest_before_first_and_nothing_where_nobody_spoke() -> None:
    before = (("customer", "a"), ("agent", "b"), ("customer", "c"), ("customer", "d"))
    scores = np.arange(10.0).reshape(5, 2)  # a b c d, then the line itself
    line = Line("e", "agent", before, 0.5)
    (row,) = in_context([line], LABELS, dict(zip("abcde", range(5), strict=True)), scores)
    assert row[:6].tolist() == [8.0, NOTHING, 7.0, 5.0, 2.0, NOTHING]  # own (no distress), d and c, b and nobody
    assert row[6:].tolist() == dense_row(line)
    assert len(row) == WIDTH


def test_context_is_looked_back_at_only_so_far(detector: NgramDetector) -> None:
    long_ago = (("customer", "jeg er så lei"), *[("agent", "hva er nummeret ditt")] * LOOK_BACK)
    near, far = detector.predict_proba([Line("ja", "agent", long_ago[:2]), Line("ja", "agent", long_ago)])
    assert near[0] > far[0]
    assert max(most for _, most in CONTEXT) <= LOOK_BACK


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (Line(""), [0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1]),
        (Line("Hva?", "agent", (("customer", "a"),), 0.9), [1, 0, 0.9, 1, 0, 1, 1, 1 / 40, 1, 0, 0]),
        (Line("ja " * 80, "customer", (("customer", "a"),) * 3, 0.0), [0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 1]),
    ],
)
def test_dense_facts(line: Line, expected: list[float]) -> None:
    assert dict(zip(DENSE, dense_row(line), strict=True)) == dict(zip(DENSE, expected, strict=True))


def test_probabilities_are_those_worked_out_on_paper(detector: NgramDetector) -> None:
    number_please, understands = Line("hva er nummeret ditt", "agent"), Line("det skjønner jeg godt", "agent")
    after = Line("hva er nummeret ditt", "agent", (("customer", "jeg er så lei nå"),))
    nothing, own, context = detector.predict_proba([number_please, understands, after])
    # No n-gram of interest: scores of -2 meet a bias of 2, so all hidden units are 0 and the logit is -2.
    assert nothing.tolist() == pytest.approx([expit(-2.0), 0.0])
    scores = detector.features.matrix([understands.text, "jeg er så lei nå"]).toarray()
    skjonner = scores[0, detector.features.word_list.index("skjønner")] * 20
    lei = scores[1, detector.features.word_list.index("lei")] * 20
    assert own.tolist() == pytest.approx([expit(skjonner - 2), 0.0])
    assert context.tolist() == pytest.approx([expit(lei - 2), 0.0])
    assert context[0] > 0.9 > 0.2 > nothing[0]


def test_a_role_carries_only_its_own_labels_and_an_unknown_one_all(detector: NgramDetector) -> None:
    text = "jeg er så lei, det skjønner jeg"
    agent, customer, unknown = detector.predict_proba([Line(text, "agent"), Line(text, "customer"), Line(text)])
    assert agent[0] > 0.5 and agent[1] == 0.0
    assert customer[0] == 0.0 and customer[1] > 0.5
    assert unknown.tolist() == [agent[0], customer[1]]


def test_no_lines_have_no_probabilities(detector: NgramDetector) -> None:
    assert detector.predict_proba([]).shape == (0, 2)
    assert detector.predict_proba([Line("", "agent"), Line("😀\n", None)]).shape == (2, 2)


def test_a_line_is_judged_the_same_whatever_stands_beside_it() -> None:
    detector = NgramDetector.load()
    rng = np.random.default_rng(0)
    said = [
        "Jeg er så lei av dette!",
        "Det skjønner jeg godt, beklager.",
        "Hva er nummeret?",
        "4411",
        "",
        "Tusen takk 😀",
    ]
    lines = [
        Line(
            said[n % len(said)],
            (None, "agent", "customer")[n % 3],
            tuple((("agent", "customer")[k % 2], said[int(rng.integers(len(said)))]) for k in range(n % 8)),
            None if n % 5 == 0 else n / 100,
        )
        for n in range(100)
    ]
    together = detector.predict_proba(lines)
    alone = np.vstack([detector.predict_proba([line]) for line in lines])
    half = detector.predict_proba(lines[::-2])[::-1]
    assert (together == alone).all()
    assert (half == together[1::2]).all()


def test_bundled_detector_has_every_label_of_the_codebook() -> None:
    detector = NgramDetector.load()
    assert set(detector.labels) == set(AGENT_LABELS) | set(CUSTOMER_LABELS) == set(detector.thresholds)
    assert all(0 < threshold < 1 for threshold in detector.thresholds.values())
    assert len(detector.digest) == 64


def test_another_kind_of_model_is_refused(tmp_path: Path) -> None:
    write_artifact(tmp_path, kind="cake", meta={"name": "a", "version": "1"}, arrays={}, card="")
    with pytest.raises(ModelError, match=f"kind is 'cake'; a model of kind '{KIND}' is wanted here"):
        NgramDetector.load(tmp_path)
