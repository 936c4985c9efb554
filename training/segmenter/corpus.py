"""Gold utterance boundaries for training and measuring the segmenter.

From the authored conversations (a turn's text is its utterances joined by spaces) and from treebanks of Universal
Dependencies and the nile sample calls, which are read from where they lie and never copied.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from convqa.segment import sentences, words

TREEBANKS = {
    "ud-norwegian-bokmaal": "nb",
    "ud-norwegian-nynorsk": "nn",
    "ud-nynorsk-lia": "nn",
    "ud-danish-ddt": "da",
    "ud-swedish-talbanken": "sv",
    "ud-english-ewt": "en",
}


@dataclass(frozen=True, slots=True)
class Example:
    """The words of one turn as the model reads them; ``starts[i]`` says that word i begins an utterance.

    ``tags`` are the word classes and syntactic roles that a treebank gives; None for text without them.
    """

    words: tuple[str, ...]
    starts: tuple[bool, ...]
    tags: tuple[str, ...] | None = None


def read(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """The conversations by author (the file's name without suffix)."""
    authors = {}
    for path in sorted(folder.glob("*.jsonl")):
        with path.open(encoding="utf-8") as lines:
            authors[path.stem] = [json.loads(line) for line in lines if line.strip()]
    if not authors:
        raise SystemExit(f"{folder}: no .jsonl files here; give the folder of authored conversations with --data")
    return authors


def example(utterances: Iterable[str]) -> Example:
    """Utterances set side by side; one that has no words joins its neighbour."""
    forms: list[str] = []
    starts: list[bool] = []
    for utterance in utterances:
        found, _ = words(utterance)
        forms.extend(found)
        starts.extend(i == 0 for i in range(len(found)))
    return Example(tuple(forms), tuple(starts))


def authored(conversations: Iterable[dict[str, Any]], rng: random.Random, *, glue: float, plain: bool) -> list[Example]:
    """Turns of authored conversations as the model would meet them.

    Written styles lose their punctuation here; as authors leave short sentences together in one utterance, the
    rules split those first. In speech style, with chance ``glue``, a turn is followed by the next one of the same
    speaker: where a turn ends, an utterance surely does. ``plain`` leaves the written styles out.
    """
    examples: list[Example] = []
    for conversation in conversations:
        turns = conversation["turns"]
        speech = conversation["style"] == "asr"
        if plain and not speech:
            continue
        for index, turn in enumerate(turns):
            utterances = [utterance["text"] for utterance in turn["utterances"]]
            examples.append(example(_finer(utterances, conversation["language"], speech)))
            later = [other for other in turns[index + 1 : index + 4] if other["role"] == turn["role"]]
            if later and rng.random() < glue:
                more = [utterance["text"] for utterance in later[0]["utterances"]]
                examples.append(example(_finer(utterances + more, conversation["language"], speech)))
    return [one for one in examples if one.words]


def _finer(utterances: list[str], language: str, speech: bool) -> list[str]:
    if speech:
        return utterances
    return [text[start:end] for text in utterances for start, end in sentences(text, language)]


def treebank(path: Path) -> list[str]:
    """The sentences of a CoNLL-U file, in order, as text; pause marks of spoken treebanks are left out."""
    found = re.findall(r"(?m)^# text = (.*)$", path.read_text(encoding="utf-8"))
    return [re.sub(r"\s#(?=\s)", "", text) for text in found]


def calls(folder: Path) -> Iterator[list[str]]:
    """The turns of nile's sample calls, each as its sentences."""
    for path in sorted(folder.rglob("*.txt")):
        for paragraph in path.read_text(encoding="utf-8").split("\n\n"):
            _, _, said = paragraph.strip().partition(": ")
            if said:
                yield [said[start:end] for start, end in sentences(said, "en")]


def tagged_treebank(path: Path) -> list[Example]:
    """The sentences of a CoNLL-U file, each word with its class and role ("VERB_root", "PRON+AUX_nsubj")."""
    found = []
    for block in path.read_text(encoding="utf-8").strip().split("\n\n"):
        forms, tags = [], []
        for form, tag in _chunks(line.split("\t") for line in block.split("\n") if not line.startswith("#")):
            read_as, _ = words(form)
            if read_as:
                forms.append(read_as[0])
                tags.append(tag)
        if forms:
            found.append(Example(tuple(forms), tuple(i == 0 for i in range(len(forms))), tuple(tags)))
    return found


def _chunks(rows: Iterable[list[str]]) -> Iterator[tuple[str, str]]:
    """What stands between two spaces, of one token or more, with its tag."""
    form, kinds, role = "", [], ""
    for row in rows:
        if "-" in row[0] or "." in row[0] or row[1] == "#":
            continue
        form += row[1]
        if row[3] != "PUNCT":
            kinds.append(row[3])
            role = role or row[7].partition(":")[0]
        if "SpaceAfter=No" not in row[9]:
            yield form, f"{'+'.join(kinds[:2])}_{role}"
            form, kinds, role = "", [], ""
    if form:
        yield form, f"{'+'.join(kinds[:2])}_{role}"


def glued(examples: Iterable[Example]) -> Example:
    """Examples one after another as one turn."""
    several = list(examples)
    tagged = all(one.tags is not None for one in several)
    return Example(
        tuple(word for one in several for word in one.words),
        tuple(begins for one in several for begins in one.starts),
        tuple(tag for one in several for tag in one.tags or ()) if tagged else None,
    )


def pseudo_turns(found: list[Example], rng: random.Random) -> list[Example]:
    """Neighbouring sentences as turns of one to six."""
    examples = []
    at = 0
    while at < len(found):
        size = rng.choices((1, 2, 3, 4, 5, 6), (4, 4, 3, 2, 1, 1))[0]
        examples.append(glued(found[at : at + size]))
        at += size
    return [one for one in examples if one.words]


def spliced(conversations: Iterable[dict[str, Any]], rng: random.Random, *, rounds: int) -> list[Example]:
    """Utterances of all conversations in one language and role, shuffled and set side by side.

    A boundary shows in how the one utterance ends and the other begins, so strangers side by side teach it too.
    """
    pools: dict[tuple[str, str], list[Example]] = {}
    for conversation in conversations:
        for turn in conversation["turns"]:
            utterances = [utterance["text"] for utterance in turn["utterances"]]
            finer = _finer(utterances, conversation["language"], conversation["style"] == "asr")
            pool = pools.setdefault((conversation["language"], turn["role"]), [])
            pool.extend(one for one in (example([text]) for text in finer) if one.words)
    examples = []
    for _ in range(rounds):
        for pool in pools.values():
            rng.shuffle(pool)
            examples.extend(pseudo_turns(pool, rng))
    return examples


def public(folder: Path, rng: random.Random, *, rounds: int) -> list[Example]:
    """Training examples from the treebanks' development parts, LIA's training part, and nile's calls.

    The first round keeps the treebanks' order, further rounds shuffle their sentences.
    """
    examples = [example(turn) for turn in calls(folder / "nile-calls")]
    for name in TREEBANKS:
        parts = ("train", "dev") if name == "ud-nynorsk-lia" else ("dev",)
        for part in parts:
            found = tagged_treebank(folder / name / f"{part}.conllu")
            for shuffled in range(rounds):
                if shuffled:
                    rng.shuffle(found)
                examples.extend(pseudo_turns(found, rng))
    return [one for one in examples if one.words]


def inner(spans: Iterable[tuple[int, int]]) -> set[int]:
    """Inner boundaries: where each utterance but the first begins."""
    return {start for _, (start, _) in pairwise(spans)}


def turn_text(turn: dict[str, Any]) -> tuple[str, set[int]]:
    """A turn's text and the characters at which its gold inner boundaries lie."""
    parts = [utterance["text"] for utterance in turn["utterances"]]
    gold, at = set(), 0
    for part in parts[:-1]:
        at += len(part) + 1
        gold.add(at)
    return " ".join(parts), gold
