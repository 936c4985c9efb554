"""Write the data set's card, data/README.md, in the hub's format: `convqa data stats` in Markdown, splits, the curve.

python training/data_card.py
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from convqa.dataset import check, read_dataset, stats
from convqa.dataset.check import openings_alike
from convqa.dataset.folder import SPLITS
from corpus import DATA, data_hash
from figures import fill, table, with_interval

CARD = Path(__file__).with_suffix(".md")


def curve(path: Path) -> str:
    """Return the learning curve's table, and what each doubling added.

    Raises SystemExit where it was drawn from other data.
    """
    drawn = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    if drawn.get("data_sha256") != data_hash():
        raise SystemExit(f"{path}: is of other data, or not there; run training/learning_curve.py")
    body = []
    before: dict[str, float] = {}
    for point in drawn["points"]:
        name, figure = point["model"], point["macro_f1"]
        gain = f"{figure - before[name]:+.3f}" if name in before else ""
        before[name] = figure
        body.append(
            [name, str(point["authors"]), str(point["conversations"]), with_interval(figure, point["interval"]), gain]
        )
    return table(["model", "authors", "conversations", "core macro-F1 on validation", "the doubling added"], body)


def main() -> None:
    dataset = read_dataset(DATA)
    if dataset.description is None or any(problem.level == "error" for problem in check(dataset)):
        raise SystemExit(f"{DATA}: `convqa data check` finds errors; mend them first")
    counts = stats(dataset)
    splits = dataset.description.splits
    text = fill(
        CARD,
        version=dataset.description.version,
        conversations=counts.conversations,
        authors=counts.authors,
        agent=counts.agent_utterances,
        customer=counts.customer_utterances,
        snippets=counts.snippets,
        phrases=len((DATA / "phrases" / "phrases.tsv").read_text("utf-8").splitlines()) - 1,
        real=len((DATA / "annotations" / "wmt24-chat.jsonl").read_text("utf-8").splitlines()),
        twice=len(dataset.twice),
        company=counts.company,
        one_way=counts.one_way,
        ignored=counts.ignored_request,
        openings=sum(times - 1 for _, times in openings_alike(dataset)),
        digest=data_hash(),
        tables="\n\n".join(part.markdown() for part in counts.tables),
        curve=curve(DATA / "learning-curve.json"),
        **{split: "\n".join(f"    - conversations/{a}.jsonl" for a in splits[split]) for split in SPLITS},
    )
    (DATA / "README.md").write_text(text, "utf-8")
    print(text)


if __name__ == "__main__":
    main()
