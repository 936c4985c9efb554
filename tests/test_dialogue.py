"""Signals of whole conversations, worked out on paper."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from convqa.artifact import write_artifact
from convqa.conversation import Turn
from convqa.detect.dialogue import KIND, MODEL_SIGNALS, Detected, DialogueDetector, content, model_row, signals
from convqa.labels import CONVERSATION_LABELS, LANGUAGES, UTTERANCE_LABELS


def turns(*lines: str) -> list[Turn]:
    """``turns("A 1-4: text", "C: text")``: times (seconds) where they stand after the role."""
    made = []
    for line in lines:
        head, _, text = line.partition(":")
        who, _, times = head.partition(" ")
        start, end = map(float, times.split("-")) if times else (None, None)
        made.append(Turn(text.strip(), "agent" if who == "A" else "customer", None, start, end))
    return made


def detected(turn_of: Sequence[int], *found: dict[str, float]) -> Detected:
    p = np.zeros((len(turn_of), len(UTTERANCE_LABELS)))
    for row, labels in zip(p, found, strict=True):
        for label, probability in labels.items():
            row[UTTERANCE_LABELS.index(label)] = probability
    return Detected(turn_of, p, UTTERANCE_LABELS)


def measured(*lines: str, language: str = "en") -> dict[str, float | None]:
    made = turns(*lines)
    return signals(made, detected(range(len(made)), *[{}] * len(made)), language)


def test_words_and_turns() -> None:
    found = measured(
        "A: one two three",  # 3 words
        "A: one two three four five",  # 5: a run of 8
        "C: one two",
        "A: ok",  # 3 words or fewer: a back-channel
        "C: one two three four",
        "A: and what is it?",
        "A: ",  # nothing said: not a turn
    )
    assert found["agent_word_share"] == round(13 / 19, 4)
    assert found["agent_turn_words"] == 13 / 4
    assert found["longest_agent_turn_words"] == 5
    assert found["longest_agent_run_words"] == 8
    assert found["customer_turn_words"] == 3
    assert found["turn_count"] == 6
    assert found["agent_back_channels"] == 0.5
    assert found["agent_questions"] == 0.25


def test_uptake_is_what_comes_back_in_the_next_agent_turn() -> None:
    found = measured(
        "C: The delivery driver lost my parcel",  # delive driver lost parcel
        "A: Your parcel is with the driver",  # two of four
        "C: Refund shipping costs tomorrow please",  # refund shippi costs tomorr (please is a stop word)
        "A: Have a nice day",  # none of them
        "C: Yes ok",  # says nothing to take up
        "A: Bye",
    )
    assert content("Refund shipping costs tomorrow please", "en") == {"refund", "shippi", "costs", "tomorr"}
    assert found["uptake"] == 0.25
    assert found["not_taken_up"] == 0.5


def test_uptake_waits_three_turns_and_counts_only_customers() -> None:
    late = measured("C: lost parcel number", "C: hm", "C: hm", "A: the lost parcel number")
    too_late = measured("C: lost parcel number", "C: hm", "C: hm", "C: hm", "A: the lost parcel number")
    assert (late["uptake"], too_late["uptake"]) == (1.0, 0.0)
    assert too_late["not_taken_up"] == 0.0  # no reply at all: nothing to measure
    assert measured("A: lost parcel number", "A: lost parcel number")["uptake"] == 0.0


def test_questions_without_an_answer() -> None:
    found = measured("C: Where is my parcel?", "A: The parcel is in Oslo", "C: Which warehouse?", "A: Anything else?")
    assert found["unanswered_questions"] == 0.5
    assert measured("C: Why?", "A: Hello")["unanswered_questions"] == 0.0  # no content word to answer to


def test_the_customer_repeats_themselves() -> None:
    found = measured(
        "C: cancel subscription today", "A: cancel subscription today", "C: cancel subscription tomorrow now"
    )
    assert found["customer_repeats_self"] == 0.5  # two of four words together
    assert measured("C: cancel subscription today", "A: cancel subscription today")["customer_repeats_self"] == 0.0
    assert measured("C: hm ok", "C: hm ok")["customer_repeats_self"] == 0.0


@pytest.mark.parametrize("language", LANGUAGES)
def test_content_is_stems_without_stop_words(language: str) -> None:
    stop = {"nb": "ikke", "nn": "ikkje", "da": "ikke", "sv": "inte", "en": "would"}[language]
    assert content(f"{stop.title()}, Fakturaen! «fakturaer» kl på", language) == {"faktur"}


def test_times_are_none_where_a_turn_has_none() -> None:
    timed = ("longest_silence_s", "agent_time_share", "longest_agent_turn_s", "overlap_s")
    for lines in (("C: a", "A: b"), ("C 0-1: a", "A: b")):
        found = measured(*lines)
        assert [found[name] for name in timed] == [None] * 4
    assert measured("C 0-1: a", "A 1-2: b", "A:  ")["longest_silence_s"] == 0.0  # the silent turn does not count


def test_silence_overlap_and_shares_of_time() -> None:
    found = measured(
        "C 10-20: a",  # what is before the first turn is not silence
        "A 18-24: b",  # 2 s over the customer
        "C 19-21: c",  # 2 s over the agent
        "A 31-33: d",  # 7 s after the last word, at 24
    )
    assert found["longest_silence_s"] == 7
    assert found["overlap_s"] == 4
    assert found["agent_time_share"] == 8 / 20
    assert found["longest_agent_turn_s"] == 6
    assert measured("C 1-1: a", "A 1-1: b")["agent_time_share"] is None


def test_label_signals_are_means_and_maxima_of_the_right_side() -> None:
    made = turns("C: a", "A: b b", "C: c", "A: d")
    found = signals(
        made,
        detected(
            [0, 1, 1, 2, 3, 3],
            {"distress": 0.8, "repeated_request": 0.5, "dismissive": 1.0},  # a customer cannot be dismissive
            {"dismissive": 0.2, "pressure": 0.4},
            {"dismissive": 0.6, "pressure": 0.1},
            {"distress": 0.2, "repeated_request": 0.9, "gratitude": 0.6},
            {"pressure": 0.5, "gratitude": 0.1},
            {"solution": 0.7},
        ),
        "en",
    )
    assert found["mean_dismissive"] == 0.2  # (0.2 + 0.6 + 0 + 0) / 4
    assert found["max_dismissive"] == 0.6
    assert found["mean_distress"] == 0.5
    assert found["max_repeated_request"] == 0.9
    assert (found["late_gratitude"], found["late_solution"]) == (0.1, 0.7)  # the last third: two of six
    assert found["pressure_after_request"] == 0.45  # 0.9 asked before 0.5 pressed


def test_a_conversation_without_words_has_all_signals() -> None:
    found = signals(turns("A: ", "C: "), detected([]), "nb")
    assert set(MODEL_SIGNALS) <= set(found)
    assert found["turn_count"] == 0.0
    assert np.isfinite(model_row(found)[: MODEL_SIGNALS.index("longest_silence_s")]).all()


def test_model_row_is_logarithmic_in_amounts_and_open_where_unknown() -> None:
    found: dict[str, float | None] = dict.fromkeys(MODEL_SIGNALS, 0.5)
    row = model_row(found | {"turn_count": 9.0, "longest_silence_s": None})
    by_name = dict(zip(MODEL_SIGNALS, row, strict=True))
    assert by_name["turn_count"] == pytest.approx(np.log(10))
    assert np.isnan(by_name["longest_silence_s"])
    assert by_name["uptake"] == 0.5


def test_classifier_counts_an_unknown_signal_as_average(tmp_path: Path) -> None:
    width = len(MODEL_SIGNALS)
    coefficients = np.zeros((width, 2))
    share, silence = MODEL_SIGNALS.index("agent_word_share"), MODEL_SIGNALS.index("longest_silence_s")
    coefficients[share, 0], coefficients[silence, 1] = 2.0, 1.0
    write_artifact(
        tmp_path,
        kind=KIND,
        meta={
            "name": "toy",
            "version": "1",
            "labels": CONVERSATION_LABELS,
            "thresholds": dict.fromkeys(CONVERSATION_LABELS, 0.5),
        },
        arrays={
            "mean": np.full(width, 0.5),
            "scale": np.full(width, 0.25),
            "coefficients": coefficients,
            "intercepts": np.array([0.0, 1.0]),
        },
        card="",
    )
    found: dict[str, float | None] = dict.fromkeys(MODEL_SIGNALS, 0.5) | {"longest_silence_s": None}
    toy = DialogueDetector.load(tmp_path)
    assert toy.predict(found) == {"one_way_dialogue": 0.5, "ignored_request": 0.7311}  # expit(0), expit(1)
    assert toy.predict(found | {"agent_word_share": 0.75})["one_way_dialogue"] == 0.8808  # one scale up: expit(2)


def test_bundled_classifier_answers_for_any_conversation() -> None:
    bundled = DialogueDetector.load()
    for lines in ((), ("A: hello",), ("C 0-1: a", "A 1-2: b")):
        found = bundled.predict(measured(*lines))
        assert set(found) == set(CONVERSATION_LABELS) == set(bundled.thresholds)
        assert all(0 <= probability <= 1 for probability in found.values())
