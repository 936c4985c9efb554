#!/usr/bin/env python3
"""Draw what second annotators label, without the labels that are there, and read back what they wrote.

    packets.py draw --language-share 44 --seed 1 --out FOLDER       a sample of data/conversations, in packets
    packets.py draw-real WMT24 --messages 600 --out FOLDER          agent messages of real chats, with what came before
    packets.py read FOLDER/answers-*.txt --key FOLDER/key.json      their labels as JSON Lines, on standard output
    packets.py second FOLDER/answers-*.txt --key FOLDER/key.json    the same beside the first annotators' labels, as
                                                                    annotations/second.jsonl has them

A packet is plain text: every utterance has a number, and the annotator writes the number and the labels, a line
each, for the utterances that carry any. Whole conversations end with a line of their ratings.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import re
from collections import defaultdict
from pathlib import Path

from convqa.labels import UTTERANCE_LABELS

DATA = Path(__file__).resolve().parents[1]
RATING = re.compile(
    r"quality=(?P<quality>[1-5](?:\.5)?) one_way=(?P<one_way>yes|no) ignored=(?P<ignored>yes|no)"
    r" resolved=(?P<resolved>yes|partly|no)"
)


def draw(share: int, seed: int, packets: int, out: Path) -> None:
    """Draw ``share`` conversations of each language, as many authors as there are, and deal them into packets."""
    rng = random.Random(seed)
    by_language: dict[str, list[dict]] = defaultdict(list)
    for path in sorted(DATA.glob("conversations/*.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            row = json.loads(line)
            by_language[row["language"]].append({**row, "author": path.stem})
    chosen = []
    for language in sorted(by_language):
        rows = by_language[language]
        rng.shuffle(rows)
        # One conversation an author, then a second round, so that every author who wrote the language is met.
        taken: dict[str, int] = defaultdict(int)
        order = []
        for row in rows:
            order.append((taken[row["author"]], len(order), row))
            taken[row["author"]] += 1
        chosen += [row for _, _, row in sorted(order, key=lambda item: item[:2])[:share]]
    rng.shuffle(chosen)
    key: dict[str, dict] = {}
    for packet in range(packets):
        text = []
        for number, row in enumerate(chosen[packet::packets]):
            name = f"p{packet + 1}-{number + 1:03d}"
            key[name] = {"id": row["id"], "utterances": sum(len(turn["utterances"]) for turn in row["turns"])}
            text.append(f"@ {name} {row['language']} {row['channel']} {row['style']}")
            at = 0
            for turn in row["turns"]:
                for said in turn["utterances"]:
                    at += 1
                    text.append(f"{at} {'A' if turn['role'] == 'agent' else 'C'}: {said['text']}")
            text.append("")
        (out / f"packet-{packet + 1}.txt").write_text("\n".join(text) + "\n", "utf-8")
    (out / "key.json").write_text(json.dumps(key, indent=1), "utf-8")


CUES = re.compile(
    r"\b(sorry|apolog\w*|regret\w*|forgive|understand\w*|concern\w*|worr\w*|frustrat\w*|inconvenien\w*|trouble|hear|feel\w*|"
    r"disappoint\w*|annoy\w*|mention\w*|you said|so you|you (?:are|were|have|want)\w*|is that right|correct|see that|unfortunately|"
    r"can(?:not|'t)|rest assured|don't worry|patience|fault|mistake|should have)\b",
    re.I,
)
"""Words around which the labels of the mission lie in company English; what they choose is a stratum of its own."""


def draw_real(folder: Path, messages: int, seed: int, out: Path, enriched: bool, without: list[Path]) -> None:
    """Draw agent messages, one a chat, with up to four messages before each.

    Plain draws have the rates of real chats, in which empathy and apologies are rare; ``enriched`` draws only messages with
    one of the CUES, so that there is something to measure on. Chats of the keys in ``without`` are passed over.
    """
    used = {row["document"] for path in without for row in json.loads(path.read_text("utf-8")).values()}
    rng = random.Random(seed)
    chats: dict[str, list[tuple[str, int, dict]]] = {}
    for path in sorted(folder.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            for at, row in enumerate(csv.DictReader(file)):
                chats.setdefault(f"{path.name}/{row['doc_id']}", []).append((path.name, at, row))
    names = sorted(chats)
    rng.shuffle(names)
    seen: set[str] = set()
    key, text = {}, []
    for name in names:
        rows = chats[name]
        mine = [
            at
            for at, (_, _, row) in enumerate(rows)
            if row["sender"] == "agent"
            and row["source_language"].startswith("en")
            and len(row["source"].split()) >= 3
            and _plain(row["source"]) not in seen
            and (not enriched or CUES.search(row["source"]))
        ]
        if not mine or rows[0][2]["doc_id"] in used:
            continue
        at = rng.choice(mine)
        file_name, number, row = rows[at]
        seen.add(_plain(row["source"]))
        label = f"{'e' if enriched else 'm'}{len(key) + 1:03d}"
        key[label] = {
            "file": file_name,
            "row": number,
            "document": row["doc_id"],
            "stratum": "cues" if enriched else "random",
        }
        text.append(f"@ {label}")
        for _, _, before in rows[max(0, at - 4) : at]:
            said = (
                before["source"]
                if before["source_language"].startswith("en")
                else before.get("reference") or before["source"]
            )
            text.append(f"  {'A' if before['sender'] == 'agent' else 'C'}: {said}")
        text.append(f"1 A: {row['source']}")
        text.append("")
        if len(key) == messages:
            break
    (out / "packet-real.txt").write_text("\n".join(text) + "\n", "utf-8")
    (out / "key-real.json").write_text(json.dumps(key, indent=1), "utf-8")


def _plain(text: str) -> str:
    return re.sub(r"\W+", " ", text.lower()).strip()


def read(paths: list[Path], key: dict[str, dict]) -> list[dict]:
    """Read answers; every name of the key must be answered once, with labels that exist, whole conversations rated."""
    answers: dict[str, dict] = {}
    name = ""
    for path in paths:
        for number, line in enumerate(path.read_text("utf-8").split("\n"), 1):
            place = f"{path}, line {number}"
            if not line.strip():
                continue
            if line.startswith("@"):
                name = (line.split() + ["", ""])[1]
                if name not in key or name in answers:
                    raise SystemExit(f"{place}: {name or 'no name'} is not in the key, or answered twice")
                answers[name] = {"labels": {}}
            elif not name:
                raise SystemExit(f"{place}: a line before the first @")
            elif found := RATING.fullmatch(line.strip()):
                answers[name].update(
                    quality=float(found["quality"]),
                    one_way=found["one_way"] == "yes",
                    ignored_request=found["ignored"] == "yes",
                    resolved=found["resolved"],
                )
            else:
                at, *labels = line.replace(",", " ").split()
                wrong = [label for label in labels if label not in UTTERANCE_LABELS]
                last = key[name].get("utterances", 1)
                if not at.isdigit() or not 1 <= int(at) <= last or not labels or wrong or at in answers[name]["labels"]:
                    raise SystemExit(f"{place}: expected a number from 1 to {last}, once, and labels; met {line!r}")
                answers[name]["labels"][at] = sorted(set(labels), key=labels.index)
    missing = sorted(set(key) - set(answers))
    if missing:
        raise SystemExit(f"{len(missing)} not answered: {', '.join(missing[:10])}")
    unrated = [name for name, answer in answers.items() if "id" in key[name] and "quality" not in answer]
    if unrated:
        raise SystemExit(f"{len(unrated)} without a line of ratings: {', '.join(unrated[:10])}")
    return [{**key[name], **answer} for name, answer in sorted(answers.items())]


def second(answers: list[dict]) -> list[dict]:
    """Put second annotators' answers beside the labels that stand in conversations/: annotations/second.jsonl."""
    known = {}
    for path in sorted(DATA.glob("conversations/*.jsonl")):
        for line in path.read_text("utf-8").split("\n"):
            if line:
                known[json.loads(line)["id"]] = json.loads(line)
    ratings = ("quality", "one_way", "ignored_request", "resolved")
    rows = []
    for answer in sorted(answers, key=lambda answer: answer["id"]):
        row = known[answer["id"]]
        first = [said["labels"] for turn in row["turns"] for said in turn["utterances"]]
        theirs = [answer["labels"].get(str(at), []) for at in range(1, len(first) + 1)]
        rows.append(
            {
                "id": row["id"],
                "first": {"labels": first, **{name: row[name] for name in ratings}},
                "second": {"labels": theirs, **{name: answer[name] for name in ratings}},
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    modes = parser.add_subparsers(dest="mode", required=True)
    one = modes.add_parser("draw")
    one.add_argument("--language-share", type=int, default=44)
    one.add_argument("--packets", type=int, default=3)
    one.add_argument("--seed", type=int, default=1)
    one.add_argument("--out", type=Path, required=True)
    two = modes.add_parser("draw-real")
    two.add_argument("folder", type=Path)
    two.add_argument("--messages", type=int, default=600)
    two.add_argument("--seed", type=int, default=1)
    two.add_argument("--enriched", action="store_true", help="only messages with one of the cues")
    two.add_argument("--without", type=Path, nargs="*", default=[], help="keys whose chats are passed over")
    two.add_argument("--out", type=Path, required=True)
    for mode in ("read", "second"):
        three = modes.add_parser(mode)
        three.add_argument("answers", type=Path, nargs="+")
        three.add_argument("--key", type=Path, required=True)
    options = parser.parse_args()
    if "out" in options:
        options.out.mkdir(parents=True, exist_ok=True)
    if options.mode == "draw":
        draw(options.language_share, options.seed, options.packets, options.out)
    elif options.mode == "draw-real":
        draw_real(options.folder, options.messages, options.seed, options.out, options.enriched, options.without)
    else:
        answers = read(options.answers, json.loads(options.key.read_text("utf-8")))
        for row in answers if options.mode == "read" else second(answers):
            print(json.dumps(row, ensure_ascii=False))


if __name__ == "__main__":
    main()
