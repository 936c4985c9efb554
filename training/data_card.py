"""Count what is in data/ and write its card, data/README.md.

python training/data_card.py
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from convqa.labels import LANGUAGES, UTTERANCE_LABELS
from corpus import DATA, SNIPPET, conversations, data_hash, load
from figures import table

CARD = Path(__file__).with_suffix(".md")


def main() -> None:
    rows = conversations()
    snippets = load(DATA / "snippets", SNIPPET)
    phrases = len((DATA / "phrases" / "phrases.tsv").read_text("utf-8").splitlines()) - 1
    spoken: Counter[tuple[str, str]] = Counter()
    labels: Counter[tuple[str, str]] = Counter()
    for row in [*rows, *snippets]:
        for turn in row["turns"]:
            for part in turn["utterances"]:
                spoken[row["author"][:8], turn["role"]] += 1
                labels.update((label, row["language"]) for label in part["labels"])
    count = Counter((row["language"], row["style"]) for row in rows)
    by_language = table(
        ["language", "conversations", "punctuated", "chat", "asr"],
        [
            [code, str(sum(count[code, style] for style in ("punctuated", "chat", "asr")))]
            + [str(count[code, style]) for style in ("punctuated", "chat", "asr")]
            for code in LANGUAGES
        ],
    )
    by_label = table(
        ["label (conversations and snippets)", "all", *LANGUAGES],
        [
            [label, str(sum(labels[label, code] for code in LANGUAGES))]
            + [str(labels[label, code]) for code in LANGUAGES]
            for label in UTTERANCE_LABELS
        ],
    )
    quality = Counter(row["quality"] for row in rows)
    text = CARD.read_text("utf-8").format(
        conversations=len(rows),
        authors=len({row["author"] for row in rows}),
        agent=sum(number for (group, role), number in spoken.items() if role == "agent" and group != "snippets"),
        customer=sum(number for (group, role), number in spoken.items() if role == "customer" and group != "snippets"),
        snippets=len(snippets),
        phrases=phrases,
        digest=data_hash(),
        by_language=by_language,
        by_label=by_label,
        quality=", ".join(f"{rating:g}: {quality[rating]}" for rating in sorted(quality)),
        one_way=sum(row["one_way"] for row in rows),
        ignored=sum(row["ignored_request"] for row in rows),
    )
    (DATA / "README.md").write_text(text, "utf-8")
    print(text)


if __name__ == "__main__":
    main()
