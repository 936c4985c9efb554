"""Measure language identification on the authored conversations; writes docs/language.md.

python training/language/evaluate.py
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from convqa.labels import LANGUAGES
from convqa.language import CLEAR, ENOUGH, OTHERS, SURE, TOO_SHORT, identify
from corpus import DATA, conversations, data_hash
from figures import fill, share_interval, table

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
STYLES = ("punctuated", "chat", "asr")
LENGTHS = (ENOUGH[-1], 200)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "language.md")
    options = parser.parse_args()
    rows = conversations(options.data)
    tables, confused = [], Counter[str]()
    for length in LENGTHS:
        guesses = []
        for row in rows:
            text = "\n".join(part["text"] for turn in row["turns"] for part in turn["utterances"])
            guesses.append(identify([text[:length]]).language)
            if guesses[-1] != row["language"]:
                confused[f"{row['language']} as {guesses[-1]} (first {length} characters)"] += 1
        body = []
        for code in ("all", *LANGUAGES):
            line = [code]
            for style in ("all", *STYLES):
                right = np.array(
                    [
                        guess == row["language"]
                        for row, guess in zip(rows, guesses, strict=True)
                        if code in ("all", row["language"]) and style in ("all", row["style"])
                    ]
                )
                low, high = share_interval(right)
                line.append(f"{right.mean():.3f} ({low:.3f}–{high:.3f}, n={len(right)})")
            body.append(line)
        tables.append(f"First {length} characters:\n\n" + table(["language", "all", *STYLES], body))
    text = fill(
        HERE / "card.md",
        few=ENOUGH[0],
        enough=ENOUGH[1],
        clear=CLEAR,
        others=len(OTHERS),
        sure=SURE,
        short=TOO_SHORT,
        n=len(rows),
        tables="\n\n".join(tables),
        confused=", ".join(f"{what} {count}" for what, count in confused.most_common()) or "none",
        digest=data_hash(options.data),
    )
    options.out.write_text(text, "utf-8")
    print(text)


if __name__ == "__main__":
    main()
