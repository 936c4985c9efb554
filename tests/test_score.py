"""The arithmetic, on conversations whose points were worked out on paper."""

from __future__ import annotations

from typing import Any

import pytest

from convqa.finding import Findings, Spoken
from convqa.rubric import Rubric
from convqa.score import Score, score

THRESHOLDS = {"one_way_dialogue": 0.5, "ignored_request": 0.5}
BANDS = [{"name": "good", "at_least": 80}, {"name": "poor", "at_least": 0}]


def talk(*lines: str, **signals: float) -> Findings:
    """``talk("C: text | distress", "A: text")``: a turn a line, labels after the bar at probability 0.9."""
    spoken = []
    for turn, line in enumerate(lines):
        who, _, rest = line.partition(": ")
        text, _, labels = rest.partition(" | ")
        role = "agent" if who == "A" else "customer"
        found = dict.fromkeys(labels.split(), 0.9)
        spoken.append(Spoken(turn, 0, len(text), text, role, found))  # type: ignore[arg-type]
    return Findings(spoken, {"one_way_dialogue": 0.0, "ignored_request": 0.0, **signals})


def rubric(*criteria: dict[str, Any], **parts: Any) -> Rubric:
    return Rubric.model_validate(
        {"name": "test", "version": "1", "title": "Test", "criterion": list(criteria), "band": BANDS, **parts}
    )


EMPATHY = {
    "kind": "answered", "name": "empathy", "title": "E", "weight": 30, "need": ["distress"], "answer": ["empathy"],
    "window": 1, "late": 0.25, "enough": 2,
}  # fmt: skip
RESPECT = {
    "kind": "avoided", "name": "respect", "title": "Respect", "weight": 50,
    "deduct": {"dismissive": 0.4, "blame": 0.2},
}  # fmt: skip
RESOLUTION = {
    "kind": "present", "name": "resolution", "title": "Resolution", "weight": 20,
    "credit": {"solution": 0.7, "ownership": 0.5},
}  # fmt: skip
DIALOGUE = {"kind": "unlikely", "name": "dialogue", "title": "Dialogue", "weight": 20, "signal": "one_way_dialogue",
            "customer_turns": 2}  # fmt: skip


def points(result: Score) -> dict[str, float | None]:
    return {criterion.name: criterion.points for criterion in result.criteria}


def test_score_is_the_weighted_mean_of_what_applies() -> None:
    found = talk("C: I am so tired of this | distress", "A: That is your problem | dismissive", "A: Done | solution")
    result = score(found, rubric(EMPATHY, RESPECT, RESOLUTION), THRESHOLDS)
    assert points(result) == {"empathy": 0.0, "respect": 0.6, "resolution": 0.7}
    assert result.total == round(100 * (30 * 0 + 50 * 0.6 + 20 * 0.7) / 100, 1) == 44.0
    assert result.band == "poor"


def test_score_leaves_out_what_nothing_called_for() -> None:
    result = score(talk("C: What are your hours", "A: Nine to five | solution"), rubric(EMPATHY, RESPECT), THRESHOLDS)
    assert points(result) == {"empathy": None, "respect": 1.0}
    assert result.total == 100.0
    assert not result.criteria[0].applicable
    assert result.criteria[0].why == "nothing called for it"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("C: oh no | distress", "A: poor you | empathy"), 1.0),
        (("C: oh no | distress", "A: number please", "C: 12", "A: poor you | empathy"), 0.25),
        (("C: oh no | distress", "A: number please"), 0.0),
        (("A: poor you | empathy", "C: oh no | distress", "A: number"), 0.0),
        (("C: oh no | distress", "C: really | distress", "A: poor you | empathy"), 1.0),
        (("C: oh | distress", "A: yes | empathy", "C: oh | distress", "A: next"), 0.5),
        (("C: oh | distress", "A: a | empathy", "C: oh | distress", "A: b | empathy", "C: oh | distress", "A: c"), 1.0),
    ],
)
def test_answered_counts_each_call_once(lines: tuple[str, ...], expected: float) -> None:
    assert points(score(talk(*lines), rubric(EMPATHY, RESPECT), THRESHOLDS))["empathy"] == expected


def test_last_words_of_the_customer_call_for_nothing() -> None:
    result = score(talk("A: bye", "C: this was awful | distress"), rubric(EMPATHY, RESPECT), THRESHOLDS)
    assert points(result)["empathy"] is None


def test_avoided_takes_the_dearest_label_of_an_utterance_once() -> None:
    result = score(talk("A: you should have read it | dismissive blame", "C: ok"), rubric(RESPECT), THRESHOLDS)
    assert points(result)["respect"] == 0.6


def test_avoided_takes_a_share_of_what_is_left_so_that_each_piece_shows() -> None:
    result = score(talk(*["A: no | dismissive"] * 4), rubric(RESPECT), THRESHOLDS)
    assert points(result)["respect"] == round(0.6**4, 4)
    assert [e.cost for e in result.criteria[0].evidence] == pytest.approx([round(21.6 - 13.0, 1)] * 4)


def test_present_gives_each_credit_once() -> None:
    found = talk("C: help", "A: done | solution", "A: done again | solution", "A: mine | ownership")
    assert points(score(found, rubric(RESOLUTION), THRESHOLDS))["resolution"] == 1.0


def test_unlikely_is_one_minus_the_probability() -> None:
    found = talk("C: a", "A: b", "C: c", one_way_dialogue=0.3)
    assert points(score(found, rubric(DIALOGUE), THRESHOLDS))["dialogue"] == 0.7
    assert points(score(talk("C: a", "A: b", one_way_dialogue=0.3), rubric(DIALOGUE), THRESHOLDS))["dialogue"] is None


def test_cost_is_the_difference_that_a_piece_makes() -> None:
    found = talk("C: oh | distress", "A: no | dismissive", "A: there | empathy")
    result = score(found, rubric(EMPATHY | {"window": 3}, RESPECT), THRESHOLDS)
    assert result.total == round(100 * (30 * 1 + 50 * 0.6) / 80, 1)
    costs = {(e.turn, e.label): e.cost for c in result.criteria for e in c.evidence}
    assert costs[1, "dismissive"] == pytest.approx(100.0 - 75.0)
    # Without the empathy the call for it stays, unanswered.
    assert costs[2, "empathy"] == pytest.approx(round(100 * 30 / 80, 1) - 75.0)


def test_cost_counts_in_every_criterion_that_the_label_is_part_of() -> None:
    other = EMPATHY | {"name": "apology", "answer": ["apology"]}
    result = score(talk("C: oh | distress", "A: next"), rubric(EMPATHY, other, RESPECT), THRESHOLDS)
    assert result.total == round(100 * 50 / 110, 1)
    assert [e.cost for c in result.criteria for e in c.evidence] == pytest.approx([54.5, 54.5])


def test_cap_limits_and_names_its_line() -> None:
    cap = {"name": "rude", "when": {"label": "hostility"}, "at_most": 40}
    found = talk("C: hello", "A: clever, are we | hostility", "A: welcome | courtesy")
    result = score(found, rubric(RESPECT, cap=[cap]), THRESHOLDS)
    assert result.total == 40.0
    assert [(c.name, c.at_most, c.turn, c.quote) for c in result.caps] == [("rude", 40.0, 1, "clever, are we")]


def test_polite_words_never_lift_a_cap() -> None:
    cap = {"name": "ignored", "when": {"signal": "ignored_request"}, "at_most": 40}
    courtesy = {"kind": "present", "name": "courtesy", "title": "C", "weight": 5, "credit": {"courtesy": 1.0}}
    found = talk("C: cancel it", *["A: of course, thank you | courtesy"] * 9, ignored_request=0.9)
    assert score(found, rubric(RESPECT, courtesy, cap=[cap]), THRESHOLDS).total == 40.0


def test_flags_need_as_many_as_the_rule_says() -> None:
    flag = {"name": "walls", "when": {"label": "dismissive", "at_least": 2}, "severity": "warning"}
    one = score(talk("C: a", "A: no | dismissive"), rubric(RESPECT, flag=[flag]), THRESHOLDS)
    two = score(talk("C: a", "A: no | dismissive", "A: never | dismissive"), rubric(RESPECT, flag=[flag]), THRESHOLDS)
    assert not one.flags
    assert [(f.name, f.severity) for f in two.flags] == [("walls", "warning")]


def test_occasion_counts_only_what_is_sure_enough() -> None:
    flag = {"name": "rude", "when": {"label": "hostility", "probability_at_least": 0.95}, "severity": "critical"}
    found = talk("C: a", "A: clever, are we | hostility")
    assert not score(found, rubric(RESPECT, flag=[flag]), THRESHOLDS).flags
    flag["when"] = {"label": "hostility", "probability_at_least": 0.9}
    assert score(found, rubric(RESPECT, flag=[flag]), THRESHOLDS).flags


def test_no_criterion_applies_is_no_number() -> None:
    result = score(talk("C: hello", "A: hi"), rubric(EMPATHY), THRESHOLDS)
    assert result.total is None and result.band is None
