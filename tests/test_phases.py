"""Where a conversation opens, states its problem, is handled and closes: the rules of convqa.phases on paper."""

from __future__ import annotations

import pytest

from convqa.finding import Spoken
from convqa.phases import CLOSING_WORDS, MATTER_WORDS, phases

LETTERS = {"opening": "O", "problem": "P", "handling": "H", "closing": "C", None: "-"}
MATTER = "C: " + "ord " * MATTER_WORDS
LONG = "A: " + "ord " * (CLOSING_WORDS + 1)


def sorted_out(*lines: str) -> str:
    """``sorted_out("C: text | label")``: a letter a turn. An empty line is a turn without utterances."""
    spoken = []
    for turn, line in enumerate(lines):
        who, _, rest = line.partition(": ")
        for part in filter(None, rest.split(" / ")):
            text, _, labels = part.partition(" | ")
            role = "agent" if who == "A" else "customer"
            spoken.append(Spoken(turn, 0, len(text), text, role, dict.fromkeys(labels.split(), 0.9)))  # type: ignore[arg-type]
    return "".join(LETTERS[phase] for phase in phases(spoken, len(lines)))


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ((), ""),
        (("", ""), "--"),
        # The whole way.
        (
            ("A: hi | courtesy", "C: hi", MATTER, "A: ok", "A: I do it | solution", "C: good", "A: bye | courtesy"),
            "OOPPHCC",
        ),
        # The matter: a label, or enough words; the agent's words are never it.
        (("A: hi", "C: no | distress", LONG, "C: hm | distress"), "OPPH"),
        (("A: hi", "C: again | repeated_request", LONG), "OPH"),
        (("C: " + "ord " * (MATTER_WORDS - 1), LONG), "OO"),
        ((LONG, "C: hi"), "OO"),
        # The agent acts: each of four labels; without one, the middle of what is left.
        ((MATTER, "A: a", "A: b | commitment", LONG), "PPHH"),
        ((MATTER, "A: a | ownership", LONG), "PHH"),
        ((MATTER, "A: a | honest_uncertainty", LONG), "PHH"),
        ((MATTER, "A: a", "C: b", LONG), "PPHH"),
        ((MATTER, "C: do it | solution", "A: a", LONG), "PPHH"),
        # The closing: courtesy, thanks and short answers at the end, and some courtesy or thanks among them.
        ((MATTER, LONG, "C: thanks | gratitude", "A: bye | courtesy"), "PHCC"),
        ((MATTER, LONG, "C: ok", "A: fine"), "PPHH"),
        ((MATTER, LONG, "C: thanks | gratitude", LONG), "PPHH"),
        ((MATTER, LONG, "C: thanks | gratitude", "C: no | distress"), "PPHH"),
        ((MATTER, LONG, "C: thanks | gratitude / not that | distress"), "PPH"),
        # The turn that states the matter is never the closing.
        (("C: oh thanks a lot for all of your help | gratitude",), "P"),
        # Turns without words have no phase and take none away.
        (("A: hi", "", MATTER, "", LONG, "A: bye | courtesy"), "O-P-HC"),
    ],
)
def test_phases(lines: tuple[str, ...], expected: str) -> None:
    assert sorted_out(*lines) == expected
