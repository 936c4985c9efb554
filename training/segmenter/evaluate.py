"""Measures the segmenter on authors and treebanks that trained nothing, and writes the model card.

    python training/segmenter/evaluate.py --data data/conversations --public PATH --model models/segmenter

Only inner boundaries count: where a turn ends is always known. Intervals are 95 % of 1,000 bootstrap resamples over
conversations.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import spacy

from convqa.segment import STRAY_WORDS, Segmenter, sentences
from corpus import TREEBANKS, authored, example, inner, pseudo_turns, read, treebank, turn_text

HERE = Path(__file__).parent
TEST = ("a14", "a19", "a24", "a30")
"""Of the test split, the authors whose speech-style utterances were gone through by sentence, too."""
VALIDATION = ("a16", "a23")
"""Of the train split, those whom `--validation` leaves out, to choose the lean on."""
LANGUAGES = ("nb", "nn", "da", "sv", "en")
OPENERS = {
    *("og", "men", "så", "ja", "nei", "nej", "ok", "okay", "okei", "okej", "da", "då", "jeg", "eg", "jag", "och"),
    *("beklager", "undskyld", "förlåt", "takk", "tak", "tack", "hei", "hej", "and", "but", "so", "yes", "yeah"),
    *("no", "well", "right", "i'm", "sorry", "thanks"),
}

Texts = Sequence[str]
System = Callable[[Texts, str], list[set[int]]]
Gold = list[tuple[str, list[str], list[set[int]]]]
"""For each conversation its language, the texts of its turns, and their inner boundaries."""


def before_openers(texts: Texts, _: str) -> list[set[int]]:
    """A new utterance before each discourse opener, once three words have passed."""
    return [_cut(text, lambda word, passed: passed >= 3 and word in OPENERS) for text in texts]


def every_twelve(texts: Texts, _: str) -> list[set[int]]:
    """A new utterance every twelve words, which is their mean length."""
    return [_cut(text, lambda _, passed: passed == 12) for text in texts]


def _cut(text: str, begins: Callable[[str, int], bool]) -> set[int]:
    found, at, passed = set(), 0, 0
    for word in text.split(" "):
        if passed and begins(word, passed):
            found.add(at)
            passed = 0
        at += len(word) + 1
        passed += 1
    return found


def by_rules(texts: Texts, language: str) -> list[set[int]]:
    return [inner(sentences(text, language)) for text in texts]


def sentencizer() -> System:
    pipelines: dict[str, Any] = {}

    def split(texts: Texts, language: str) -> list[set[int]]:
        if language not in pipelines:
            pipelines[language] = spacy.blank(language)
            pipelines[language].add_pipe("sentencizer")
        docs = pipelines[language].pipe(texts)
        return [{sent.start_char for sent in doc.sents if sent.start_char} for doc in docs]

    return split


def by_segmenter(segmenter: Segmenter) -> System:
    return lambda texts, language: [inner(spans) for spans in segmenter.segment(texts, language)]


def utterances(conversations: Iterable[dict[str, Any]], role: str | None = None) -> Gold:
    """Gold as the authors divided it."""
    gold: Gold = []
    for conversation in conversations:
        turns = [turn_text(turn) for turn in conversation["turns"] if role in (None, turn["role"])]
        gold.append((conversation["language"], [text for text, _ in turns], [found for _, found in turns]))
    return gold


def speech() -> Gold:
    """Turns of the test authors' speech style, divided into sentences for this measurement; a unit is a turn."""
    gold: Gold = []
    for line in (HERE / "speech_gold.tsv").read_text(encoding="utf-8").splitlines():
        name, _, marked = line.split("\t")
        text, boundaries = turn_text({"utterances": [{"text": part} for part in marked.split(" | ")]})
        gold.append((name[:2], [text], [boundaries]))
    return gold


def bare(conversations: Iterable[dict[str, Any]]) -> Gold:
    """Written conversations in lower case without punctuation; gold is sentences."""
    gold: Gold = []
    for conversation in conversations:
        examples = authored([conversation], random.Random(0), glue=0, plain=False)  # noqa: S311
        gold.append((conversation["language"], *_texts(examples)))
    return gold


def bare_treebank(path: Path, language: str) -> Gold:
    """A treebank's sentences in turns of one to six, without punctuation; twenty turns a conversation."""
    found = [one for one in (example([text]) for text in treebank(path)) if one.words]
    examples = pseudo_turns(found, random.Random(1))  # noqa: S311
    return [(language, *_texts(examples[at : at + 20])) for at in range(0, len(examples), 20)]


def written_treebank(path: Path, language: str) -> Gold:
    """A treebank's sentences as they are written, ten a turn."""
    found = treebank(path)
    gold: Gold = []
    for at in range(0, len(found), 10):
        text, boundaries = turn_text({"utterances": [{"text": sentence} for sentence in found[at : at + 10]]})
        gold.append((language, [text], [boundaries]))
    return gold


def _texts(examples: Sequence[Any]) -> tuple[list[str], list[set[int]]]:
    texts, boundaries = [], []
    for one in examples:
        ends = np.cumsum([len(word) + 1 for word in one.words]).tolist()
        texts.append(" ".join(one.words))
        boundaries.append({ends[i - 1] for i, begins in enumerate(one.starts) if begins and i})
    return texts, boundaries


def counts(system: System, gold: Gold) -> np.ndarray:
    """For each conversation: boundaries found and right, found, and in the gold."""
    rows = []
    for language, texts, boundaries in gold:
        found = system(texts, language)
        rows.append(
            (
                sum(len(a & b) for a, b in zip(found, boundaries, strict=True)),
                sum(map(len, found)),
                sum(map(len, boundaries)),
            )
        )
    return np.array(rows).reshape(-1, 3)


def figures(table: np.ndarray) -> dict[str, Any]:
    """Precision, recall, F1 and the interval of F1."""
    right, found, wanted = table.sum(axis=0).tolist()
    draws = np.random.default_rng(0).integers(len(table), size=(1000, len(table)))
    sums = table[draws].sum(axis=1)
    resampled = 2 * sums[:, 0] / np.maximum(sums[:, 1] + sums[:, 2], 1)
    low, high = np.percentile(resampled, (2.5, 97.5)).tolist()
    return {
        "precision": round(right / found, 3) if found else None,
        "recall": round(right / wanted, 3) if wanted else None,
        "f1": round(2 * right / max(found + wanted, 1), 3),
        "f1_low": round(low, 3),
        "f1_high": round(high, 3),
        "boundaries": wanted,
        "conversations": len(table),
    }


def compare(systems: dict[str, System], gold: Gold, *, languages: bool = True) -> dict[str, dict[str, Any]]:
    """Figures of each system over all the gold and, where wanted, by language."""
    result: dict[str, dict[str, Any]] = {}
    for name, system in systems.items():
        table = counts(system, gold)
        result[name] = {"all": figures(table)}
        for language in LANGUAGES if languages else ():
            rows = table[[i for i, (of, *_) in enumerate(gold) if of == language]]
            if len(rows) and rows[:, 2].sum() >= 10:
                result[name][language] = figures(rows)
    return result


def measure(data: Path, public: Path, model: Path, authors: Sequence[str]) -> dict[str, Any]:
    """All tables, by what is measured, system, and language."""
    conversations = [one for name, found in read(data).items() if name in authors for one in found]
    style = {name: [one for one in conversations if one["style"] == name] for name in ("asr", "chat", "punctuated")}
    calls = [one for one in style["punctuated"] if one["channel"] == "call"]
    ours = by_segmenter(Segmenter.load(model))
    unpunctuated = {"senter": ours, "before openers": before_openers, "every 12 words": every_twelve, "rules": by_rules}
    written = {"convqa": ours, "rules alone": by_rules, "spaCy sentencizer": sentencizer()}
    tables = {
        **({"speech style, sentences": compare(unpunctuated, speech())} if set(TEST) <= set(authors) else {}),
        "speech style, the authors' utterances": compare(unpunctuated, utterances(style["asr"])),
        "speech style, agents only": compare(unpunctuated, utterances(style["asr"], "agent"), languages=False),
        "written calls without their punctuation, sentences": compare(unpunctuated, bare(calls)),
        "all written conversations without their punctuation, sentences": compare(
            unpunctuated, bare(style["punctuated"] + style["chat"])
        ),
        "punctuated, the authors' utterances": compare(written, utterances(style["punctuated"])),
        "chat, the authors' utterances": compare(written, utterances(style["chat"])),
    }
    for name, language in TREEBANKS.items():
        path = public / name / "test.conllu"
        tables[f"{name} test without punctuation"] = compare(
            unpunctuated, bare_treebank(path, language), languages=False
        )
        if name != "ud-nynorsk-lia":
            tables[f"{name} test as written"] = compare(written, written_treebank(path, language), languages=False)
    return tables


def markdown(tables: dict[str, Any]) -> str:
    """The tables for the model card."""
    lines = []
    for title, systems in tables.items():
        if title.startswith("ud-"):
            continue
        first = next(iter(systems.values()))
        columns = list(first)[1:]
        lines += ["", f"**{title[0].upper()}{title[1:]}** ({_size(first['all'])})", ""]
        lines.append("| way | precision | recall | F1 [95 %] |" + "".join(f" F1 {column} |" for column in columns))
        lines.append("|---|---|---|---|" + "---|" * len(columns))
        for name, by in systems.items():
            total = by["all"]
            row = f"| {name} | {_show(total['precision'])} | {_show(total['recall'])} | {_interval(total)} |"
            lines.append(row + "".join(f" {_show(by[column]['f1'])} |" for column in columns))
    for kind in ("without punctuation", "as written"):
        chosen = {title: by for title, by in tables.items() if title.startswith("ud-") and title.endswith(kind)}
        names = list(next(iter(chosen.values())))
        lines += [
            "",
            f"**Treebanks' test parts {kind}, out of domain** (precision / recall / F1 [95 %]; others: F1)",
            "",
        ]
        lines.append(f"| treebank | {' | '.join(names)} |")
        lines.append("|---|" + "---|" * len(names))
        for title, by in chosen.items():
            ours, *others = (by[name]["all"] for name in names)
            row = f"| {title.split()[0]} ({_size(ours)}) | {_show(ours['precision'])} / {_show(ours['recall'])} / "
            lines.append(row + " | ".join([_interval(ours), *(_show(one["f1"]) for one in others)]) + " |")
    return "\n".join(lines).strip()


def _size(some: dict[str, Any]) -> str:
    return f"{some['conversations']} units, {some['boundaries']} boundaries"


def _interval(some: dict[str, Any]) -> str:
    return f"{_show(some['f1'])} [{_show(some['f1_low'])}, {_show(some['f1_high'])}]"


def _show(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def write(model: Path, tables: dict[str, Any]) -> None:
    """Puts the figures into the artifact's meta.json and its model card."""
    path = model / "meta.json"
    meta = json.loads(path.read_text(encoding="utf-8"))
    own = meta.setdefault("convqa", {})
    own["scores"] = tables
    own["headline"] = f"boundary F1 in speech {tables['speech style, sentences']['senter']['all']['f1']:.2f}"
    path.write_text(json.dumps(meta, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    card = (HERE / "card.md").read_text(encoding="utf-8")
    about = meta["convqa"]
    card = card.replace("{figures}", markdown(tables)).replace("{stray}", str(STRAY_WORDS))
    for key in ("version", "data_sha256", "examples", "trained_on", "lean"):
        card = card.replace(f"{{{key}}}", str(about.get(key, "?")))
    (model / "README.md").write_text(card, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data/conversations"))
    parser.add_argument("--public", type=Path, required=True, help="the folder that holds ud-danish-ddt and so on")
    parser.add_argument("--model", type=Path, default=Path("models/segmenter"))
    parser.add_argument("--validation", action="store_true", help="on the validation authors; writes nothing")
    options = parser.parse_args()
    authors = VALIDATION if options.validation else TEST
    tables = measure(options.data, options.public, options.model, authors)
    print(markdown(tables))
    if not options.validation:
        write(options.model, tables)


if __name__ == "__main__":
    main()
