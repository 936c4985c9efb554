import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from convqa.errors import UsageError
from convqa.report import (
    Cap,
    CriterionScore,
    Evidence,
    Flag,
    Provenance,
    Record,
    Roles,
    ScoredTurn,
    Utterance,
)
from convqa.write import RECORD_SCHEMA, from_json, open_writer, to_json

PROVENANCE = Provenance("0.1.0", "nordic", "ab" * 32, "standard", "cd" * 32)

SCORED = Record(
    id="call-0001",
    source="calls/0001.json",
    language="nb",
    channel="call",
    status="scored",
    reason=None,
    score=63.4,
    band="needs_attention",
    criteria=(
        CriterionScore(
            "empathy", 15.0, True, 0.5, "møtt én gang", (Evidence(1, 0, 13, "Det må du ta ", "dismissive", 0.97, 9.1),)
        ),
        CriterionScore("apology", 10.0, False, None, "nothing called for it"),
    ),
    caps=(Cap("ignored_request", 40.0, 1, "Det må du ta"), Cap("hostility", 30.0, None, None)),
    flags=(Flag("ignored_request", 1, "Det må du ta", "critical"), Flag("one_way_dialogue", None, None, "warning")),
    signals={"agent_word_share": 0.72, "longest_silence": None},
    turns=(
        ScoredTurn("customer", "spk_1", 0.4, 3.1, "Hei, «hallo» 😀", "opening", (Utterance(0, 4, {}),)),
        ScoredTurn(
            "agent",
            "spk_0",
            None,
            None,
            "Det må du ta med noen andre.",
            None,
            (Utterance(0, 28, {"dismissive": 0.97}),),
        ),
    ),
    roles=Roles("inferred", ("spk_0",), 0.64, False),
    language_probability=0.98,
    metadata={"agent_id": "a17", "csat": 4, "nested": {"tags": ["å", None, True]}},
    provenance=PROVENANCE,
)
FAILED = Record(
    id="calls/x.json",
    source="calls/x.json",
    language=None,
    channel=None,
    status="failed",
    reason="line 3: not valid JSON",
    score=None,
    band=None,
    criteria=(),
    caps=(),
    flags=(),
    signals={},
    turns=(),
    roles=None,
    language_probability=None,
    metadata={},
    provenance=PROVENANCE,
)


def write(path: Path, *records: Record, **columns: list[str]) -> Path:
    with open_writer(path, **columns) as writer:
        for record in records:
            writer.write(record)
    return path


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))


@pytest.mark.parametrize("record", [SCORED, FAILED], ids=["scored", "failed"])
def test_json_comes_back_as_the_same_record(record):
    assert from_json(to_json(record)) == record


def test_json_is_utf8_on_one_line_in_the_order_of_the_fields():
    line = to_json(replace(SCORED, reason="to\nlinjer"))
    assert "Det må du ta med noen andre." in line.decode() and "😀".encode() in line
    assert b"\n" not in line
    assert list(json.loads(line)) == list(Record.__slots__)


def test_json_keeps_offsets_true_where_half_a_surrogate_pair_cannot_be_written():
    turn = replace(SCORED.turns[1], text="\ud83dDet må du ta med noen andre.")
    back = from_json(to_json(replace(SCORED, turns=(turn,), metadata={"\udc00": "\udc00"})))
    assert back.turns[0].text == "\ufffd" + SCORED.turns[1].text
    assert back.metadata == {"\ufffd": "\ufffd"}


@pytest.mark.parametrize("line", ["{}", "[1]", "{", to_json(SCORED)[:-5]])
def test_from_json_refuses_what_is_not_a_record(line):
    with pytest.raises(ValueError):
        from_json(line)


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".JSONL"])
def test_json_lines_hold_every_record_in_order(tmp_path, suffix):
    path = write(tmp_path / f"out{suffix}", FAILED, SCORED)
    lines = path.read_bytes().split(b"\n")
    assert lines.pop() == b""
    assert [from_json(line) for line in lines] == [FAILED, SCORED]


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_same_records_give_the_same_bytes(tmp_path, suffix):
    first = write(tmp_path / f"one{suffix}", FAILED, SCORED)
    again = write(tmp_path / f"two{suffix}", FAILED, SCORED)
    assert first.read_bytes() == again.read_bytes()


@pytest.mark.parametrize("path", [None, "-"])
def test_without_a_path_records_go_to_standard_output(capfdbinary, path):
    with open_writer(path) as writer:
        writer.write(SCORED)
    assert capfdbinary.readouterr().out == to_json(SCORED) + b"\n"


@pytest.mark.parametrize("name", ["scores.xlsx", "scores", "scores.jsonl.gz"])
def test_unknown_suffix_names_the_ones_that_do(tmp_path, name):
    with pytest.raises(UsageError, match=r"\.jsonl.*\.csv.*\.parquet"):
        open_writer(tmp_path / name)


def test_missing_folder_and_folder_as_a_file_are_told_before_any_work(tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        open_writer(tmp_path / "nowhere" / "scores.csv")
    (tmp_path / "scores.csv").mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        open_writer(tmp_path / "scores.csv")


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_an_exception_leaves_the_folder_as_it_was(tmp_path, suffix):
    path = tmp_path / f"scores{suffix}"
    path.write_bytes(b"yesterday")
    with pytest.raises(KeyboardInterrupt), open_writer(path) as writer:
        writer.write(SCORED)
        assert path.read_bytes() == b"yesterday"
        raise KeyboardInterrupt
    assert path.read_bytes() == b"yesterday"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_the_file_appears_only_at_the_end_and_readable_as_usual(tmp_path, suffix):
    path, other = tmp_path / f"scores{suffix}", tmp_path / "other"
    with open_writer(path) as writer:
        writer.write(SCORED)
        assert not path.exists()
    other.touch()
    assert path.stat().st_mode == other.stat().st_mode
    assert set(tmp_path.iterdir()) == {path, other}


def test_csv_row_of_a_scored_conversation(tmp_path):
    path = write(tmp_path / "scores.csv", SCORED)
    assert path.read_bytes().startswith("\ufeffid,source,".encode())
    assert rows(path) == [
        {
            "id": "call-0001",
            "source": "calls/0001.json",
            "language": "nb",
            "channel": "call",
            "status": "scored",
            "reason": "",
            "score": "63.4",
            "band": "needs_attention",
            "criterion_empathy": "0.5",
            "criterion_apology": "",
            "caps": "ignored_request;hostility",
            "flags": "ignored_request;one_way_dialogue",
            "signal_agent_word_share": "0.72",
            "signal_longest_silence": "",
            "agents": "spk_0",
            "roles_confident": "false",
            "convqa": "0.1.0",
            "model": "nordic",
            "model_sha256": "ab" * 32,
            "rubric": "standard",
            "rubric_sha256": "cd" * 32,
        }
    ]


def test_csv_columns_come_from_the_first_scored_record_though_failures_come_first(tmp_path):
    got = rows(write(tmp_path / "scores.csv", FAILED, replace(FAILED, id="å"), SCORED, FAILED))
    assert [row["id"] for row in got] == ["calls/x.json", "å", "call-0001", "calls/x.json"]
    assert [row["criterion_empathy"] for row in got] == ["", "", "0.5", ""]
    assert {len(row) for row in got} == {21}


def test_csv_columns_can_be_stated(tmp_path):
    got = rows(write(tmp_path / "scores.csv", FAILED, criteria=["empathy", "respect"], signals=["a"]))
    assert {"criterion_empathy", "criterion_respect", "signal_a"} <= set(got[0])


def test_csv_without_any_scored_record_still_has_its_rows(tmp_path):
    skipped = replace(FAILED, status="skipped", signals={"agent_word_share": 1.0})
    assert [row["signal_agent_word_share"] for row in rows(write(tmp_path / "a.csv", FAILED, skipped))] == ["", "1.0"]


def test_csv_refuses_a_criterion_that_the_columns_do_not_have(tmp_path):
    stranger = replace(SCORED, criteria=(CriterionScore("respect", 1.0, True, 1.0, ""),))
    with pytest.raises(ValueError, match="criterion_respect"):
        write(tmp_path / "scores.csv", SCORED, stranger)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("met", "written"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+47 22 33 44 55", "'+47 22 33 44 55"),
        ("-1+cmd|' /C calc'!A0", "'-1+cmd|' /C calc'!A0"),
        ("@SUM(1)", "'@SUM(1)"),
        ("\t=1", "'\t'=1"),
        ("\r=1", "'\r'=1"),
        ("a;=1", "a;'=1"),
        ("＝1", "'＝1"),
        ("-42", "-42"),
        ("-4.25", "-4.25"),
        ("a-b = c", "a-b = c"),
        ('say "hi", twice\nhere', 'say "hi", twice\nhere'),
    ],
)
def test_csv_makes_formulas_harmless(tmp_path, met, written):
    assert rows(write(tmp_path / "a.csv", replace(SCORED, id=met, reason=met)))[0]["id"] == written


def test_csv_leaves_negative_numbers_alone(tmp_path):
    record = replace(SCORED, signals={"trend": -0.5})
    assert rows(write(tmp_path / "a.csv", record))[0]["signal_trend"] == "-0.5"


def test_parquet_has_the_stated_schema_and_the_values(tmp_path):
    path = write(tmp_path / "scores.parquet", SCORED, FAILED)
    assert pq.read_schema(path).equals(RECORD_SCHEMA)
    assert pq.read_schema(path).metadata == RECORD_SCHEMA.metadata
    scored, failed = pq.read_table(path).to_pylist()
    assert scored["metadata"] == '{"agent_id":"a17","csat":4,"nested":{"tags":["å",null,true]}}'
    assert dict(scored["signals"]) == SCORED.signals
    assert dict(scored["turns"][1]["utterances"][0]["labels"]) == {"dismissive": 0.97}
    assert scored["criteria"][0]["evidence"][0]["cost"] == 9.1
    assert scored["caps"][0] == {"name": "ignored_request", "at_most": 40.0, "turn": 1, "quote": "Det må du ta"}
    assert scored["criteria"][1]["points"] is None
    assert scored["roles"] == {"origin": "inferred", "agents": ["spk_0"], "probability": 0.64, "confident": False}
    assert (failed["roles"], failed["turns"], failed["score"]) == (None, [], None)


def test_parquet_columns_are_the_fields_of_a_record():
    assert RECORD_SCHEMA.names == list(Record.__slots__)
    assert RECORD_SCHEMA.metadata == {b"convqa.schema": b"1"}


def test_parquet_is_written_in_groups(tmp_path, monkeypatch):
    monkeypatch.setattr("convqa.write._ROWS_A_GROUP", 2)
    path = write(tmp_path / "scores.parquet", *[SCORED] * 5)
    file = pq.ParquetFile(path)
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [2, 2, 1]


def test_parquet_writes_half_a_surrogate_pair_as_the_replacement_character(tmp_path):
    path = write(tmp_path / "a.parquet", replace(SCORED, id="\ud83d", metadata={"a": "\ud83d"}))
    assert pq.read_table(path, columns=["id", "metadata"]).to_pylist() == [
        {"id": "\ufffd", "metadata": '{"a":"\ufffd"}'}
    ]


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_no_records_make_an_empty_file_that_can_be_read(tmp_path, suffix):
    path = write(tmp_path / f"scores{suffix}")
    if suffix == ".parquet":
        assert pq.read_table(path).num_rows == 0
    elif suffix == ".csv":
        assert rows(path) == []
    else:
        assert path.read_bytes() == b""
