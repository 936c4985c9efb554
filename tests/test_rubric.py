"""A rubric is checked on reading, and an error says where and what would do."""

from __future__ import annotations

from pathlib import Path

import pytest

from convqa.errors import RubricError
from convqa.rubric import default_path, load_rubric

DEFAULT = default_path().read_text("utf-8")


def test_default_rubric_weighs_100_and_has_unique_digest() -> None:
    found = load_rubric()
    assert sum(criterion.weight for criterion in found.rubric.criterion) == 100
    assert len(found.digest) == 64
    assert found.name == "default 1.0.0"


@pytest.mark.parametrize(
    ("score", "band"), [(100, "good"), (80, "good"), (79.9, "acceptable"), (44.9, "poor"), (0, "poor")]
)
def test_band_of_score(score: float, band: str) -> None:
    assert load_rubric().rubric.band_of(score) == band


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("weight = 15", "weight = -1", "criterion 1 weight: Input should be greater than 0 (met -1)"),
        ('answer = ["apology"]', 'answer = ["apologies"]', "criterion 6 answer 1: Input should be 'empathy'"),
        ('kind = "unlikely"', 'kind = "maybe"', "criterion 2"),
        ("at_least = 80", "at_least = 10", "bands start at [10.0, 65.0, 45.0, 0.0]"),
        ('name = "respect"', 'name = "empathy"', "criterion 'empathy' is there twice"),
        ("need_words = 8  ", "need_wrods = 8  ", "need_wrods: Extra inputs are not permitted"),
        ('when = { label = "hostility", probability_at_least = 0.5 }', "when = {}", "give either 'label' or 'signal'"),
        ('version = "1.0.0"', "version = ", "not valid TOML"),
        ("weight = 10", "weight = nan", "criterion 2 weight"),
    ],
)
def test_error_names_place_and_remedy(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in DEFAULT
    path = tmp_path / "mine.toml"
    path.write_text(DEFAULT.replace(old, new, 1), "utf-8")
    with pytest.raises(RubricError) as error:
        load_rubric(path)
    assert str(error.value).startswith(str(path))
    assert message in str(error.value)


def test_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(RubricError, match="cannot be read"):
        load_rubric(tmp_path / "none.toml")


def test_bytes_that_are_no_text_are_said(tmp_path: Path) -> None:
    path = tmp_path / "binary.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RubricError, match="not UTF-8"):
        load_rubric(path)
