"""A model's folder comes back as it was written, or is refused with the file's name."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convqa import artifact
from convqa.artifact import installed_models, open_artifact, sha256, write_artifact
from convqa.errors import ModelError

Change = Callable[[Path], object]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_artifact(
        tmp_path / "model",
        kind="toy",
        meta={"name": "toy", "version": "1.2", "labels": ["empathy"]},
        arrays={"a": np.arange(6.0).reshape(2, 3).T, "b": np.array([1, 2], np.int32)},
        lists={"words": ["æ", " b", "", "c\r"]},
        card="# Toy\n",
    )
    return tmp_path / "model"


def test_artifact_comes_back_as_written(folder: Path) -> None:
    found = open_artifact(folder, "toy")
    assert (found.name, found.meta["labels"]) == ("toy 1.2", ["empathy"])
    arrays = found.arrays()
    np.testing.assert_array_equal(arrays["a"], [[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]])
    np.testing.assert_array_equal(arrays["b"], [1, 2])
    assert arrays["b"].dtype == np.int32
    assert found.lines("words") == ["æ", " b", "", "c\r"]
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md",
        "meta.json",
        "weights.safetensors",
        "words.txt",
    ]


def test_digest_follows_content_not_place(folder: Path, tmp_path: Path) -> None:
    first = open_artifact(folder, "toy").digest
    assert open_artifact(folder.rename(tmp_path / "elsewhere"), "toy").digest == first
    for value, labels, same in ((0.0, ["empathy"], True), (1.0, ["empathy"], False), (0.0, ["apology"], False)):
        write_artifact(
            tmp_path / "other",
            kind="toy",
            meta={"name": "toy", "version": "1.2", "labels": labels},
            arrays={"a": np.arange(6.0).reshape(2, 3).T + value, "b": np.array([1, 2], np.int32)},
            lists={"words": ["æ", " b", "", "c\r"]},
            card="another card",
        )
        assert (open_artifact(tmp_path / "other", "toy").digest == first) is same


def test_a_line_break_in_a_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'words' holds a line break"):
        write_artifact(tmp_path, kind="toy", meta={}, arrays={}, lists={"words": ["a\nb"]}, card="")


def in_meta(**changes: Any) -> Change:
    def change(folder: Path) -> None:
        path = folder / "meta.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return change


def one_byte(name: str) -> Change:
    def change(folder: Path) -> None:
        data = bytearray((folder / name).read_bytes())
        data[-1] ^= 1
        (folder / name).write_bytes(data)

    return change


DAMAGE: dict[str, tuple[Change, str, str]] = {
    "no meta": (lambda folder: (folder / "meta.json").unlink(), "", "no model here (meta.json cannot be read: "),
    "not JSON": (lambda folder: (folder / "meta.json").write_text("{"), "meta.json", "not valid JSON"),
    "not text": (lambda folder: (folder / "meta.json").write_bytes(b"\xff{}"), "meta.json", "not valid JSON"),
    "a list": (
        lambda folder: (folder / "meta.json").write_text("[]"),
        "meta.json",
        "is list; an object is wanted",
    ),
    "other kind": (in_meta(kind="cake"), "meta.json", "kind is 'cake'; a model of kind 'toy' is wanted here"),
    "other format": (in_meta(format=99), "meta.json", "format 99; this convqa reads format 1"),
    "no sums": (in_meta(files=None), "meta.json", "'files' is missing"),
    "no weights": (
        lambda folder: (folder / "weights.safetensors").unlink(),
        "",
        "file 'weights.safetensors' is missing",
    ),
    "no list": (lambda folder: (folder / "words.txt").unlink(), "", "file 'words.txt' is missing"),
    "changed weights": (one_byte("weights.safetensors"), "weights.safetensors", "not the file that was trained"),
    "changed list": (one_byte("words.txt"), "words.txt", "not the file that was trained"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_damage_is_refused_and_named(folder: Path, case: str) -> None:
    change, name, message = DAMAGE[case]
    change(folder)
    with pytest.raises(ModelError) as refused:
        open_artifact(folder, "toy")
    assert str(refused.value).startswith(f"{folder / name}: {message}")


@pytest.mark.parametrize(
    "name", ["../secret.txt", "inner/../../secret.txt", "/etc/hostname", "inner/words.txt", ".", ""]
)
def test_only_files_of_the_folder_itself_are_looked_at(folder: Path, name: str) -> None:
    (folder / "inner").mkdir()
    (folder / "inner" / "words.txt").write_text("x")
    (folder.parent / "secret.txt").write_text("x")
    target = folder / name
    in_meta(files={name: sha256(target) if target.is_file() else ""})(folder)
    with pytest.raises(ModelError, match=f"file '{name}' is missing"):
        open_artifact(folder, "toy")


class Exploit:
    """Leaves a file behind if it is ever unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.trace,)


def test_nothing_is_ever_unpickled(folder: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    pickle.loads(pickle.dumps(Exploit(trace)))  # noqa: S301 - it does work
    trace.unlink()
    path = folder / "weights.safetensors"
    path.write_bytes(pickle.dumps(Exploit(trace)))
    in_meta(files={path.name: sha256(path)})(folder)  # whoever swaps the weights can write their sum, too
    found = open_artifact(folder, "toy")
    with pytest.raises(ModelError) as refused:
        found.arrays()
    assert str(refused.value).startswith(f"{path}: cannot be read (")
    assert not trace.exists()


def test_a_list_that_the_sums_do_not_name_is_told(folder: Path) -> None:
    with pytest.raises(ModelError) as refused:
        open_artifact(folder, "toy").lines("chars")
    assert str(refused.value).startswith(f"{folder / 'chars'}.txt: cannot be read")


def test_installed_models_of_both_shapes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spacy = folder.parent / "segmenter"
    (spacy / "inner").mkdir(parents=True)
    (spacy / "inner" / "weights").write_bytes(b"x" * 500_000)
    ours = {"version": "1.0.0", "trained_on": "ud-danish-ddt", "headline": "F1 0.9"}
    (spacy / "meta.json").write_text(
        json.dumps({"lang": "xx", "name": "senter", "version": "0", "pipeline": [], "convqa": ours})
    )
    in_meta(data={"conversations": 7})(folder)
    (folder.parent / "plain").mkdir()
    (folder.parent / "plain" / "meta.json").write_text("{}")
    monkeypatch.setattr(artifact, "models_folder", lambda: folder.parent)
    toy, plain, segmenter = installed_models()
    assert (toy.name, toy.version, toy.trained_on, toy.headline) == ("toy", "1.2", "7 conversations", "")
    assert (plain.name, plain.version, plain.trained_on) == ("plain", "", "")
    assert (segmenter.name, segmenter.version, segmenter.trained_on) == ("senter", "1.0.0", "ud-danish-ddt")
    assert (segmenter.headline, round(segmenter.megabytes, 1)) == ("F1 0.9", 0.5)


@pytest.mark.parametrize(("text", "message"), [("{", "cannot be read"), ("[]", "is list; an object is wanted")])
def test_installed_models_names_the_broken_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    (folder / "meta.json").write_text(text)
    monkeypatch.setattr(artifact, "models_folder", lambda: folder.parent)
    with pytest.raises(ModelError, match=f"meta.json: {message}"):
        installed_models()


def test_bundled_models_are_whole() -> None:
    for path in sorted(artifact.models_folder().glob("*/weights.safetensors")):
        meta = json.loads((path.parent / "meta.json").read_text("utf-8"))
        assert open_artifact(path.parent, meta["kind"]).arrays(), path
