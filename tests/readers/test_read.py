from __future__ import annotations

import gzip
import io
import json
import os
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from convqa.conversation import Conversation, Unreadable
from convqa.errors import UsageError
from convqa.readers import Format, Options, Source, formats, jsonl, read

LINE = '{"id": "%s", "turns": [{"role": "agent", "text": "Hei"}]}\n'


def ids(*inputs: str | Path) -> list[str]:
    return [found.id for found in read(*inputs)]


@pytest.fixture
def folder(write: Callable[..., Path], tmp_path: Path) -> Path:
    write("calls/b.jsonl", LINE % "b")
    write("calls/a.txt", "Agent: Hei\n")
    write("calls/2026/01/a.txt", "Agent: Hei\n")
    write("calls/2026/01/page.html", "<p>no</p>")
    write("calls/.hidden.txt", "Agent: Hei\n")
    write("calls/.git/a.txt", "Agent: Hei\n")
    write("calls/README.txt", "Note: these are calls\n")
    return tmp_path / "calls"


def test_folder_is_read_in_order_of_names(folder: Path) -> None:
    assert ids(folder) == ["a", "b", "2026/01/a"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.txt", ["README", "a"]),
        ("*", ["2026/01/a", "a", "b"]),
        ("**", ["2026/01/a", "a", "b"]),
        ("**/*.txt", ["2026/01/a", "README", "a"]),
        ("[b]*.jsonl", ["b"]),
    ],
)
def test_globs(folder: Path, pattern: str, expected: list[str]) -> None:
    assert sorted(id.rpartition("calls/")[2] for id in ids(f"{folder}/{pattern}")) == sorted(expected)


def test_name_with_brackets_is_a_file_first(write: Callable[..., Path]) -> None:
    assert ids(write("call[1].jsonl", LINE % "x")) == ["x"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing.jsonl", "there is no such file or folder"),
        ("missing/*.txt", "no file has this pattern"),
        ("empty", "this folder has no file with a suffix that can be read"),
    ],
)
def test_nothing_there_is_told_and_the_rest_is_read(folder: Path, name: str, reason: str) -> None:
    (folder / "empty").mkdir()
    bad, good = read(folder / name, folder / "b.jsonl")
    assert isinstance(bad, Unreadable)
    assert bad.reason.startswith(reason)
    assert good.id == "b"


def test_progress_is_told_in_bytes_of_all_inputs(write: Callable[..., Path]) -> None:
    one, two = write("one.txt", "Agent: Hei\n"), write("two.jsonl", (LINE % "x") * 5000)
    told: list[tuple[int, int]] = []
    assert sum(1 for _ in read(one, two, watch=lambda *bytes_read: told.append(bytes_read))) == 5001
    total = one.stat().st_size + two.stat().st_size
    assert told[0] == (one.stat().st_size, total)
    assert told[2500][0] == pytest.approx(total / 2, rel=0.2)
    assert told[-1] == (total, total)
    assert told == sorted(told)


def test_progress_of_standard_input_has_no_total(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO((LINE % "x").encode())))
    told: list[int] = []
    assert [found.id for found in read("-", watch=lambda read, total: told.append(total))] == ["x"]
    assert told == [0]


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO((LINE % "x" + "oops\n").encode())))
    good, bad = read("-")
    assert (good.id, good.source) == ("x", "standard input")
    assert (bad.id, bad.source, bad.place) == ("stdin-2", "standard input", "line 2")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_read_once_and_seen_twice(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("call,role,text\na,agent,Hi\n",))
    writer.start()
    (found,) = read(pipe)
    writer.join()
    assert isinstance(found, Conversation)
    assert found.id == "pipe"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.jsonl", b"", "is empty"),
        ("a.csv", b"\xef\xbb\xbf \n\n", "is empty"),
        ("a.csv", b"PK\x03\x04rest", "is a zip archive or an Excel workbook; unpack it, or save the sheet as CSV"),
        ("a.jsonl", gzip.compress(b"{}"), "is a gzip archive; unpack it first"),
        ("a.txt", bytes(range(1, 32)) * 20, "is binary (it begins with bytes 01 02 03 04 05 06 07 08)"),
        ("a.wav", b"RIFF\x00\x00", "is audio or video; transcribe it first"),
        ("a.xyz", b"just some words\n", "is of no known format; it begins with 'just some words"),
        ("a.parquet", b"PAR1", "is not a whole Parquet file"),
    ],
)
def test_unknown_content_is_named(
    write: Callable[..., Path], bad: Callable[..., Unreadable], name: str, content: bytes, reason: str
) -> None:
    assert bad(write(name, content)).reason.startswith(reason)


def test_random_bytes_under_any_suffix_give_no_traceback(write: Callable[..., Path]) -> None:
    rubbish = bytes((7 * n * n + 13 * n) % 256 for n in range(3000))
    for suffix in {suffix for format in formats() for suffix in format.suffixes}:
        for content in (
            rubbish,
            b"PAR1" + rubbish,
            b"WEBVTT\n\n" + rubbish,
            b'{"turns": ' + rubbish,
            b"role,text\n" + rubbish,
        ):
            for found in read(write(f"rubbish{suffix}", content)):
                assert isinstance(found, Unreadable) or content.startswith(b"role"), (suffix, content[:8])


@pytest.mark.parametrize(
    ("name", "content", "format"),
    [
        ("calls.txt", LINE % "x", "jsonl"),
        ("export.log", "samtale_id;rolle;tekst\nx;Kunde;Hei\n", "csv"),
        ("x", "WEBVTT\n\n00:01.000 --> 00:02.000\n<v Agent>Hei\n", "captions"),
        ("x.txt", "1\n00:00:01,000 --> 00:00:02,000\nAgent: Hei\n", "captions"),
        ("x", "Agent: Hello, text\nCustomer: Hi\n", "text"),
        ("x.data", json.dumps({"segments": [{"text": "Hei", "start": 1, "speaker": "A"}]}), "whisperx"),
    ],
)
def test_content_decides_before_the_suffix(write: Callable[..., Path], name: str, content: str, format: str) -> None:
    source = Source(write(name, content))
    assert [found.id for found in read(source.path)] == ["x"]
    first = next(known for known in formats() if known.recognise(source))
    assert first.name == format


@pytest.mark.parametrize(
    ("name", "hint"),
    [("jsonlines", "Did you mean 'jsonl'"), ("xlsx", "Formats: parquet, captions, amazon, whisperx, jsonl, csv, text")],
)
def test_unknown_format_is_told_before_anything_is_read(name: str, hint: str) -> None:
    with pytest.raises(UsageError, match=hint):
        read("missing.jsonl", format=name)


@pytest.mark.parametrize("name", ["csv", "CSV", "tsv"])
def test_format_is_believed(write: Callable[..., Path], name: str) -> None:
    (found,) = read(write("x.txt", "role,text\nagent,Kunde: hei\n"), format=name)
    assert found.turns[0].text == "Kunde: hei"


def test_a_mistake_in_a_reader_loses_only_its_file(write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(source: Source, options: Options) -> Iterator[Conversation | Unreadable]:
        yield Conversation("before", ())
        raise RuntimeError("out of luck")

    format = Format("broken", "broken files", (".broken",), lambda source: source.suffix == ".broken", broken)
    monkeypatch.setattr("convqa.readers.FORMATS", (format, jsonl.FORMAT))
    before, bad, after = read(write("a.broken", "x"), write("b.jsonl", LINE % "after"))
    assert (before.id, after.id) == ("before", "after")
    assert bad.reason == "cannot be read as broken files; RuntimeError: out of luck"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_forbidden_file(write: Callable[..., Path], bad: Callable[..., Unreadable]) -> None:
    path = write("a.jsonl", LINE % "x")
    path.chmod(0)
    assert "Permission denied" in bad(path).reason


def test_every_conversation_is_valid_text_and_json(data: Path) -> None:
    for found in read(data):
        assert isinstance(found, Conversation)
        json.dumps(found.metadata, allow_nan=False).encode()
        assert all(turn.role or turn.speaker for turn in found.turns)
        assert all(turn.text.encode() for turn in found.turns)


@pytest.mark.parametrize("name", ["many.jsonl", "many.csv"])
def test_memory_does_not_grow_with_the_number_of_conversations(write: Callable[..., Path], name: str) -> None:
    def peak(count: int) -> int:
        if name.endswith("csv"):
            content = "call_id,role,text\n" + "".join(f"{n},agent,{'hei ' * 250}\n" for n in range(count))
        else:
            content = "".join(
                json.dumps({"turns": [{"role": "agent", "text": "hei " * 250}]}) + "\n" for _ in range(count)
            )
        path = write(name, content)
        del content
        tracemalloc.start()
        assert sum(1 for _ in read(path)) == count
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    assert peak(8_000) < peak(2_000) + 3_000_000  # 6 MB of text more
