from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from convqa.conversation import Conversation, Turn, Unreadable
from convqa.errors import UsageError
from convqa.readers import read
from convqa.readers.columns import guess
from convqa.readers.tables import delimiter_of

PLAIN = "conversation_id,role,text\na,agent,Hello\nb,agent,Hi\na,customer,My bill\n"


def texts(found: Conversation | Unreadable) -> list[str]:
    assert isinstance(found, Conversation), found
    return [turn.text for turn in found.turns]


@pytest.mark.parametrize(
    ("header", "row"),
    [
        (
            "Samtale-ID;Rolle;Taler;Melding;Starttid;Sluttid;Språk;Kanal",
            "Kunde;Kari;Hvor er pakka, æøå?;0,5;2;no;telefon",
        ),
        (
            "samtaleID;rolle;taler;besked;start;slut;sprog;kanal",
            "Kunde;Kari;Hvor er pakka, æøå?;00:00,5;00:02;nb;opkald",
        ),
        (
            "Samtals-ID;Roll;Talare;Meddelande;Start;Slut;Språk;Kanal",
            "Kund;Kari;Hvor er pakka, æøå?;0.5;2.0;nb-NO;samtal",
        ),
    ],
)
@pytest.mark.parametrize("encoding", ["cp1252", "utf-8-sig", "utf-16"])
def test_scandinavian_headers(
    write: Callable[..., Path], one: Callable[..., Conversation], header: str, row: str, encoding: str
) -> None:
    path = write("samtaler.csv", f"{header}\r\n17;{row}\r\n", encoding)
    turn = Turn("Hvor er pakka, æøå?", "customer", "Kari", 0.5, 2.0)
    assert one(path) == Conversation("17", (turn,), "nb", "call", {}, path.as_posix())


@pytest.mark.parametrize(
    ("sample", "delimiter"),
    [
        ("role,text\nagent,a;b;c\n", ","),
        ('role;text\nagent;"a, b"\ncustomer;c, d\n', ";"),
        ("role\ttext\nagent\ta, b; c\n", "\t"),
        ("role|text\nagent|a, b\n", "|"),
        ("sep=;\nrole;text\n", ";"),
        ("role,text", ","),
    ],
)
def test_delimiter_of(sample: str, delimiter: str) -> None:
    assert delimiter_of(sample) == delimiter


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("Conversation ID,Sender,Message,Sent at", {"id": 0, "speaker": 1, "text": 2, "timestamp": 3}),
        ("sagsnr,afsender,tekst,klokkeslæt,dato", {"id": 0, "speaker": 1, "text": 2, "timestamp": 3, "date": 4}),
        ("ärendenummer,avsändare,innehåll,tidpunkt", {"id": 0, "speaker": 1, "text": 2, "timestamp": 3}),
        ("ID,conversation_id,role,text,agent_id,CSAT", {"id": 1, "role": 2, "text": 3, "agent_id": 4, "csat": 5}),
        ("a,b,c", {}),
    ],
)
def test_guess(header: str, found: dict[str, int]) -> None:
    assert guess(header.split(",")) == found


def test_rows_of_a_conversation_need_not_be_neighbours(write: Callable[..., Path]) -> None:
    b, a = read(write("t.csv", PLAIN))
    assert (b.id, texts(b)) == ("b", ["Hi"])  # given as soon as its last row is read
    assert (a.id, texts(a)) == ("a", ["Hello", "My bill"])


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a,bot,Hi,", "role 'bot' is not known; use agent or customer"),
        ("a,,Hi,", "says neither role nor speaker"),
        ("a,agent,Hi", "has 3 cells where the header has 4"),
        ("a,agent,Hi, you,3", "has 5 cells where the header has 4"),
        ("a,agent,Hi,soon", "'start' is 'soon', which is not a time"),
        ("a,agent,Hi,-3", "'start' is '-3', which is not a time"),
    ],
)
def test_bad_row_spoils_its_conversation_only(write: Callable[..., Path], row: str, reason: str) -> None:
    path = write(
        "t.csv", f"conversation_id,role,text,start\nb,agent,Hi,1\na,customer,Hello,0\n{row}\nb,customer,Bye,2\n"
    )
    found = {item.id: item for item in read(path)}
    assert texts(found["b"]) == ["Hi", "Bye"]
    assert found["a"] == Unreadable("a", path.as_posix(), "row 4", reason)


def test_row_numbers_are_those_of_a_spreadsheet(write: Callable[..., Path], bad: Callable[..., Unreadable]) -> None:
    text = 'sep=;\nrole;text\nagent;"two\nlines"\n\n;\nbot;x\n'
    assert bad(write("t.csv", text)).place == "row 5"


def test_extra_empty_cells_are_no_fault(write: Callable[..., Path], one: Callable[..., Conversation]) -> None:
    assert texts(one(write("t.csv", "role;text\nagent;Hei;;\n;;;\n"))) == ["Hei"]


def test_rows_without_an_id_are_told_of(write: Callable[..., Path]) -> None:
    a, bad = read(write("t.csv", "call id,role,text\na,agent,Hi\n,agent,lost\n,customer,lost\n"))
    assert (a.id, bad.place) == ("a", "row 3")
    assert bad.reason == "'call id' is empty in 2 rows, this one the first"


def test_without_an_id_column_the_file_is_one_conversation(
    write: Callable[..., Path], one: Callable[..., Conversation]
) -> None:
    found = one(write("t.csv", "Avsender\tTekst\nKunde\tHei\nTore (agent)\tHei du\n"))
    assert (found.id, [turn.role for turn in found.turns]) == ("t", ["customer", "agent"])


def test_an_id_of_each_row_is_no_conversation_id(write: Callable[..., Path], one: Callable[..., Conversation]) -> None:
    assert len(one(write("t.csv", "id,role,text\n1,agent,Hi\n2,customer,Hello\n")).turns) == 2
    assert [item.id for item in read(write("u.csv", "id,role,text\n1,agent,Hi\n1,customer,Hello\n2,agent,Hi\n"))] == [
        "1",
        "2",
    ]
    named = read(write("v.csv", "id,role,text\n1,agent,Hi\n2,customer,Hello\n"), columns={"id": "id"})
    assert [item.id for item in named] == ["1", "2"]


def test_quoted_new_lines_and_long_cells(write: Callable[..., Path], one: Callable[..., Conversation]) -> None:
    long = "ord " * 250_000
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=";").writerows(
        [["role", "text"], ["agent", 'Han sa "nei"\nog gikk; ja'], ["customer", long]]
    )
    assert texts(one(write("t.csv", out.getvalue()))) == ['Han sa "nei"\nog gikk; ja', long.strip()]


@pytest.mark.parametrize(
    ("stamps", "starts", "started_at"),
    [
        (["2026-11-02T09:14:00+01:00", "2026-11-02T09:14:30.5+01:00"], [0.0, 30.5], "2026-11-02T09:14:00+01:00"),
        (["02.11.2026 09:14", "02.11.2026 09:16"], [0.0, 120.0], "2026-11-02T09:14:00"),
        (["1793610840", "1793610850"], [0.0, 10.0], "2026-11-02T09:14:00+00:00"),
        (["09:14:00", "09:14:20"], [0.0, 20.0], None),
        (["00:13", "01:24"], [13.0, 84.0], None),
        (["12.5", "20"], [12.5, 20.0], None),
        (["2026-11-02", "2026-11-02"], [None, None], "2026-11-02"),
        (["", "2026-11-02T09:14:30Z"], [None, 0.0], "2026-11-02T09:14:30+00:00"),
    ],
)
def test_timestamps_count_from_the_first(
    write: Callable[..., Path],
    one: Callable[..., Conversation],
    stamps: list[str],
    starts: list[float | None],
    started_at: str | None,
) -> None:
    found = one(write("t.csv", f"role;text;timestamp\nagent;Hi;{stamps[0]}\ncustomer;Hello;{stamps[1]}\n"))
    assert [turn.start for turn in found.turns] == starts
    assert found.metadata.get("started_at") == started_at


def test_date_and_time_in_two_columns(write: Callable[..., Path], one: Callable[..., Conversation]) -> None:
    found = one(write("t.csv", "Dato;Tid;Rolle;Tekst\n02.11.2026;23:59;Kunde;Hei\n03.11.2026;00:01;Agent;Hei\n"))
    assert [turn.start for turn in found.turns] == [0.0, 120.0]
    assert found.metadata == {"started_at": "2026-11-02T23:59:00"}


def test_newest_first_is_turned_round(write: Callable[..., Path], one: Callable[..., Conversation]) -> None:
    rows = "agent;c;2026-11-02 09:15\ncustomer;b;2026-11-02 09:14\nagent;a;2026-11-02 09:14\n"
    assert texts(one(write("t.csv", f"role;text;time\n{rows}"))) == ["a", "b", "c"]


def test_milliseconds_are_named_in_the_header(write: Callable[..., Path], one: Callable[..., Conversation]) -> None:
    (turn,) = one(write("t.csv", "role,text,start_ms,EndOffsetMillis\nagent,Hi,1500,2750\n")).turns
    assert (turn.start, turn.end) == (1.5, 2.75)


def test_an_end_before_its_start_is_bad(write: Callable[..., Path], bad: Callable[..., Unreadable]) -> None:
    assert bad(write("t.csv", "role,text,start,end\nagent,Hi,5,4\n")).reason == "ends at 4 s, before its start at 5 s"


def test_well_known_columns_are_metadata(write: Callable[..., Path], one: Callable[..., Conversation]) -> None:
    text = "role,text,agent_id,Kundenummer,csat,queue,secret\nagent,Hi,a17,,4,faktura,x\ncustomer,Hello,,c9,,,y\n"
    assert one(write("t.csv", text)).metadata == {"agent_id": "a17", "customer_id": "c9", "csat": 4, "queue": "faktura"}


def test_columns_overrule_the_guess(write: Callable[..., Path]) -> None:
    text = "doc,who said,sender,words,text\nd1,agent,x,Hello,wrong\n"
    columns = {"id": "DOC", "role": "who said", "text": "words", "speaker": ""}
    (found,) = read(write("t.csv", text), columns=columns)
    assert (found.id, found.turns) == ("d1", (Turn("Hello", "agent"),))


def test_columns_name_tables_on_their_own(write: Callable[..., Path]) -> None:
    (found,) = read(write("export", "hvem_der,hva_da\nagent,Hello\n"), columns={"role": "hvem_der", "text": "hva_da"})
    assert found.turns == (Turn("Hello", "agent"),)


@pytest.mark.parametrize(
    ("content", "columns", "reason"),
    [
        (
            "who,said it\nagent,Hi\n",
            {},
            "no column looks like the text. Columns met: 'who', 'said it'. Name the right one",
        ),
        ("x,text\nagent,Hi\n", {}, "no column says who speaks. Columns met: 'x', 'text'."),
        ("role,text\nagent,Hi\n", {"text": "Words"}, "there is no column 'Words'. Columns met: 'role', 'text'."),
    ],
)
def test_missing_columns_are_named(
    write: Callable[..., Path], bad: Callable[..., Unreadable], content: str, columns: dict[str, str], reason: str
) -> None:
    assert reason in bad(write("t.csv", content), columns=columns).reason


def test_unknown_field_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match=r"no field is called 'speeker'\. Did you mean 'speaker'"):
        read("x.csv", columns={"speeker": "a"})


def test_open_quotation_mark_loses_nothing_in_silence(write: Callable[..., Path]) -> None:
    rows = 'a,agent,Hi\nb,agent,Hi\nc,agent,Hi\nc,agent,"open\nc,agent,Hi\nd,customer,Ho\n'
    path = write("t.csv", f"call_id,role,text\n{rows}")
    a, b, c = read(path)
    assert (texts(a), texts(b)) == (["Hi"], ["Hi"])
    reason = "a quotation mark is opened here and never closed; the rest of the file is not read"
    assert c == Unreadable("c", path.as_posix(), "row 5", reason)


def test_marks_inside_a_cell_are_no_open_ones(write: Callable[..., Path], one: Callable[..., Conversation]) -> None:
    found = one(write("t.csv", 'role,text\nagent,"so" called\ncustomer,"two\nlines" it is\nagent,5" disk\n'))
    assert texts(found) == ["so called", "two\nlines it is", '5" disk']


def test_times_of_day_in_a_start_column_count_from_the_first(
    write: Callable[..., Path], one: Callable[..., Conversation]
) -> None:
    path = write("call.csv", "speaker;start;end;text\nAgent;09:14:00;09:14:04;Hei\nKunde;09:14:30;09:14:31;Hallo\n")
    turns = one(path).turns
    assert [(turn.start, turn.end) for turn in turns] == [(0.0, 4.0), (30.0, 31.0)]
