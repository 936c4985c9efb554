"""Labelled data: what is read, what is refused and where, what is counted, how two annotators are compared."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, f1_score

from commands import Run
from convqa.dataset import Dataset, Problem, check, read_dataset, show, stats
from convqa.dataset.agreement import cohen_kappa
from convqa.errors import InputError, UsageError

ROOT = Path(__file__).parents[1]
WORDS = list("abcdefghijklmnopqr")


def row(id: str, *turns: tuple[str, str, list[str]], **fields: Any) -> dict[str, Any]:
    spoken = turns or (("customer", f"Hei, hvor er {id}?", []), ("agent", "Den ligger i Bergen.", ["solution"]))
    return {
        "id": id,
        "language": "nb",
        "turns": [{"role": role, "utterances": [{"text": text, "labels": labels}]} for role, text, labels in spoken],
        **fields,
    }


Write = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "conversations").mkdir()
    return tmp_path


def written(folder: Path, author: str, *rows: dict[str, Any], inside: str = "conversations") -> Path:
    (folder / inside).mkdir(exist_ok=True)
    path = folder / inside / f"{author}.jsonl"
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in rows), "utf-8")
    return path


def described(folder: Path, text: str) -> None:
    (folder / "dataset.toml").write_text(f'name = "mine"\nversion = "1"\n{text}')


def rules(dataset: Dataset) -> list[tuple[str, str]]:
    return [(problem.level, problem.rule) for problem in check(dataset)]


def long_text(seed: int, length: int = 60) -> str:
    return " ".join(np.random.default_rng(seed).choice(WORDS, length))


def test_reads_authors_splits_and_places(folder: Path) -> None:
    written(folder, "a1", row("one"), row("two", quality=2.5, one_way=True))
    written(folder, "a2", row("three"))
    written(folder, "mine", {**row("s", ("agent", "so what", ["dismissive"])), "style": "asr"}, inside="snippets")
    described(folder, '[splits]\ntrain = ["a1"]\ntest = ["a2"]\n')
    dataset = read_dataset(folder)
    assert [(item.conversation.id, item.author, item.split, item.place) for item in dataset.conversations] == [
        ("one", "a1", "train", "conversations/a1.jsonl, line 1"),
        ("two", "a1", "train", "conversations/a1.jsonl, line 2"),
        ("three", "a2", "test", "conversations/a2.jsonl, line 1"),
    ]
    assert [(snippet.id, place) for snippet, place in dataset.snippets] == [("s", "snippets/mine.jsonl, line 1")]
    assert dataset.errors == () and check(dataset) == []


def test_a_plain_folder_of_files_will_do(tmp_path: Path) -> None:
    written(tmp_path, "a1", row("one"), inside=".")
    assert [item.author for item in read_dataset(tmp_path).conversations] == ["a1"]


def agent(text: str = "Hei", labels: tuple[str, ...] = (), **times: float) -> list[dict[str, Any]]:
    return [{"role": "agent", "utterances": [{"text": text, "labels": list(labels), **times}]}]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"turns": agent(labels=("distress",))}, "distress, which is not a label of the agent"),
        ({"turns": [{**agent()[0], "role": "bot"}]}, "turn 1, role: Input should be 'agent' or 'customer', met 'bot'"),
        ({"turns": agent(labels=("empaty",))}, "turn 1, utterance 1, label 1: Input should be 'empathy', 'apology'"),
        ({"turns": agent(" ")}, "turn 1, utterance 1, text: "),
        ({"turns": agent(labels=("empathy", "empathy"))}, "carries empathy twice"),
        ({"turns": agent(start=2.0)}, "give both, or neither"),
        ({"turns": [{**agent()[0], "start": 2.0, "end": 1.0}]}, "'end' 1.0 lies before 'start' 2.0"),
        ({"turns": agent()}, "the customer says nothing"),
        ({"quality": 6}, "quality: Input should be less than or equal to 5, met 6"),
        ({"quality": 2.3}, "quality: Input should be a multiple of 0.5, met 2.3"),
        ({"language": "no"}, "language: Input should be 'nb', 'nn', 'da', 'sv' or 'en', met 'no'"),
        ({"quality": "4"}, "quality: Input should be a valid number, met '4'"),
        ({"one_way": "yes"}, "one_way: Input should be a valid boolean, met 'yes'"),
        ({"language": None}, "language: Input should be"),
        ({"lables": []}, "lables: is not a known field"),
    ],
)
def test_a_broken_line_is_named_and_nothing_else_is_lost(folder: Path, change: dict[str, Any], said: str) -> None:
    written(folder, "a1", row("good"), {**row("bad"), **change}, row("fine"))
    dataset = read_dataset(folder)
    assert [item.conversation.id for item in dataset.conversations] == ["good", "fine"]
    (error,) = dataset.errors
    assert (error.source, error.place) == ("conversations/a1.jsonl", "line 2 (bad)")
    assert said in error.reason
    assert [problem.rule for problem in check(dataset)] == ["format"]


def test_what_is_no_json_or_no_utf8_is_named(folder: Path) -> None:
    (folder / "conversations" / "a1.jsonl").write_text("{oops\n" + json.dumps(row("one")))
    (folder / "conversations" / "a2.jsonl").write_bytes("på".encode("latin-1"))
    dataset = read_dataset(folder)
    assert [str(error).split(":")[0] for error in dataset.errors] == [
        "conversations/a1.jsonl, line 1",
        "conversations/a2.jsonl",
    ]
    assert "save it as UTF-8" in dataset.errors[1].reason
    assert len(dataset.conversations) == 1


def test_line_separators_and_byte_order_marks_are_no_harm(folder: Path) -> None:
    one = row("one", ("agent", "Hei\u2028på deg\x85.", []), ("customer", "Ja.", []))
    text = "\ufeff" + json.dumps(one, ensure_ascii=False) + "\r\n" + json.dumps(row("two")) + "\n"
    (folder / "conversations" / "a1.jsonl").write_bytes(text.encode())
    dataset = read_dataset(folder)
    assert ([item.conversation.id for item in dataset.conversations], dataset.errors) == (["one", "two"], ())


def test_nests_and_empty_files_are_named(folder: Path) -> None:
    (folder / "conversations" / "a1.jsonl").write_text("[" * 100_000)
    (folder / "conversations" / "a2.jsonl").write_text("\n")
    dataset = read_dataset(folder)
    assert [(error.source, error.place) for error in dataset.errors] == [
        ("conversations/a1.jsonl", "line 1"),
        ("conversations/a2.jsonl", ""),
    ]
    assert len(check(dataset)) == 2


def test_a_folder_without_data_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such folder"):
        read_dataset(tmp_path / "nothing")
    with pytest.raises(UsageError, match=r"holds neither conversations/\*\.jsonl nor"):
        read_dataset(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [("splits = 3", "splits"), ("[targets]\nlabels = {empaty = 3}", "empaty"), ("name =", "is not TOML")],
)
def test_a_wrong_description_is_told(folder: Path, text: str, said: str) -> None:
    written(folder, "a1", row("one"))
    described(folder, text)
    with pytest.raises(InputError, match=said) as error:
        read_dataset(folder)
    assert error.value.source.endswith("dataset.toml")


def test_ids_are_unique(folder: Path) -> None:
    written(folder, "a1", row("one"))
    written(folder, "a2", row("one", ("agent", "Noe helt annet.", []), ("customer", "Ja.", [])))
    (problem,) = check(read_dataset(folder))
    assert str(problem) == (
        "error [ids] conversations/a2.jsonl, line 1: one is also conversations/a1.jsonl, line 1; "
        "give each an id of its own"
    )


def test_every_author_is_in_one_split(folder: Path) -> None:
    for author in ("a1", "a2", "a3"):
        written(folder, author, row(author, ("agent", f"{author} her.", []), ("customer", "Hei.", [])))
    described(folder, '[splits]\ntrain = ["a1", "a9"]\ntest = ["a1", "a2"]\n')
    assert sorted(problem.what for problem in check(read_dataset(folder))) == [
        "a1 is listed 2 times; an author is in one split only",
        "a3 is in no split; new authors belong to train",
        "a9 is listed, but conversations/a9.jsonl is not there",
    ]


def test_long_utterances_in_two_splits_are_leaks(folder: Path) -> None:
    same = long_text(1, 12)
    written(folder, "a1", row("one", ("agent", same, []), ("customer", long_text(2), [])))
    written(folder, "a2", row("two", ("agent", same.upper() + "!", []), ("customer", long_text(3), [])))
    described(folder, '[splits]\ntrain = ["a1"]\ntest = ["a2"]\n')
    (problem,) = [problem for problem in check(read_dataset(folder)) if problem.rule == "leakage"]
    assert "(one)" in problem.place and "(two)" in problem.place
    described(folder, '[splits]\ntrain = ["a1", "a2"]\n')
    assert "leakage" not in [rule for _, rule in rules(read_dataset(folder))]


def test_near_duplicates_are_found_across_files(folder: Path) -> None:
    text = long_text(1)
    half = " ".join(text.split()[:20]) + " " + long_text(4, 40)
    written(folder, "a1", row("one", ("agent", text, []), ("customer", "Ja.", [])))
    written(folder, "a2", row("two", ("customer", "Nei.", []), ("agent", half, [])))
    written(folder, "a3", row("three", ("customer", long_text(5), []), ("agent", "Jaha.", [])))
    found = [problem for problem in check(read_dataset(folder)) if problem.rule == "duplicates"]
    assert [problem.what for problem in found] == ["share 16 of 56 word 5-grams; more than 10% is a near-duplicate"]
    assert "(one)" in found[0].place and "(two)" in found[0].place


def test_labels_left_in_the_text_are_found(folder: Path) -> None:
    written(folder, "a1", row("one", ("agent", "Det beklager jeg. | apology", []), ("customer", "a | b", [])))
    (problem,) = check(read_dataset(folder))
    assert (problem.level, problem.rule) == ("error", "text")


def test_a_macro_that_everybody_uses_is_no_duplicate(folder: Path) -> None:
    macro = long_text(9, 30)
    rows = [row(f"c{n}", ("customer", f"{n} {long_text(n + 20, 12)}", []), ("agent", macro, [])) for n in range(40)]
    written(folder, "a1", *rows)
    assert check(read_dataset(folder)) == []
    written(folder, "a1", *rows[:10])
    assert ("error", "duplicates") in rules(read_dataset(folder))


def test_many_copies_of_one_text_are_one_problem(folder: Path) -> None:
    text = long_text(9, 30)
    written(folder, "a1", *(row(f"c{n}", ("agent", text, []), ("customer", "Ja.", [])) for n in range(40)))
    found = [problem for problem in check(read_dataset(folder)) if problem.rule == "duplicates"]
    assert [problem.place for problem in found] == ["conversations/a1.jsonl, line 1 (c0) and 39 more"]


def test_phrases_are_checked(folder: Path) -> None:
    written(folder, "a1", row("one"))
    (folder / "phrases").mkdir()
    lines = ["language\tlabel\tsubtype\tpolarity\tphrase", "nb\tempathy\tx\tpos\tUff da.", "nb\tempathy\tx\tpos"]
    lines += ["no\tempathy\tx\tpos\tUff.", "nb\tempathy\tx\tpos\tUff da.", ""]
    (folder / "phrases" / "phrases.tsv").write_text("\n".join(lines), "utf-8")
    found = check(read_dataset(folder))
    assert [(problem.rule, problem.place.split(", ")[1]) for problem in found] == [
        ("phrases", "line 3"),
        ("phrases", "line 4"),
        ("phrases", "line 5"),
    ]


def test_same_openings_are_found(folder: Path) -> None:
    rows = [
        row(f"c{n}", ("agent", "Velkommen til oss alle.", []), ("customer", long_text(n, 12), [])) for n in range(10)
    ]
    written(folder, "a1", *rows)
    assert ("error", "openings") in rules(read_dataset(folder))


def test_another_language_than_marked_is_told(folder: Path) -> None:
    english = (
        "I have been waiting for my parcel since Monday and nobody has told me where it is, could you look please?"
    )
    written(
        folder, "a1", row("one", ("customer", english, []), ("agent", "Of course, I will have a look for you.", []))
    )
    (problem,) = check(read_dataset(folder))
    assert (problem.level, problem.rule) == ("warning", "language")
    assert "is marked nb, but reads as en" in problem.what


def test_targets_that_are_missed_are_warnings(folder: Path) -> None:
    written(folder, "a1", row("one"))
    described(
        folder,
        'languages = ["nb"]\n[splits]\ntrain = ["a1"]\n'
        "[targets]\nconversations = 2\nlabels = {solution = 1, empathy = 5}\n",
    )
    assert check(read_dataset(folder)) == [
        Problem("warning", "balance", "the whole set", "1 conversations; 2 are wanted"),
        Problem("warning", "balance", "the whole set", "0 utterances with empathy; 5 are wanted"),
    ]


def twice(id: str, first: list[list[str]], second: list[list[str]]) -> dict[str, Any]:
    return {"id": id, "first": {"labels": first}, "second": {"labels": second}}


def test_second_annotations_must_fit(folder: Path) -> None:
    written(folder, "a1", row("one"))
    wrong = [[], ["distress"]]
    pairs = [twice("one", [[], []], [[]]), twice("new", [], []), twice("one", wrong, [[], []])]
    written(folder, "second", *pairs, inside="annotations")
    dataset = read_dataset(folder)
    assert [str(problem).split(": ", 1)[1] for problem in check(dataset)] == [
        "second labels 1 utterances, but the conversation has 2",
        "is no conversation of this set",
        "is there twice",
        "first gives utterance 2 distress, which is not a label of the agent",
    ]
    assert [table.title for table in stats(dataset).tables if "blind" in table.title] == [
        "Two blind annotators on 1 conversations (core macro-F1 –)"
    ]


def test_agreement_is_scikit_learns(folder: Path) -> None:
    rng = np.random.default_rng(7)
    rows, pairs = [], []
    for number in range(40):
        first, second = ([["empathy"] if rng.random() < 0.4 else [] for _ in range(4)] for _ in range(2))
        second = [a if rng.random() < 0.7 else b for a, b in zip(first, second, strict=True)]
        turns = [("agent", f"{number} {n}", []) for n in range(3)] + [("agent", "slutt", [])]
        rows.append(row(f"c{number}", *turns, ("customer", "Ja.", [])))
        pairs.append(twice(f"c{number}", [*first, []], [*second, []]))
    written(folder, "a1", *rows)
    written(folder, "second", *pairs, inside="annotations")
    tables = {table.title: table for table in stats(read_dataset(folder)).tables}
    (title,) = [title for title in tables if title.startswith("Two blind annotators on 40")]
    by_label = {line[0]: line[1:] for line in tables[title].rows}
    a, b = ([bool(labels) for pair in pairs for labels in pair[side]["labels"][:4]] for side in ("first", "second"))
    assert by_label["empathy"][0].startswith(f"{cohen_kappa_score(a, b):.2f} (")
    assert by_label["empathy"][1].startswith(f"{f1_score(a, b):.2f} (")
    assert by_label["empathy"][2:] == (str(sum(a)), str(sum(b)))
    assert by_label["apology"][:2] == ("–", "–")  # nobody gave it: not defined, and not 0 or 1


def test_kappa_of_many_kinds() -> None:
    rng = np.random.default_rng(1)
    pairs = [(str(rng.choice(list("abc"))), str(rng.choice(list("aab")))) for _ in range(200)]
    assert cohen_kappa(pairs) == pytest.approx(cohen_kappa_score(*zip(*pairs, strict=True)))
    assert cohen_kappa([]) is None and cohen_kappa([("a", "a")]) is None


def test_show_is_readable(folder: Path) -> None:
    written(folder, "a1", row("one", quality=4, topic="parcel", channel="chat"))
    (item,) = read_dataset(folder).conversations
    assert "\n".join(str(line) for line in show(item)) == (
        "one  nb, parcel, chat\n  quality 4\n"
        " customer  Hei, hvor er one?\n    agent  Den ligger i Bergen.  [solution]\n"
    )


def test_the_commands(folder: Path, run: Run) -> None:
    written(folder, "a1", row("one"), {**row("two"), "quality": 9})
    ran = run("data", "check", str(folder))
    assert (ran.status, "line 2 (two)" in ran.err, "1 error, " in ran.out) == (1, True, True)
    ran = run("data", "stats", str(folder), "--json")
    assert (ran.status, json.loads(ran.out)["labels"]["solution"]["nb"]) == (1, 1)
    ran = run("data", "show", str(folder), "--label", "solution")
    assert "[solution]" in ran.out
    ran = run("data", "show", str(folder), "--label", "nonsense")
    assert (ran.status, "--label: 'nonsense' is not known" in ran.err) == (2, True)
    ran = run("data", "show", str(folder), "--id", "one", "--id", "nine")
    assert (ran.status, "holds no nine" in ran.err) == (2, True)
    ran = run("data", "show", str(folder), "--author", "zz")
    assert (ran.status, "'zz' is not here; one of a1 would do" in ran.err) == (2, True)
    ran = run("data", "show", str(folder), "--language", "sv")
    assert (ran.status, "holds no such conversation, of 1" in ran.err) == (2, True)
    ran = run("data", "check", str(folder / "nothing"))
    assert (ran.status, "there is no such folder" in ran.err) == (2, True)


def test_other_peoples_text_does_not_steer_the_terminal(folder: Path, run: Run) -> None:
    written(folder, "a1", row("one", ("agent", "a\x1b[31mb", []), ("customer", "c\x07", [])))
    out = run("data", "show", str(folder)).out
    assert "\x1b" not in out and "\x07" not in out and "a\ufffd[31mb" in out


def test_many_problems_of_a_kind_are_counted(folder: Path, run: Run) -> None:
    written(folder, "a1", *({**row(f"c{n}"), "quality": 9} for n in range(70)))
    err = run("data", "check", str(folder)).err
    assert err.count("error [format]") == 50 and "… and 20 more [format]" in err


def test_samples_are_the_same_every_time(run: Run) -> None:
    one, two = (run("data", "show", str(ROOT / "data"), "--split", "test", "--sample", "2").out for _ in range(2))
    assert one == two
    assert one != run("data", "show", str(ROOT / "data"), "--split", "test", "--sample", "2", "--seed", "5").out


def test_the_projects_own_data_holds_to_its_rules() -> None:
    dataset = read_dataset(ROOT / "data")
    problems = check(dataset)
    assert [str(problem) for problem in problems if problem.level == "error" or problem.rule == "balance"] == []
    counts = stats(dataset)
    assert counts.company >= 300
    assert set(counts.by_split) == {"train", "validation", "test"}


def packets(*words: str) -> subprocess.CompletedProcess[str]:
    tool = ROOT / "data" / "authoring" / "packets.py"
    return subprocess.run([sys.executable, str(tool), *words], capture_output=True, text=True, timeout=120)


def test_packets_go_out_blind_and_come_back(tmp_path: Path) -> None:
    ran = packets("draw", "--language-share", "1", "--packets", "1", "--out", str(tmp_path / "new"))
    assert ran.returncode == 0, ran.stderr
    key = json.loads((tmp_path / "new" / "key.json").read_text("utf-8"))
    packet = (tmp_path / "new" / "packet-1.txt").read_text("utf-8")
    assert len(key) == 5 and packet.count("@ p1-") == 5
    assert not any(label in packet for label in ("active_listening", "repeated_request"))

    rating = "quality=2 one_way=no ignored=yes resolved=partly\n"
    agents = {name: next(line for line in packet.split(f"@ {name}")[1].split("\n") if " A: " in line) for name in key}
    answers = "".join(f"@ {name}\n{line.split()[0]} empathy\n{rating}" for name, line in agents.items())
    (tmp_path / "answers.txt").write_text(answers)
    words = (str(tmp_path / "answers.txt"), "--key", str(tmp_path / "new" / "key.json"))
    rows = [json.loads(line) for line in packets("second", *words).stdout.splitlines()]
    known = {item.conversation.id: item.conversation for item in read_dataset(ROOT / "data").conversations}
    for row in rows:
        first = [list(said.labels) for _, said in known[row["id"]].lines()]
        assert row["first"]["labels"] == first and len(row["second"]["labels"]) == len(first)
        assert sum(map(len, row["second"]["labels"])) == 1 and row["second"]["ignored_request"] is True

    for wrong, said in (
        (answers.replace("empathy", "empaty", 1), "once, and labels; met"),
        (answers.replace(rating, "", 1), "1 without a line of ratings"),
        (answers + "@\n", "no name is not in the key"),
        (answers[: answers.rindex("@")], "1 not answered"),
    ):
        (tmp_path / "answers.txt").write_text(wrong)
        ran = packets("read", *words)
        assert (ran.returncode, said in ran.stderr, "Traceback" in ran.stderr) == (1, True, False), ran.stderr
