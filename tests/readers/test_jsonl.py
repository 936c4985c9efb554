from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from convqa.conversation import Conversation, Turn, Unreadable
from convqa.readers import read

GOOD = {"id": "ok", "turns": [{"role": "agent", "text": "Hei"}]}
AGENT = {"role": "agent", "text": "Hei"}


def test_all_fields(data: Path) -> None:
    first, second = read(data / "calls.jsonl")
    assert first == Conversation(
        "call-1",
        (
            Turn("Fjordkraft, du snakker med Tore.", "agent", None, 0.4, 3.1),
            Turn("Hei, strømmen er borte.", "customer", "spk_1", 3.3, 5.0),
        ),
        "nb",
        "call",
        {"agent_id": "a17", "csat": 4},
        (data / "calls.jsonl").as_posix(),
    )
    assert (second.id, second.language, second.metadata) == ("calls-3", "sv", {"queue": "faktura"})
    assert [turn.role for turn in second.turns] == ["agent", "customer"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("one.json", json.dumps(GOOD)),
        ("one.json", json.dumps(GOOD, indent=2)),
        ("one.json", "\n\n" + json.dumps(GOOD) + "\n\n"),
        ("list.json", json.dumps([GOOD])),
        ("list.json", json.dumps([GOOD], indent=2)),
        ("lines.jsonl", json.dumps(GOOD)),
        ("lines.ndjson", "\r\n" + json.dumps(GOOD) + "\r\n"),
        ("odd.json", '{"turns": [{"role": "agent", "text": "Hei"}], "metadata": {}\n, "id": "ok"}'),
        ("no-suffix", json.dumps(GOOD, indent="\t")),
    ],
)
def test_lines_object_and_array(
    write: Callable[..., Path], one: Callable[..., Conversation], name: str, content: str
) -> None:
    path = write(name, content)
    assert one(path) == Conversation("ok", (Turn("Hei", "agent"),), source=path.as_posix())


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ({"turns": [AGENT, AGENT, {"role": "bot", "text": "x"}]}, "turns[2].role is 'bot'; use agent or customer"),
        ({"turns": [{"text": "x"}]}, "turns[0] has neither role nor speaker; give one of them"),
        ({"turns": [{"text": "x", "speaker": " "}]}, "turns[0] has neither role nor speaker; give one of them"),
        ({"turns": [AGENT, {"role": "agent"}]}, "turns[1].text is missing"),
        ({"turns": [{"role": "agent", "text": None}]}, "turns[0].text is null: input should be a valid string"),
        ({"turns": [{"role": "agent", "text": 3}]}, "turns[0].text is 3: input should be a valid string"),
        ({"turns": [{**AGENT, "start": -1}]}, "turns[0].start is -1; use seconds from the start, zero or more"),
        ({"turns": [{**AGENT, "start": "soon"}]}, "turns[0].start is 'soon'; use seconds from the start"),
        ({"turns": [{**AGENT, "end": float("inf")}]}, "turns[0].end is inf; use seconds"),
        ({"turns": [{**AGENT, "start": 5, "end": 4.5}]}, "turns[0].end is 4.5, before its start 5"),
        ({"turns": "Hei"}, "turns is 'Hei': input should be a valid list"),
        ({"turns": [AGENT], "metadata": 3}, "metadata is 3: input should be a valid dictionary"),
        ({"turns": [AGENT], "language": ["nb"]}, "language is ['nb']: input should be a valid string"),
        ({"text": "Hei", "speaker": "a"}, "has no 'turns'; its fields are text, speaker."),
        ([GOOD], "not an object with 'turns'"),
        (17, "is 17, not an object with 'turns'"),
    ],
)
def test_bad_line_is_named_and_stops_no_other(write: Callable[..., Path], line: Any, reason: str) -> None:
    lines = [json.dumps(GOOD), json.dumps(line), json.dumps({**GOOD, "id": "ok-2"})]
    first, bad, last = read(write("calls.jsonl", "\n".join(lines)))
    assert (first.id, last.id) == ("ok", "ok-2")
    assert isinstance(bad, Unreadable)
    assert (bad.id, bad.place) == ("calls-2", "line 2")
    assert bad.source.endswith("/calls.jsonl")
    assert reason in bad.reason


@pytest.mark.parametrize(
    "line",
    [
        '{"id": "x", "turns": [',
        '{"turns" 1}',
        '{"a": ' + "[" * 5000 + "]" * 5000 + "}",
        '{"a": ' + "9" * 5000 + "}",
        "Agent: hei",
        "}",
    ],
)
def test_broken_json_is_named_with_its_place(write: Callable[..., Path], line: str) -> None:
    first, bad, last = read(write("calls.jsonl", f"{json.dumps(GOOD)}\n{line}\n{json.dumps(GOOD)}\n"))
    assert first.id == last.id == "ok"
    assert (bad.place, bad.id) == ("line 2", "calls-2")
    assert bad.reason.startswith("is not valid JSON at character ")


def test_first_line_may_be_the_bad_one(write: Callable[..., Path]) -> None:
    for name in ("calls.jsonl", "calls.json", "calls"):
        bad, good = read(write(name, '{"turns" 1}\n' + json.dumps(GOOD) + "\n"))
        assert (bad.place, good.id) == ("line 1", "ok"), name


def test_bad_conversation_keeps_its_own_id(write: Callable[..., Path], bad: Callable[..., Unreadable]) -> None:
    assert bad(write("c.jsonl", '{"id": 77, "turns": [{}]}')).id == "77"


def test_broken_document_names_the_line(write: Callable[..., Path], bad: Callable[..., Unreadable]) -> None:
    found = bad(write("c.json", '{\n "id": "x",\n "turns": oops\n}'))
    assert found.place == "line 3 column 11"
    assert "is not valid JSON: expected value" in found.reason


def test_bad_item_of_an_array_is_numbered(write: Callable[..., Path]) -> None:
    good, bad = read(write("c.json", json.dumps([GOOD, {"turns": [{}]}], indent=1)))
    assert (good.id, bad.id, bad.place, bad.reason) == ("ok", "c-2", "conversation 2", "turns[0].text is missing")


@pytest.mark.parametrize("content", ["[]", "[{}]", '[{"dialog": []}]'])
def test_array_of_something_else_is_said_once(
    write: Callable[..., Path], bad: Callable[..., Unreadable], content: str
) -> None:
    assert "nothing has 'turns'" in bad(write("c.json", content)).reason


def test_no_turns_is_a_conversation_all_the_same(write: Callable[..., Path], one: Callable[..., Conversation]) -> None:
    assert one(write("c.jsonl", '{"id": "x", "turns": []}')).turns == ()


def test_missing_numbers_of_pandas_are_missing(write: Callable[..., Path], one: Callable[..., Conversation]) -> None:
    line = {"turns": [{**AGENT, "start": float("nan"), "end": 2.0}], "csat": float("nan"), "language": float("nan")}
    found = one(write("c.jsonl", json.dumps(line)))
    assert (found.turns[0].start, found.turns[0].end, found.metadata, found.language) == (
        None,
        2.0,
        {"csat": None},
        None,
    )


def test_language_and_channel_that_we_do_not_have_are_kept(
    write: Callable[..., Path], one: Callable[..., Conversation]
) -> None:
    found = one(write("c.jsonl", json.dumps({**GOOD, "language": "de", "channel": "fax"})))
    assert (found.language, found.channel, found.metadata) == ("de", None, {"channel": "fax"})


def test_unknown_fields_become_metadata_below_the_metadata_itself(
    write: Callable[..., Path], one: Callable[..., Conversation]
) -> None:
    line = {**GOOD, "csat": 3, "score": 9, "deep": {"list": [1, {"a": None}]}, "metadata": {"csat": 4}}
    found = one(write("c.jsonl", json.dumps(line)))
    assert found.metadata == {"csat": 4, "score": 9, "deep": {"list": [1, {"a": None}]}}


def test_scored_record_can_be_read_again(write: Callable[..., Path], one: Callable[..., Conversation]) -> None:
    record = {**GOOD, "status": "scored", "score": 63.4, "criteria": [], "provenance": {"convqa": "0.1.0"}, "kept": 1}
    assert one(write("c.jsonl", json.dumps(record))).metadata == {"kept": 1}


def test_unknown_role_beside_a_speaker_is_no_role(write: Callable[..., Path], one: Callable[..., Conversation]) -> None:
    turns = [
        {"role": "bot", "speaker": "Kocko", "text": "Hej"},
        {"speaker": "Kunde 2", "text": "Hej"},
        {"role": "", "speaker": 3, "text": ""},
    ]
    found = one(write("c.jsonl", json.dumps({"turns": turns})))
    assert [(turn.role, turn.speaker) for turn in found.turns] == [
        (None, "Kocko"),
        ("customer", "Kunde 2"),
        (None, "3"),
    ]


def test_a_megabyte_of_text_and_many_turns(write: Callable[..., Path], one: Callable[..., Conversation]) -> None:
    long = "Å " * 500_000
    turns = [{"role": "agent", "text": long}] + [{"role": "customer", "text": "nei"}] * 20_000
    found = one(write("c.jsonl", json.dumps({"turns": turns}, ensure_ascii=False)))
    assert len(found.turns) == 20_001
    assert found.turns[0].text == long.strip()


@pytest.mark.parametrize("name", ["calls.jsonl", "call.json"])
def test_half_a_surrogate_pair_as_a_cut_text_ends_in_is_let_through(
    write: Callable[..., Path], one: Callable[..., Conversation], name: str
) -> None:
    text = '{"id": "a\\ud83d", "turns": [{"role": "agent", "text": "Hei \\ud83d\\ude00 og \\ud83d"}]}'
    found = one(write(name, text if name.endswith("l") else text.replace(", ", ",\n")))
    assert (found.id, found.turns[0].text) == ("a\ufffd", "Hei \U0001f600 og \ufffd")
