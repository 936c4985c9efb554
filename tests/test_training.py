"""The training data as the recipes see it, the arithmetic of their figures, and (slow) the recipes from end to end."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import datasets
import numpy as np
import pytest
from sklearn.metrics import f1_score, fbeta_score

from convqa.detect import LOOK_BACK
from convqa.detect.dialogue import DialogueDetector
from convqa.detect.ngram import NgramDetector
from convqa.labels import AGENT_LABELS, CUSTOMER_LABELS, UTTERANCE_LABELS
from convqa.roles import RoleModel

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "training"))

import baseline  # noqa: E402
import corpus  # noqa: E402
import data_card  # noqa: E402
import figures  # noqa: E402
import real_messages  # noqa: E402

PHRASES = """\
language	label	subtype	polarity	phrase
nb	empathy	affective	pos	Det var "leit" å høre.
en	apology	plain	confusable-neg	Sorry, what was the number?
sv	dismissive	blame_customer	pos	Det hade du kunnat läsa i villkoren.
sv	dismissive	blame_customer	confusable-neg	Villkoren ligger på sidan.
da	active_listening	backchannel	pos	Ja, ja.
da	active_listening	paraphrase	pos	Så det stoppede i går?
nn	cust_complaint	plain	pos	Dette er for dårleg.
nn	cust_not_listening	plain	pos	Du høyrer ikkje etter.
en	greeting	plain	pos	Good morning.
en	small_talk	plain	pos	Nice weather.
"""


def turn(role: str, *utterances: tuple[str, list[str]]) -> dict[str, object]:
    return {"role": role, "utterances": [{"text": text, "labels": labels} for text, labels in utterances]}


def conversation(id: str, *turns: dict[str, object], **fields: object) -> str:
    return json.dumps({"id": id, "language": "nb", "style": "chat", "quality": 3.0, "turns": list(turns), **fields})


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    folder = tmp_path / "data"
    for name in ("conversations", "snippets", "phrases"):
        (folder / name).mkdir(parents=True)
    first = conversation(
        "one",
        turn("customer", ("Hei!", []), ("Jeg er så lei.", ["distress"])),
        turn("agent", ("Det skjønner jeg.", ["empathy"])),
        turn("customer", ("Takk!", ["gratitude"])),
        one_way=False,
    )
    (folder / "conversations" / "a2.jsonl").write_text(f"{first}\n{conversation('two', turn('agent', ('Hei', [])))}\n")
    (folder / "conversations" / "a1.jsonl").write_text(conversation("three", turn("agent", ("Nei", ["dismissive"]))))
    snippet = {
        "id": "s",
        "language": "en",
        "style": "asr",
        "turns": [turn("agent", ("so what", ["dismissive", "hostility"]))],
    }
    (folder / "snippets" / "snippets-en.jsonl").write_text(json.dumps(snippet))
    (folder / "phrases" / "phrases.tsv").write_text(PHRASES)
    yield folder


def true(row: corpus.Labelled) -> set[str]:
    return {label for label, value in zip(UTTERANCE_LABELS, row.values, strict=True) if value}


def known(row: corpus.Labelled) -> set[str]:
    return {label for label, known in zip(UTTERANCE_LABELS, row.known, strict=True) if known}


def test_conversations_come_by_author_in_order(data: Path) -> None:
    rows = corpus.conversations(data)
    assert [(row["author"], row["id"]) for row in rows] == [("a1", "three"), ("a2", "one"), ("a2", "two")]
    assert (rows[1]["one_way"], rows[1]["ignored_request"], rows[1]["quality"]) == (False, None, 3.0)


def test_a_folder_without_data_is_told(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"no \*\.jsonl files here"):
        corpus.conversations(tmp_path)


def test_lines_hold_what_was_said_before(data: Path) -> None:
    one = corpus.conversations(data)[1]
    lines = corpus.lines_of(one)
    assert [(line.role, line.text, line.position) for line in lines] == [
        ("customer", "Hei!", 0.0),
        ("customer", "Jeg er så lei.", 0.25),
        ("agent", "Det skjønner jeg.", 0.5),
        ("customer", "Takk!", 0.75),
    ]
    assert lines[2].context == (("customer", "Hei!"), ("customer", "Jeg er så lei."))
    assert {line.position for line in corpus.lines_of(one, positions=False)} == {None}
    long = {"turns": [turn("agent", (str(n), [])) for n in range(30)]}
    assert [text for _, text in corpus.lines_of(long)[-1].context] == [str(n) for n in range(29 - LOOK_BACK, 29)]


def test_every_line_is_known_for_the_labels_of_its_role(data: Path) -> None:
    rows = [row for row in corpus.labelled(data) if row.kind != "phrase"]
    assert [(row.kind, row.group, row.conversation, row.language, row.style) for row in rows] == [
        ("conversation", "a1", "three", "nb", "chat"),
        *[("conversation", "a2", "one", "nb", "chat")] * 4,
        ("conversation", "a2", "two", "nb", "chat"),
        ("snippet", "snippets-en", "s", "en", "asr"),
    ]
    assert [true(row) for row in rows] == [
        {"dismissive"},
        set(),
        {"distress"},
        {"empathy"},
        {"gratitude"},
        set(),
        {"dismissive", "hostility"},
    ]
    for row in rows:
        assert known(row) == set(AGENT_LABELS if row.line.role == "agent" else CUSTOMER_LABELS)
    assert rows[-1].line.position is None and rows[0].line.position == 0.0


def test_a_phrase_is_known_for_what_it_names_only(data: Path) -> None:
    rows = [row for row in corpus.labelled(data) if row.kind == "phrase"]
    assert [(row.line.text, row.line.role, sorted(true(row)), sorted(known(row))) for row in rows] == [
        ('Det var "leit" å høre.', "agent", ["empathy"], ["empathy"]),
        ("Sorry, what was the number?", "agent", [], ["apology"]),
        ("Det hade du kunnat läsa i villkoren.", "agent", ["blame", "dismissive"], ["blame", "dismissive"]),
        ("Villkoren ligger på sidan.", "agent", [], ["dismissive"]),
        ("Ja, ja.", "agent", [], ["active_listening"]),  # a back-channel alone is not listening
        ("Så det stoppede i går?", "agent", ["active_listening"], ["active_listening"]),
        ("Dette er for dårleg.", "customer", ["distress"], ["distress"]),
        ("Du høyrer ikkje etter.", "customer", ["repeated_request"], ["repeated_request"]),
        ("Good morning.", "agent", ["courtesy"], ["courtesy"]),
    ]
    assert {row.group for row in rows} == {"phrases"}


def test_every_phrase_of_the_project_is_used_or_left_out_on_purpose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
    rows = list(corpus._phrases(corpus.DATA / "phrases" / "phrases.tsv"))
    assert len(rows) > 1000
    assert all(true(row) <= known(row) and known(row) for row in rows)


def test_hash_is_of_the_data_and_the_splits_only(data: Path) -> None:
    before = corpus.data_hash(data)
    (data / "README.md").write_text("anything")
    (data / "dataset.toml").write_text('name = "mine"\nversion = "2"\n[targets]\nconversations = 9\n')
    assert corpus.data_hash(data) == before
    (data / "dataset.toml").write_text('name = "mine"\nversion = "2"\n[splits]\ntest = ["a1"]\ntrain = ["a2"]\n')
    assert corpus.data_hash(data) != before
    (data / "dataset.toml").unlink()
    with (data / "phrases" / "phrases.tsv").open("a") as file:
        file.write("\n")
    assert corpus.data_hash(data) != before


def test_splits_come_from_the_description(data: Path) -> None:
    assert {row["split"] for row in corpus.conversations(data)} == {"train"}  # without a description
    (data / "dataset.toml").write_text('name = "mine"\nversion = "1"\n[splits]\ntest = ["a1"]\n')
    with pytest.raises(SystemExit, match="a2 in no split"):  # a slip of the pen must not put a test author into train
        corpus.conversations(data)
    (data / "dataset.toml").write_text('name = "mine"\nversion = "1"\n[splits]\ntest = ["a1"]\ntrain = ["a1", "a2"]\n')
    with pytest.raises(SystemExit, match="a1 is in test and in train"):
        corpus.conversations(data)
    (data / "dataset.toml").write_text('name = "mine"\nversion = "1"\n[splits]\ntest = ["a1"]\nvalidation = ["a2"]\n')
    assert [(row["author"], row["split"]) for row in corpus.conversations(data, "test")] == [("a1", "test")]
    assert {row["author"] for row in corpus.conversations(data, "train", "validation")} == {"a2"}
    assert {(row.group, row.split, row.kind) for row in corpus.labelled(data, "test")} == {
        ("a1", "test", "conversation")
    }
    assert {row.group for row in corpus.labelled(data, "train")} == {"snippets-en", "phrases"}


def test_folds_never_split_an_author() -> None:
    groups = [f"a{n % 13}" for n in range(300)] + ["a99"] * 60 + ["phrases"] * 9 + ["snippets-en"] * 9
    fold = corpus.folds(groups, 5)
    of_group = {group: {int(f) for g, f in zip(groups, fold, strict=True) if g == group} for group in groups}
    assert all(len(found) == 1 for found in of_group.values())
    assert of_group["phrases"] == of_group["snippets-en"] == {-1}
    sizes = np.bincount(fold[fold >= 0], minlength=5)
    assert sizes.sum() == 360 and sizes.max() - sizes.min() <= 24  # an ordinary author's size
    assert (corpus.folds(groups, 5) == fold).all()


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("beta", [1.0, 0.5])
def test_best_threshold_is_the_best_of_all(seed: int, beta: float) -> None:
    rng = np.random.default_rng(seed)
    p = rng.integers(0, 12, 40) / 12  # many equal ones
    y = rng.random(40) < 0.2 + 0.6 * p
    y[0] = True
    cut = figures.best_threshold(y, p, beta)
    assert cut in p
    of_all = [fbeta_score(y, p >= at, beta=beta, zero_division=0) for at in p]
    assert fbeta_score(y, p >= cut, beta=beta) == pytest.approx(max(of_all))


def test_bootstrap_f1_of_plain_cases() -> None:
    y = np.array([[1, 0], [0, 1], [1, 1], [0, 0]] * 10, bool)
    group = np.repeat([f"c{n}" for n in range(10)], 4)
    assert (figures.bootstrap_f1(y, y, group) == 1.0).all()
    assert (figures.bootstrap_f1(y, ~y, group) == 0.0).all()
    assert (figures.bootstrap_f1(y[:0], y[:0], group[:0]) == 0.0).all()
    one = figures.bootstrap_f1(y, np.roll(y, 1), np.full(40, "c"))  # one conversation: nothing to draw
    assert np.ptp(one) == 0.0


def test_bootstrap_f1_spreads_around_the_figure_by_conversations() -> None:
    rng = np.random.default_rng(1)
    y = rng.random((600, 2)) < 0.4
    predicted = y ^ (rng.random((600, 2)) < 0.2)
    by_line = figures.interval(figures.bootstrap_f1(y, predicted, np.arange(600).astype(str)))
    figure = np.mean([f1_score(y[:, n], predicted[:, n]) for n in (0, 1)])
    assert by_line[0] < figure < by_line[1]
    assert 0.02 < by_line[1] - by_line[0] < 0.15
    # The same lines thrice are no more certain when they come from the same conversations.
    thrice = figures.interval(
        figures.bootstrap_f1(np.tile(y, (3, 1)), np.tile(predicted, (3, 1)), np.tile(np.arange(600), 3))
    )
    assert thrice == pytest.approx(by_line, abs=0.02)
    assert figures.interval(figures.bootstrap_f1(y, predicted, np.arange(600).astype(str))) == by_line


@pytest.mark.parametrize(
    ("yes", "n", "low", "high"), [(8, 10, 0.4902, 0.9433), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0)]
)
def test_share_interval_is_wilsons(yes: int, n: int, low: float, high: float) -> None:
    assert figures.share_interval(np.arange(n) < yes) == pytest.approx((low, high), abs=1e-4)


def test_bootstrap_of_a_mean() -> None:
    values = np.random.default_rng(2).normal(10, 2, 400)
    low, high = figures.interval(figures.bootstrap(400, lambda at: float(values[at].mean())))
    assert low < values.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * 2 / 20, rel=0.2)


def test_table_is_markdown() -> None:
    assert figures.table(["a", "b"], [["1", "2"]]) == "| a | b |\n|---|---|\n| 1 | 2 |"


REAL = """source_language,target_language,source,reference,doc_id,client_id,sender
de,en,Wo ist mein Paket?,Where is my parcel?,d1,c,customer
en,de,I am sorry to hear that.,,d1,c,agent
en,de,"We sent it late, apologies.",,d1,c,agent
en,de,Hello.,,d2,c,agent
"""


def test_real_messages_are_joined_by_place(tmp_path: Path) -> None:
    (tmp_path / "valid__en-de.csv").write_text(REAL)
    text = "We sent it late, apologies."
    item = {"file": "valid__en-de.csv", "row": 2, "document": "d1", "stratum": "random"}
    item["sha256"] = hashlib.sha256(text.encode()).hexdigest()[:16]
    labels = {"labels": ["apology"], "first": ["apology"], "second": ["apology", "empathy"]}
    (tmp_path / "labels.jsonl").write_text(json.dumps(item | labels))
    (message,) = real_messages.messages(tmp_path, tmp_path / "labels.jsonl")
    assert message.text == text
    assert message.context == ("customer: Where is my parcel?", "agent: I am sorry to hear that.")
    assert (message.gold, message.second) == ({"apology"}, {"apology", "empathy"})
    found = np.zeros((1, len(UTTERANCE_LABELS)), bool)
    found[0, UTTERANCE_LABELS.index("apology")] = True
    figures_of = real_messages.measure([message], found)
    assert figures_of["apology"][0] == 1.0 and figures_of[real_messages.MEAN][0] == pytest.approx(1 / 3)

    (tmp_path / "labels.jsonl").write_text(json.dumps(item | labels | {"row": 1}))
    with pytest.raises(SystemExit, match="row 1: is not the message that was labelled; another version of the set"):
        real_messages.messages(tmp_path, tmp_path / "labels.jsonl")
    with pytest.raises(SystemExit, match="not there"):
        real_messages.messages(tmp_path / "nowhere", tmp_path / "labels.jsonl")


def test_no_author_of_another_split_trained_a_model() -> None:
    train = {author for author, split in corpus.splits_of().items() if split == "train"}
    meta = json.loads((ROOT / "models" / "segmenter" / "meta.json").read_text("utf-8"))["convqa"]
    assert set(meta["trained_on"].split(", ")) <= train
    for model in ("utterances", "dialogue", "roles"):
        data = json.loads((ROOT / "models" / model / "meta.json").read_text("utf-8"))["data"]
        assert data["conversations"] == len(corpus.conversations(corpus.DATA, "train"))


def test_labels_of_real_messages_hold_no_text() -> None:
    path = ROOT / "data" / "annotations" / "wmt24-chat.jsonl"
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert len({(row["file"], row["row"]) for row in rows}) == len(rows) >= 600
    fields = {"file", "row", "document", "sha256", "stratum", "first", "second", "labels"}
    assert all(set(row) == fields for row in rows)
    assert {label for row in rows for side in ("first", "second", "labels") for label in row[side]} <= set(AGENT_LABELS)


def test_the_baseline_learns_and_says_probabilities(data: Path) -> None:
    rows = [row for row in corpus.labelled(data) if row.kind != "phrase"] * 3
    more = [
        replace(row, line=replace(row.line, text=text), values=tuple(name == label for name in UTTERANCE_LABELS))
        for row in rows[:1] * 4
        for label, text in (("apology", "beklager det"), ("active_listening", "så du mener i går"))
    ]
    model = baseline.Baseline().fit([*rows, *more])
    p = model.predict_proba(["beklager det", "så du mener i går"])
    assert p.shape == (2, 4) and p[0, 1] > p[1, 1] and p[1, 2] > p[0, 2]


def test_the_card_says_what_a_doubling_added(tmp_path: Path) -> None:
    points = [
        {"model": "m", "authors": n, "conversations": 40 * n, "macro_f1": f1, "interval": [f1 - 0.1, f1 + 0.1]}
        for n, f1 in ((5, 0.5), (10, 0.56))
    ]
    path = tmp_path / "curve.json"
    path.write_text(json.dumps({"data_sha256": corpus.data_hash(), "points": points}))
    assert data_card.curve(path).splitlines()[2:] == [
        "| m | 5 | 200 | 0.500 (0.400–0.600) |  |",
        "| m | 10 | 400 | 0.560 (0.460–0.660) | +0.060 |",
    ]
    path.write_text(json.dumps({"data_sha256": "another", "points": points}))
    with pytest.raises(SystemExit, match="is of other data, or not there"):
        data_card.curve(path)
    with pytest.raises(SystemExit, match="is of other data, or not there"):
        data_card.curve(tmp_path / "nowhere.json")


@pytest.mark.parametrize("config", ["conversations", "snippets", "second_annotation", "real_messages"])
def test_the_folder_loads_with_datasets(config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
    found = datasets.load_dataset(str(ROOT / "data"), config)
    if config == "conversations":
        split_of = corpus.splits_of()
        rows = {split: set(found[split]["id"]) for split in ("train", "validation", "test")}
        for row in corpus.conversations():
            assert row["id"] in rows[split_of[row["author"]]]
    else:
        assert set(found) == {"train"} and found["train"].num_rows > 200


@pytest.mark.slow
def test_recipes_from_end_to_end(tmp_path: Path) -> None:
    """A slice of the data trains every model of the n-gram way, and what comes out loads and can be used."""
    small = tmp_path / "data"
    for folder, number in (("conversations", 8), ("snippets", 200)):
        (small / folder).mkdir(parents=True)
        for path in sorted((corpus.DATA / folder).glob("*.jsonl"))[:16]:
            lines = path.read_text("utf-8").splitlines(keepends=True)
            (small / folder / path.name).write_text("".join(lines[:number]), "utf-8")
    split = {"a16": "validation", "a14": "test", "a19": "test"}
    authors = sorted(path.stem for path in (small / "conversations").glob("*.jsonl"))
    listed = {name: [a for a in authors if split.get(a, "train") == name] for name in ("train", "validation", "test")}
    (small / "dataset.toml").write_text(
        'name = "slice"\nversion = "1"\n[splits]\n'
        + "".join(f"{name} = {json.dumps(some)}\n" for name, some in listed.items())
    )
    (small / "phrases").mkdir()
    (small / "phrases" / "phrases.tsv").write_bytes((corpus.DATA / "phrases" / "phrases.tsv").read_bytes())

    def train(recipe: str, *options: str | Path) -> str:
        command = [sys.executable, ROOT / "training" / recipe / "train.py", "--data", small, *options]
        ran = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=900)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    oof = tmp_path / "build" / "oof.npz"
    printed = train("utterances", "--out", tmp_path / "utterances", "--oof", oof)
    detector = NgramDetector.load(tmp_path / "utterances")
    meta = json.loads((tmp_path / "utterances" / "meta.json").read_text("utf-8"))
    assert meta["data"]["sha256"] == corpus.data_hash(small)
    assert (meta["data"]["authors"], meta["data"]["test_authors"], meta["data"]["test_conversations"]) == (13, 2, 16)
    assert set(detector.labels) == set(UTTERANCE_LABELS)
    (apology, number) = detector.predict_proba(
        [corpus.Line("Jeg beklager så mye.", "agent"), corpus.Line("Hva er kundenummeret ditt?", "agent")]
    )[:, detector.labels.index("apology")]
    assert apology > 0.5 > number
    for text in (printed, (tmp_path / "utterances" / "README.md").read_text("utf-8")):
        assert f"{meta['scores']['labels']['apology']['all']['f1']:.2f}" in text

    rows = corpus.conversations(small)
    stored = np.load(oof)
    used = [row for row in rows if row["split"] != "validation"]
    assert len(stored["probabilities"]) == sum(len(corpus.lines_of(row)) for row in used)
    options = ("--oof", oof, "--utterances", tmp_path / "utterances", "--out", tmp_path / "dialogue")
    train("dialogue", *options)
    assert set(DialogueDetector.load(tmp_path / "dialogue").thresholds) == {"one_way_dialogue", "ignored_request"}
    train("roles", "--out", tmp_path / "roles")
    assert RoleModel.load(tmp_path / "roles").sharpness > 0

    command = [sys.executable, ROOT / "training" / "baseline.py", "--data", small]
    ran = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300)
    assert (ran.returncode, ran.stdout.count("split: core macro-F1 0.")) == (0, 2), ran.stderr

    command = [sys.executable, ROOT / "training" / "learning_curve.py", "--data", small, "--out", tmp_path]
    command += ["--halvings", "1"]
    ran = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
    curve = json.loads((tmp_path / "learning-curve.json").read_text("utf-8"))
    assert [(point["model"], point["authors"], point["conversations"]) for point in curve["points"]] == [
        ("TF-IDF baseline", 6, 48),
        ("n-gram detector", 6, 48),
        ("TF-IDF baseline", 13, 104),
        ("n-gram detector", 13, 104),
    ]
    assert [len(point["orders"]) for point in curve["points"]] == [3, 1, 1, 1]
    assert all(point["interval"][0] <= point["macro_f1"] <= point["interval"][1] for point in curve["points"])
    assert "</svg>" in (tmp_path / "learning-curve.svg").read_text("utf-8")

    # Probabilities of other data are refused, not used.
    (small / "conversations" / "a11.jsonl").unlink()
    command = [sys.executable, ROOT / "training" / "dialogue" / "train.py", "--data", small, *options]
    (small / "dataset.toml").write_text((small / "dataset.toml").read_text().replace('"a11", ', ""))
    ran = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300)
    assert ran.returncode == 1 and "made from other data; run training/utterances again" in ran.stderr


@pytest.mark.parametrize("model", ["utterances", "dialogue", "roles"])
def test_bundled_models_were_trained_on_the_data_that_is_here(model: str) -> None:
    meta = json.loads((ROOT / "models" / model / "meta.json").read_text("utf-8"))
    assert meta["data"]["sha256"] == corpus.data_hash()
    assert corpus.data_hash() in (ROOT / "data" / "README.md").read_text("utf-8")
