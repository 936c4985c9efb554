"""Trains the segmenter's model and writes the artifact with its card.

    python training/segmenter/train.py --data data/conversations --public PATH --out models/segmenter

PATH holds the treebanks (`ud-danish-ddt/dev.conllu` …) and `nile-calls/`; without ``--public`` it is taken from
CONVQA_DATA. Trains on all authors but the test authors of evaluate.py; ``--validation`` leaves the validation authors
out as well and shows how each lean does on them, which is how the settings here were chosen.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import tempfile
import tomllib
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import evaluate
import numpy as np
import spacy
from spacy.cli.train import train
from spacy.tokens import Doc, DocBin

from corpus import Example, authored, public, read, spliced

HERE = Path(__file__).parent
SEED = 20
VERSION = "1.0.0"
LEAN = 1.0
"""Added to the model's score for "begins an utterance", so that its plain decision balances precision and recall.

Boundaries are rare (one word in twelve), so an unweighted model misses most. On the validation authors 1.25 is best for
speech and writing without punctuation, 0.5 for stray stretches in chats; between 0.75 and 1.5 little changes."""


def examples(conversations: Sequence[dict[str, Any]], folder: Path, rng: random.Random) -> list[Example]:
    """All training turns, shuffled."""
    found = [
        *authored(conversations, rng, glue=0.5, plain=True),
        *authored([one for one in conversations if one["style"] != "asr"], rng, glue=0, plain=False),
        *spliced(conversations, rng, rounds=3),
        *public(folder, rng, rounds=3),
    ]
    rng.shuffle(found)
    return found


def save(found: Sequence[Example], path: Path) -> None:
    vocab = spacy.blank("xx").vocab
    docs = [
        Doc(vocab, words=list(one.words), sent_starts=list(one.starts), tags=one.tags and list(one.tags))
        for one in found
    ]
    DocBin(docs=docs, attrs=["ORTH", "SPACY", "SENT_START", "TAG"]).to_disk(path)


def slim(trained: Any) -> Any:
    """The senter alone, without the tagger that taught it and without the corpus's words."""
    trained.replace_listeners("tok2vec", "senter", ["model.tok2vec"])
    nlp = spacy.blank("xx")
    nlp.add_pipe("senter", config={"model": trained.config["components"]["senter"]["model"]})
    nlp.initialize()
    nlp.get_pipe("senter").from_bytes(trained.get_pipe("senter").to_bytes(exclude=["vocab"]))
    return nlp


def lean(nlp: Any) -> None:
    """Adds `LEAN` to the bias of "S" (begins an utterance)."""
    senter = nlp.get_pipe("senter")
    output = next(node for node in senter.model.walk() if node.name == "softmax")
    bias = output.get_param("b").copy()
    bias[senter.labels.index("S")] += LEAN
    output.set_param("b", bias)


def leans(nlp: Any, found: Sequence[Example]) -> None:
    """Prints precision, recall and F1 on ``found`` for a range of leans."""
    docs = [Doc(nlp.vocab, words=list(one.words)) for one in found]
    scores = np.concatenate([np.asarray(part)[1:] for part in nlp.get_pipe("senter").model.predict(docs)])
    gold = np.concatenate([np.array(one.starts[1:], dtype=bool) for one in found])
    for step in np.arange(0, 2.6, 0.25):
        chosen = scores[:, 1] - scores[:, 0] + step > 0
        right = int((chosen & gold).sum())
        precision, recall = right / max(int(chosen.sum()), 1), right / int(gold.sum())
        f1 = 2 * right / (chosen.sum() + gold.sum())
        print(f"lean {step:.2f}: precision {precision:.3f} recall {recall:.3f} F1 {f1:.3f}")


def digest(folder: Path, authors: Sequence[str]) -> str:
    total = hashlib.sha256()
    for name in sorted(authors):
        total.update((folder / f"{name}.jsonl").read_bytes())
    return total.hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data/conversations"))
    parser.add_argument("--public", type=Path, default=os.environ.get("CONVQA_DATA"))
    parser.add_argument("--out", type=Path, default=Path("models/segmenter"))
    parser.add_argument("--validation", action="store_true", help="leave the validation authors out and show leans")
    options = parser.parse_args()
    if options.public is None:
        parser.error("say where the treebanks are: --public PATH, or set CONVQA_DATA")
    folder = Path(options.public)

    rng = random.Random(SEED)  # noqa: S311
    authors = read(options.data)
    split = tomllib.loads((options.data.parent / "dataset.toml").read_text("utf-8"))["splits"]["train"]
    left_out = set(evaluate.VALIDATION) if options.validation else set()
    names = [name for name in authors if name in split and name not in left_out]
    data_sha256 = digest(options.data, names)
    found = examples([one for name in names for one in authors[name]], folder, rng)
    checks = [one for name in evaluate.VALIDATION for one in authors.get(name, [])]
    speech = authored(checks, rng, glue=0, plain=True)
    written = authored([one for one in checks if one["style"] != "asr"], rng, glue=0, plain=False)

    with tempfile.TemporaryDirectory() as scratch:
        save(found, Path(scratch) / "train.spacy")
        save(speech + written, Path(scratch) / "dev.spacy")
        paths = {f"paths.{part}": f"{scratch}/{part}.spacy" for part in ("train", "dev")}
        train(HERE / "config.cfg", Path(scratch) / "model", overrides={**paths, "system.seed": SEED})
        # The last model, not the best by spaCy's score, which counts the beginnings of turns as finds.
        trained = spacy.load(Path(scratch) / "model" / "model-last")

    nlp = slim(trained)
    if options.validation:
        print("speech style")
        leans(nlp, speech)
        print("written, without punctuation")
        leans(nlp, written)
    lean(nlp)
    nlp.meta.update(
        name="segmenter",
        version=VERSION,
        description="Utterance boundaries in unpunctuated Norwegian, Danish, Swedish and English talk",
        author="The convqa authors",
        license="CC BY-SA 4.0",
        spacy_version=">=3.8.0,<3.9.0",
    )
    nlp.meta["convqa"] = {
        "version": VERSION,
        "data_sha256": data_sha256,
        "trained_on": ", ".join(names),
        "data": {"conversations": sum(len(authors[name]) for name in names)},
        "examples": len(found),
        "lean": LEAN,
        "seed": SEED,
        "libraries": {name: version(name) for name in ("spacy", "thinc", "numpy")},
    }
    shutil.rmtree(options.out, ignore_errors=True)
    nlp.to_disk(options.out)
    tables = evaluate.measure(
        options.data, folder, options.out, evaluate.VALIDATION if options.validation else evaluate.TEST
    )
    print(evaluate.markdown(tables))
    evaluate.write(options.out, tables)
    size = sum(path.stat().st_size for path in options.out.rglob("*") if path.is_file())
    print(json.dumps({"folder": str(options.out), "megabytes": round(size / 1e6, 2), "examples": len(found)}))


if __name__ == "__main__":
    main()
