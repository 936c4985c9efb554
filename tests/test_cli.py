"""The commands, as a user meets them: what they print, what they leave behind, and the exit status."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import convqa
from commands import Ran, Run
from convqa import cli
from convqa.rubric import default_path

TURNS = [
    {"role": "customer", "text": "Hei, det er tredje gang jeg ringer om den samme fakturaen, og jeg er lei."},
    {"role": "agent", "text": "Det skjønner jeg godt. Beklager at vi ikke har ordnet det, jeg sletter gebyret nå."},
    {"role": "customer", "text": "Tusen takk for hjelpen!"},
]
GOOD = json.dumps({"id": "good", "turns": TURNS})
GERMAN = json.dumps(
    {
        "id": "german",
        "turns": [
            {"role": "customer", "text": "Guten Tag, ich warte seit drei Wochen auf meine Rückerstattung."},
            {"role": "agent", "text": "Das tut mir sehr leid, ich kümmere mich sofort persönlich um Ihr Anliegen."},
        ],
    }
)
BOT = '{"id": "bot", "turns": [{"role": "bot", "text": "Hei"}]}'


def process(*arguments: str | Path, cwd: Path, **environment: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "convqa", *map(str, arguments)],
        cwd=cwd,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


# score: what goes in


def test_score_reads_files_folders_globs_and_standard_input(run: Run, tmp_path: Path) -> None:
    (tmp_path / "calls").mkdir()
    (tmp_path / "calls" / "a.jsonl").write_text(GOOD.replace("good", "a"))
    (tmp_path / "calls" / "b.txt").write_text("Customer: My bill is wrong again.\nAgent: I am sorry, I will fix it.\n")
    (tmp_path / "c1.jsonl").write_text(GOOD.replace("good", "c1"))
    (tmp_path / "c2.jsonl").write_text(GOOD.replace("good", "c2"))
    ran = run("score", "calls", "c?.jsonl", "-", "c1.jsonl", stdin=GOOD)
    assert [(record["id"], record["source"]) for record in ran.records] == [
        ("a", "calls/a.jsonl"),
        ("b", "calls/b.txt"),
        ("c1", "c1.jsonl"),
        ("c2", "c2.jsonl"),
        ("good", "standard input"),
        ("c1", "c1.jsonl"),
    ]
    assert ran.status == 0
    assert ran.err.startswith("6 conversations: 6 scored\nmean score ")


def test_score_of_standard_input_knows_the_agent_it_is_told(run: Run) -> None:
    told = json.dumps(
        {"id": "x", "turns": [{"speaker": f"spk_{n % 2}", "text": t["text"]} for n, t in enumerate(TURNS)]}
    )
    swapped = run("score", "-", "--agent", "spk_0", stdin=told)
    (record,) = swapped.records
    assert record["roles"] == {"origin": "overruled", "agents": ["spk_0"], "probability": None, "confident": True}
    assert [turn["role"] for turn in record["turns"]] == ["agent", "customer", "agent"]
    assert (swapped.status, "--agent" in swapped.err) == (0, False)
    nobody = run("score", "-", "--agent", "spk_9", stdin=told)
    assert nobody.err.endswith("--agent: 'spk_9' speaks in none of them\n")
    assert nobody.records[0]["roles"]["origin"] == "inferred"


def test_score_takes_the_language_for_granted(run: Run) -> None:
    assert run("score", "-", stdin=GOOD).records[0]["language"] == "nb"
    (record,) = run("score", "-", "--language", "sv", stdin=GOOD).records
    assert (record["language"], record["language_probability"]) == ("sv", None)


def test_score_believes_the_format(run: Run) -> None:
    table = "call_id,role,text\nx,customer,My bill is wrong again\nx,agent,I am sorry about that\n"
    assert [record["id"] for record in run("score", "-", "--format", "csv", stdin=table).records] == ["x"]
    wrong = run("score", "-", "--format", "whisperx", stdin=table)
    assert (wrong.status, wrong.records[0]["status"]) == (1, "failed")


def test_score_finds_columns_by_their_names(run: Run, tmp_path: Path) -> None:
    (tmp_path / "export.csv").write_text(
        "Nummer;Hvem da;Ordene\n7;Kundebehandler;Hei, hva gjelder det?\n7;Kunde;Fakturaen min er feil igjen.\n"
    )
    lost = run("score", "export.csv")
    assert lost.status == 1
    assert "Columns met: 'Nummer', 'Hvem da', 'Ordene'" in lost.err
    told = run("score", "export.csv", "--columns", "id=Nummer,role=Hvem da, text=Ordene")
    (record,) = told.records
    assert (record["id"], record["status"]) == ("7", "scored")
    assert [turn["role"] for turn in record["turns"]] == ["agent", "customer"]


def test_score_by_another_rubric(run: Run, tmp_path: Path) -> None:
    text = default_path().read_text("utf-8").replace('name = "default"', 'name = "mine"', 1)
    (tmp_path / "mine.toml").write_text(text, "utf-8")
    (record,) = run("score", "-", "--rubric", "mine.toml", stdin=GOOD).records
    assert record["provenance"]["rubric"].startswith("mine ")
    assert (
        record["provenance"]["rubric_sha256"] != run("score", "-", stdin=GOOD).records[0]["provenance"]["rubric_sha256"]
    )


def test_score_reads_its_own_records_again(run: Run, tmp_path: Path) -> None:
    told = GOOD.replace('"id"', '"metadata": {"csat": 4}, "id"')
    (tmp_path / "first.jsonl").write_text(run("score", "-", stdin=told).out, "utf-8")
    (first,) = map(json.loads, (tmp_path / "first.jsonl").read_text("utf-8").splitlines())
    (again,) = run("score", "first.jsonl").records
    changed = {name for name in first if first[name] != again[name]}
    assert changed == {"source", "language_probability"}  # the language is told now
    assert again["metadata"] == {"csat": 4}


# score: what comes out


def test_score_writes_what_the_suffix_says(run: Run, tmp_path: Path) -> None:
    (tmp_path / "good.jsonl").write_text(GOOD)
    for name in ("r.jsonl", "r.csv", "r.parquet"):
        ran = run("score", "good.jsonl", "-o", name)
        assert (ran.status, ran.out) == (0, "")
    record = json.loads((tmp_path / "r.jsonl").read_text("utf-8"))
    (row,) = csv.DictReader((tmp_path / "r.csv").read_text("utf-8-sig").splitlines())
    (nested,) = pq.read_table(tmp_path / "r.parquet").to_pylist()
    assert record["id"] == row["id"] == nested["id"] == "good"
    assert record["score"] == float(row["score"]) == nested["score"]


def test_score_writes_a_report_that_shows_what_was_said(run: Run, tmp_path: Path) -> None:
    ran = run("score", "-", "--report", "report.html", "-o", "r.jsonl", stdin=GOOD)
    page = (tmp_path / "report.html").read_text("utf-8")
    assert ran.status == 0
    assert page.startswith("<!") and "tredje gang jeg ringer" in page


def test_score_quietly_says_only_what_went_wrong(run: Run) -> None:
    assert run("score", "-", "-q", stdin=GOOD).err == ""
    ran = run("score", "-", "--quiet", stdin=f"{GOOD}\n{BOT}")
    assert ran.err == "failed: standard input, line 2: turns[0].role is 'bot'; use agent or customer\n"


def test_progress_is_plain_lines_where_nobody_watches(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "PLAIN_SECONDS", 0.0)
    ran = run("score", "-", stdin=f"{GOOD}\n{GOOD}\n")
    first, second, *rest = ran.err.splitlines()
    assert re.fullmatch(r"1 conversation, \d+\.\d/s", first) and re.fullmatch(r"2 conversations, \d+\.\d/s", second)
    assert len(rest) == 2
    assert "\x1b" not in ran.err and "\r" not in ran.err


def test_names_cannot_steer_the_terminal(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a\x1b[31m.txt").write_text("Agent: Hei\n")
    ran = run("score", ".", "-o", "r.jsonl")
    assert "skipped: " in ran.err and "\x1b" not in ran.err


# score: exit status 1


def test_one_bad_file_beside_good_ones_is_named_and_they_are_written(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(f"{GOOD}\n{BOT}\n{GOOD}\n")
    (tmp_path / "b.csv").write_bytes(b"")
    (tmp_path / "c.jsonl").write_text(GOOD)
    ran = run("score", "a.jsonl", "b.csv", "none.txt", "c.jsonl", "-o", "r.jsonl")
    assert ran.status == 1
    assert ran.err.splitlines()[:4] == [
        "failed: a.jsonl, line 2: turns[0].role is 'bot'; use agent or customer",
        "failed: b.csv: is empty",
        "failed: none.txt: there is no such file or folder",
        "6 conversations: 3 scored, 3 failed",
    ]
    records = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text("utf-8").splitlines()]
    assert [(record["id"], record["status"]) for record in records] == [
        ("good", "scored"),
        ("bot", "failed"),
        ("good", "scored"),
        ("b", "failed"),
        ("none", "failed"),
        ("good", "scored"),
    ]
    assert records[1]["reason"] == "a.jsonl, line 2: turns[0].role is 'bot'; use agent or customer"
    assert (records[1]["score"], records[3]["reason"]) == (None, "b.csv: is empty")


def test_what_cannot_be_assessed_is_skipped_with_its_name(run: Run) -> None:
    ran = run("score", "-", stdin=f"{GERMAN}\n{GOOD}")
    assert ran.status == 1
    assert ran.err.startswith(
        "skipped: standard input, german: language 'de' is not supported; use one of nb nn da sv en\n"
    )
    assert [(record["status"], record["language"]) for record in ran.records] == [("skipped", "de"), ("scored", "nb")]


ODD = [
    (b"", "is empty"),
    (b"\x00\x01\x02\x03" * 500, "is binary"),
    (b"PK\x03\x04", "a zip archive or an Excel workbook"),
    (b"{", "is not valid JSON"),
    (b"[]", "has 'turns'"),
    (b'{"turns": [{"role": "agent", "text": "a", "start": -1}]}', "turns[0].start is -1"),
    (b'{"turns": [{"role": "agent", "text": "a", "start": Infinity}]}', "turns[0].start is inf"),
    (b'{"turns": ' + b"[" * 5000 + b"]" * 5000 + b"}", "recursion limit"),
    (b'{"turns": []}', "nothing is said in it"),
]


@pytest.mark.parametrize(("content", "reason"), ODD, ids=[reason for _, reason in ODD])
def test_odd_input_ends_as_a_record_with_a_reason(run: Run, content: bytes, reason: str) -> None:
    ran = run("score", "-", stdin=content)
    (record,) = ran.records
    assert ran.status == 1
    assert record["status"] in ("failed", "skipped") and reason in record["reason"]
    assert record["reason"] in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    "id", ["x" * 50_000, "../../etc/passwd", "=1+1", "<script>", "½ \\ud83d"], ids=lambda id: id[:9]
)
def test_odd_ids_are_kept_and_harmless(run: Run, tmp_path: Path, id: str) -> None:
    ran = run("score", "-", "-o", "r.csv", "--report", "r.html", stdin=GOOD.replace('"good"', f'"{id}"'))
    assert ran.status == 0
    (row,) = csv.DictReader(io.StringIO((tmp_path / "r.csv").read_text("utf-8-sig")))
    assert row["id"] == {"=1+1": "'=1+1", "½ \\ud83d": "½ \ufffd"}.get(id, id)
    assert "<script>" not in (tmp_path / "r.html").read_text("utf-8").split("</title>")[1].split("<script")[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.csv", "r.html"]


# score: exit status 2


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ["--format", "xml"],
            "convqa: format 'xml' is not known. Formats: parquet, captions, amazon, whisperx, jsonl, csv, text",
        ),
        (["--format", "captoins"], "convqa: format 'captoins' is not known. Did you mean 'captions'? Formats:"),
        (["--columns", "role"], "convqa: --columns: 'role' has no '='; write field=column"),
        (["--columns", "rolle=A"], "convqa: --columns: no field is called 'rolle'. Did you mean 'role'?"),
        (["--language", "de"], "convqa: language 'de' is not supported; use one of nb nn da sv en"),
        (["--model", "no-such"], "convqa: no-such: no such folder, nor a bundled model (fast)"),
        (["--rubric", "no-such.toml"], "convqa: no-such.toml: cannot be read (No such file or directory)"),
        (["-o", "r.xlsx"], "convqa: r.xlsx: '.xlsx' is not a format that records are written in; use .jsonl"),
        (["-o", "none/r.csv"], "convqa: none/r.csv: the folder"),
        (["--report", "none/r.html"], "convqa: none/r.html: the folder"),
        (["-o", "good.jsonl"], "convqa: good.jsonl: is one of the inputs and would be overwritten"),
        (["--report", "./good.jsonl"], "convqa: good.jsonl: is one of the inputs and would be overwritten"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_call_is_told_in_one_line(run: Run, tmp_path: Path, arguments: list[str], line: str) -> None:
    (tmp_path / "good.jsonl").write_text(GOOD)
    ran = run("score", "good.jsonl", *arguments)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith(line) and ran.err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["good.jsonl"]
    assert (tmp_path / "good.jsonl").read_text() == GOOD


@pytest.mark.parametrize("arguments", [["score", "-", "--unknown"], ["scroe"], ["score"], ["score", "-", "--report"]])
def test_an_unknown_option_or_command_is_told(run: Run, arguments: list[str]) -> None:
    ran = run(*arguments)
    assert (ran.status, ran.out) == (2, "")
    assert "─ Error ─" in ran.err and "Traceback" not in ran.err


def test_a_rubric_with_mistakes_is_refused_before_anything_is_read(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text(default_path().read_text("utf-8").replace("weight = 15", "weight = -1"), "utf-8")
    ran = run("score", "-", "--rubric", "bad.toml", stdin=GOOD)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith("convqa: bad.toml, criterion ") and "greater than 0 (met -1)" in ran.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_told_in_one_line(tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run([sys.executable, "-m", "convqa", "rubric", "show"], stdout=full, stderr=subprocess.PIPE)
    assert (ran.returncode, ran.stderr) == (2, b"convqa: No space left on device\n")


# score: the same bytes, and a reader that goes away


def test_same_input_gives_the_same_bytes_in_any_process(tmp_path: Path) -> None:
    (tmp_path / "calls.jsonl").write_text("\n".join(GOOD.replace("good", str(n)) for n in range(9)))
    running = [
        process("score", "calls.jsonl", *more, cwd=tmp_path, PYTHONHASHSEED=seed)
        for seed, more in (("1", ()), ("2", ("--workers", "2")))
    ]
    (one, _), (two, _) = [each.communicate(timeout=60) for each in running]
    assert [each.returncode for each in running] == [0, 0]
    assert one == two and one.count(b"\n") == 9


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    # More than a pipe holds, so that writing goes on after the reader has gone.
    (tmp_path / "calls.jsonl").write_text("\n".join(GOOD.replace("good", str(n)) for n in range(100)))
    with process("score", "calls.jsonl", "-q", cwd=tmp_path) as running:
        assert running.stdout and running.stderr
        assert running.stdout.readline().startswith(b'{"id":"0"')
        running.stdout.close()
        assert (running.wait(60), running.stderr.read()) == (0, b"")


# detect


LABELS = 16


def test_detect_keeps_order_and_ids(run: Run) -> None:
    rows = [
        {"id": 3, "text": "Beklager at vi ikke ringte deg tilbake i går.", "role": "agent"},
        {
            "id": "a",
            "text": "Hva er kundenummeret ditt?",
            "context": ["customer: Hei", "agent: Hei på deg"],
            "language": "nb",
        },
        {"text": ""},
        {"id": None, "text": "Takk for hjelpen!", "role": "customer"},
    ]
    ran = run("detect", stdin="\n\n".join(map(json.dumps, rows)))
    assert (ran.status, ran.err) == (0, "")
    assert [row["id"] for row in ran.records] == [3, "a", None, None]
    assert "apology" in ran.records[0]["predicted"] and "gratitude" in ran.records[3]["predicted"]
    for row in ran.records:
        assert len(row["labels"]) == LABELS
        assert all(0 <= probability <= 1 for probability in row["labels"].values())
        assert list(row["labels"].values()) == sorted(row["labels"].values(), reverse=True)
        assert set(row["predicted"]) <= set(row["labels"])
    assert set(ran.records[2]["labels"].values()) == {0.0}


def test_detect_names_bad_lines_and_answers_the_others(run: Run, tmp_path: Path) -> None:
    lines = ['{"id": 1, "text": "Hei"}', "oops", '{"id": 3, "role": "agent"}', "[4]", '{"id": 5, "text": "Hei"}']
    lines += ['{"id": 6, "text": "Hei", "role": "bot"}', '{"id": 7, "text": "Hei", "language": "de"}']
    (tmp_path / "asked.jsonl").write_text("\ufeff" + "\n".join(lines), "utf-8")
    ran = run("detect", "asked.jsonl")
    assert ran.status == 1
    assert [row["id"] for row in ran.records] == [1, None, 3, None, 5, 6, 7]
    assert [row["id"] for row in ran.records if "error" not in row] == [1, 5]
    assert [line[: len("convqa: asked.jsonl, line 2")] for line in ran.err.splitlines()] == [
        f"convqa: asked.jsonl, line {n}" for n in (2, 3, 4, 6, 7)
    ]
    assert "'text' is missing" in ran.err and "'role' is 'bot'; use agent or customer" in ran.err


def test_detect_is_the_same_in_one_batch_or_many(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = "\n".join(json.dumps({"id": n, "text": f"Jeg beklager ventetiden på {n} uker."}) for n in range(7))
    whole = run("detect", "-", stdin=asked)
    monkeypatch.setattr(cli, "DETECT_BATCH", 2)
    assert run("detect", "-", stdin=asked) == whole
    assert run("detect", "-", stdin="").out == ""


def test_detect_of_no_file_is_a_wrong_call(run: Run) -> None:
    ran = run("detect", "none.jsonl")
    assert (ran.status, ran.err) == (2, "convqa: none.jsonl: cannot be opened: No such file or directory\n")
    assert run("detect", "-", "--language", "de").status == 2


# the others


def test_demo_leaves_records_and_a_report(run: Run, tmp_path: Path) -> None:
    ran = run("demo", "out/demo")
    assert ran.status == 0
    records = [json.loads(line) for line in (tmp_path / "out/demo/results.jsonl").read_text("utf-8").splitlines()]
    assert len(records) >= 12
    assert {record["language"] for record in records} == {"nb", "nn", "da", "sv", "en"}
    assert not any(record["source"].startswith("/") for record in records)
    assert "<html" in (tmp_path / "out/demo/report.html").read_text("utf-8")
    for record in records:
        assert re.search(rf"^ *{record['score']:.1f}  .* {re.escape(record['id'])}", ran.out, re.M), record["id"]
    assert "out/demo/report.html" in ran.out


def test_demo_where_no_folder_can_be_made(run: Run, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    ran = run("demo", "taken")
    assert (ran.status, ran.err) == (2, "convqa: taken: no folder can be made here: File exists\n")


def test_formats_lists_every_reader(run: Run) -> None:
    ran = run("formats")
    assert ran.status == 0
    for format in convqa.readers.formats():
        assert re.search(
            rf"^ {format.name} .*{re.escape(format.title)}.*{re.escape(format.suffixes[0])}", ran.out, re.M
        )


def test_models_lists_every_bundled_folder(run: Run) -> None:
    ran = run("models")
    assert ran.status == 0
    for folder in ("dialogue", "roles", "segmenter", "utterances"):
        assert re.search(rf"^ {folder} .* \d+\.\d MB ", ran.out, re.M), folder


def test_rubric_show_prints_the_text_in_force(run: Run, tmp_path: Path) -> None:
    ran = run("rubric", "show")
    assert (ran.status, ran.out.strip()) == (0, default_path().read_text("utf-8").strip())
    (tmp_path / "mine.toml").write_text(f"# mine\n{ran.out}", "utf-8")
    assert run("rubric", "show", "mine.toml").out.startswith("# mine\n")


def test_rubric_check_says_what_is_there_or_wrong(run: Run, tmp_path: Path) -> None:
    text = default_path().read_text("utf-8")
    ran = run("rubric", "check", default_path())
    assert ran.status == 0 and "is valid: " in ran.out
    (tmp_path / "bad.toml").write_text(text.replace('kind = "avoided"', 'kind = "forbidden"'), "utf-8")
    wrong = run("rubric", "check", "bad.toml")
    assert (wrong.status, wrong.out) == (2, "")
    assert wrong.err.startswith("convqa: bad.toml, criterion ") and "'forbidden'" in wrong.err
    (tmp_path / "bad.toml").write_bytes(b"\xff")
    assert run("rubric", "check", "bad.toml").err == "convqa: bad.toml: not UTF-8 text (invalid start byte at byte 0)\n"


def test_version(run: Run) -> None:
    assert run("--version") == Ran(0, f"convqa {convqa.__version__}\n", "")
