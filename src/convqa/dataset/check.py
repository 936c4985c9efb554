"""What must hold of a labelled data set, and what it falls short of."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from convqa.dataset.folder import SPLITS, Authored, Dataset
from convqa.dataset.records import Snippet
from convqa.dataset.stats import stats
from convqa.labels import LABELS_OF_ROLE, LANGUAGES, UTTERANCE_LABELS
from convqa.language import SURE, identify

GRAM = 5
MOST_SHARED = 0.1
"""Two conversations that share more of their word 5-grams than this are near-duplicates."""
COMMON = 25
"""A gram that more texts than this hold is a macro that a whole team uses, and no sign of copying."""
FEWEST_SHARED = 8
"""One stock phrase of a dozen words ('is there anything else …') in two short texts does not make them duplicates."""
MOST_OPENINGS_ALIKE = 0.05
"""Share of conversations whose opening, of three words or more, another conversation has word for word."""
OPENING_WORDS = 3
PHRASE_COLUMNS = ("language", "label", "subtype", "polarity", "phrase")
POLARITIES = ("pos", "confusable-neg")
COPIED_WORDS = 12
"""An utterance of so many words that stands in two splits is a copy; shorter ones are phrases everybody says."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that does not hold. ``error``: must be mended; ``warning``: look at it, or fall short of a target."""

    level: Literal["error", "warning"]
    rule: str
    place: str
    what: str

    def __str__(self) -> str:
        return f"{self.level} [{self.rule}] {self.place}: {self.what}"


def check(dataset: Dataset) -> list[Problem]:
    """Check a data set: format, ids, splits, leakage, near-duplicates, openings, language, balance.

    Returns the problems, those of the format first, in the order of the rules; an empty list where all holds.
    """
    problems = [Problem("error", "format", f"{e.source}, {e.place}".rstrip(", "), e.reason) for e in dataset.errors]
    for rule in (
        _ids,
        _left_over,
        _splits,
        _copies,
        _near_duplicates,
        _openings,
        _languages,
        _phrases,
        _second,
        _targets,
    ):
        problems += rule(dataset)
    return problems


def _ids(dataset: Dataset) -> Iterator[Problem]:
    first: dict[str, str] = {}
    everything = [(item.conversation.id, item.place) for item in dataset.conversations]
    for name, place in [*everything, *((f"snippet {s.id} of {p.split(',')[0]}", p) for s, p in dataset.snippets)]:
        if name in first:
            yield Problem("error", "ids", place, f"{name} is also {first[name]}; give each an id of its own")
        first.setdefault(name, place)


LEFT_OVER = re.compile(r"\|\s*(?:" + "|".join(UTTERANCE_LABELS) + r")\b")
"""A label left standing in the text: '… i går. | empathy'."""


def _left_over(dataset: Dataset) -> Iterator[Problem]:
    dialogues = [(item.conversation, item.place) for item in dataset.conversations] + list(dataset.snippets)
    for dialogue, place in dialogues:
        for _, said in dialogue.lines():
            if LEFT_OVER.search(said.text):
                yield Problem("error", "text", f"{place} ({dialogue.id})", f"a label stands in the text: {said.text!r}")


def _splits(dataset: Dataset) -> Iterator[Problem]:
    if dataset.description is None:
        return
    place = "dataset.toml"
    authors = {item.author for item in dataset.conversations}
    listed = [author for split in SPLITS for author in dataset.description.splits.get(split, ())]
    for author, times in Counter(listed).items():
        if times > 1:
            yield Problem("error", "splits", place, f"{author} is listed {times} times; an author is in one split only")
        if author not in authors:
            yield Problem(
                "error", "splits", place, f"{author} is listed, but conversations/{author}.jsonl is not there"
            )
    if listed:
        for author in sorted(authors - set(listed)):
            yield Problem("error", "splits", place, f"{author} is in no split; new authors belong to train")


def words(text: str) -> list[str]:
    """Return the words of a text in small letters, digits as one sign: what counts as 'the same' here."""
    return re.findall(r"\w+", re.sub(r"\d+", "0", text.casefold()))


def _copies(dataset: Dataset) -> Iterator[Problem]:
    """Long utterances that stand word for word in two splits."""
    where: dict[str, dict[str, str]] = defaultdict(dict)
    for item in dataset.conversations:
        for _, said in item.conversation.lines():
            spoken = words(said.text)
            if len(spoken) >= COPIED_WORDS and item.split:
                where[" ".join(spoken)].setdefault(item.split, f"{item.place} ({item.conversation.id})")
    for snippet, place in dataset.snippets:
        for _, said in snippet.lines():
            spoken = words(said.text)
            if len(spoken) >= COPIED_WORDS and " ".join(spoken) in where:
                where[" ".join(spoken)].setdefault("train", f"{place} ({snippet.id})")
    for text, found in where.items():
        if len(found) > 1:
            yield Problem("error", "leakage", "; ".join(found.values()), f"both say {text[:80]!r}, in two splits")


def grams(texts: Iterable[str]) -> set[int]:
    """Return the word 5-grams of a conversation, hashed; none runs over the end of a turn."""
    found = set()
    for text in texts:
        spoken = words(text)
        found |= {hash(tuple(spoken[at : at + GRAM])) for at in range(len(spoken) - GRAM + 1)}
    return found


def shared_grams(dialogues: Sequence[set[int]]) -> Counter[tuple[int, int]]:
    """Count the grams that two dialogues share, for every pair that shares any; not those that are COMMON."""
    holders: dict[int, list[int]] = defaultdict(list)
    for number, own in enumerate(dialogues):
        for gram in own:
            holders[gram].append(number)
    return Counter(pair for found in holders.values() if 1 < len(found) <= COMMON for pair in combinations(found, 2))


def _near_duplicates(dataset: Dataset) -> Iterator[Problem]:
    dialogues: list[tuple[Authored | tuple[Snippet, str], set[int]]] = [
        (item, grams(item.conversation.words())) for item in dataset.conversations
    ]
    dialogues += [(pair, grams(pair[0].words())) for pair in dataset.snippets]
    for (one, two), both in sorted(shared_grams([own for _, own in dialogues]).items()):
        fewest = min(len(dialogues[one][1]), len(dialogues[two][1]))
        if both >= FEWEST_SHARED and both > MOST_SHARED * fewest:
            names = [_name(dialogues[number][0]) for number in (one, two)]
            yield Problem(
                "error",
                "duplicates",
                " and ".join(names),
                f"share {both} of {fewest} word {GRAM}-grams; more than {MOST_SHARED:.0%} is a near-duplicate",
            )
    # So many copies of one text make all of its grams common: they are seen by being the same.
    copies: dict[frozenset[int], list[str]] = defaultdict(list)
    for item, own in dialogues:
        if len(own) >= FEWEST_SHARED:
            copies[frozenset(own)].append(_name(item))
    for found in copies.values():
        if len(found) > COMMON:
            yield Problem("error", "duplicates", f"{found[0]} and {len(found) - 1} more", "say the same")


def _name(item: Authored | tuple[Snippet, str]) -> str:
    if isinstance(item, Authored):
        return f"{item.place} ({item.conversation.id})"
    return f"{item[1]} ({item[0].id})"


def openings_alike(dataset: Dataset) -> list[tuple[str, int]]:
    """Return openings (the first utterance) of three words or more that several have, most common first."""
    first = Counter(
        " ".join(spoken)
        for item in dataset.conversations
        if len(spoken := words(item.conversation.turns[0].utterances[0].text)) >= OPENING_WORDS
    )
    return [(text, times) for text, times in first.most_common() if times > 1]


def _openings(dataset: Dataset) -> Iterator[Problem]:
    alike = openings_alike(dataset)
    share = sum(times - 1 for _, times in alike) / max(1, len(dataset.conversations))
    if share > MOST_OPENINGS_ALIKE:
        worst = ", ".join(f"{text!r} {times} times" for text, times in alike[:5])
        yield Problem(
            "error", "openings", "conversations", f"{share:.0%} open as another does; at most 5 % would do: {worst}"
        )


def _languages(dataset: Dataset) -> Iterator[Problem]:
    for item in dataset.conversations:
        guess = identify(item.conversation.words())
        if guess.language != item.conversation.language and guess.probability >= SURE:
            yield Problem(
                "warning",
                "language",
                f"{item.place} ({item.conversation.id})",
                f"is marked {item.conversation.language}, but reads as {guess.language} ({guess.probability:.2f})",
            )


def _phrases(dataset: Dataset) -> Iterator[Problem]:
    """``phrases/phrases.tsv``: five columns, a known language and polarity, nothing twice."""
    path = dataset.folder / "phrases" / "phrases.tsv"
    if not path.is_file():
        return
    seen: set[tuple[str, ...]] = set()
    for number, line in enumerate(path.read_text("utf-8").split("\n")[1:], 2):
        cells = line.split("\t")
        place = f"phrases/phrases.tsv, line {number}"
        if not line:
            continue
        if len(cells) != len(PHRASE_COLUMNS):
            wanted = ", ".join(PHRASE_COLUMNS)
            yield Problem("error", "phrases", place, f"has {len(cells)} columns; {wanted} are wanted, tabs between")
        elif cells[0] not in LANGUAGES or cells[3] not in POLARITIES:
            met = f"{cells[0]}, {cells[3]}"
            yield Problem("error", "phrases", place, f"language and polarity are {met}; {POLARITIES} are known")
        elif tuple(cells) in seen:
            yield Problem("error", "phrases", place, f"{cells[4]!r} is there twice for {cells[1]}")
        seen.add(tuple(cells))


def _second(dataset: Dataset) -> Iterator[Problem]:
    known = {item.conversation.id: item.conversation for item in dataset.conversations}
    seen: set[str] = set()
    for item, where in dataset.twice:
        place = f"{where} ({item.id})"
        if item.id in seen:
            yield Problem("error", "annotations", place, "is there twice")
        seen.add(item.id)
        if item.id not in known:
            yield Problem("error", "annotations", place, "is no conversation of this set")
            continue
        roles = [role for role, _ in known[item.id].lines()]
        for side, labels in (("first", item.first.labels), ("second", item.second.labels)):
            if len(labels) != len(roles):
                what = f"{side} labels {len(labels)} utterances, but the conversation has {len(roles)}"
                yield Problem("error", "annotations", place, what)
                continue
            for number, (role, given) in enumerate(zip(roles, labels, strict=True), 1):
                if wrong := [label for label in given if label not in LABELS_OF_ROLE[role]]:
                    what = f"{side} gives utterance {number} {', '.join(wrong)}, which is not a label of the {role}"
                    yield Problem("error", "annotations", place, what)


def _targets(dataset: Dataset) -> Iterator[Problem]:
    if dataset.description is None:
        return
    targets = dataset.description.targets
    counts = stats(dataset)
    have = [
        ("conversations", counts.conversations, targets.conversations),
        ("one-way conversations", counts.one_way, targets.one_way),
        ("ignored requests", counts.ignored_request, targets.ignored_request),
        *((f"utterances with {label}", counts.labels[label]["all"], n) for label, n in targets.labels.items()),
        *(
            (f"conversations in {code}", counts.by_language[code], targets.conversations_in_each_language)
            for code in dataset.description.languages or LANGUAGES
        ),
    ]
    for name, number, wanted in have:
        if number < wanted:
            yield Problem("warning", "balance", "the whole set", f"{number} {name}; {wanted} are wanted")
