import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from convqa.errors import UsageError
from convqa.page import ReportPage
from convqa.page.strip import draw
from convqa.page.tally import Tally
from convqa.page.view import LONG_TURN, MOST_TURNS, view
from convqa.page.words import visible
from convqa.report import Cap, CriterionScore, Evidence, Flag, Provenance, Record, Roles, ScoredTurn, Utterance

PROVENANCE = Provenance("0.1.0", "nordic", "ab" * 32, "standard", "cd" * 32)
VOID = {"meta", "line", "rect", "path", "circle", "br"}


class Element:
    def __init__(self, tag="", attributes=(), parent=None):
        self.tag, self.attributes, self.parent = tag, dict(attributes), parent
        self.children = []

    @property
    def text(self):
        return "".join(child if isinstance(child, str) else child.text for child in self.children)

    @property
    def classes(self):
        return (self.attributes.get("class") or "").split()

    def all(self, tag=None, of_class=None, **attributes):
        for child in self.children:
            if isinstance(child, str):
                continue
            fits = all(child.attributes.get(name) == value for name, value in attributes.items())
            if (tag in (None, child.tag)) and (of_class is None or of_class in child.classes) and fits:
                yield child
            yield from child.all(tag, of_class, **attributes)

    def one(self, *args, **kwargs):
        return next(self.all(*args, **kwargs))


class Tree(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.root = self.at = Element()
        self.feed(text)
        self.close()
        assert self.at is self.root, f"<{self.at.tag}> is not closed"

    def handle_starttag(self, tag, attrs):
        element = Element(tag, attrs, self.at)
        self.at.children.append(element)
        if tag not in VOID:
            self.at = element

    def handle_startendtag(self, tag, attrs):
        self.at.children.append(Element(tag, attrs, self.at))

    def handle_endtag(self, tag):
        assert tag == self.at.tag, f"</{tag}> closes <{self.at.tag}>"
        self.at = self.at.parent

    def handle_data(self, data):
        self.at.children.append(data)


def turn(text, role="agent", start=None, end=None, labels=None, phase=None, speaker=None):
    utterances = (Utterance(0, len(text), labels or {}),) if text else ()
    return ScoredTurn(role, speaker, start, end, text, phase, utterances)


def evidence(turns, index, quote, label="dismissive", cost=9.1):
    start = turns[index].text.index(quote)
    return Evidence(index, start, start + len(quote), quote, label, 0.9, cost)


TURNS = (
    turn("I asked twice to cancel.", "customer", labels={"distress": 0.9}),
    turn("Calm down. That is just the policy, you should have read it."),
)


def scored(id="c-1", score=50.0, turns=TURNS, found=(), **changes):
    record = Record(
        id=id,
        source=None,
        language="en",
        channel="chat",
        status="scored",
        reason=None,
        score=score,
        band="needs_attention",
        criteria=(
            CriterionScore("respect", 30.0, True, score / 100, "Shut out.", tuple(found)),
            CriterionScore("apology", 10.0, False, None, "Nothing called for it."),
        ),
        caps=(),
        flags=(),
        signals={"agent_word_share": 0.5, "longest_silence": None},
        turns=tuple(turns),
        roles=None,
        language_probability=None,
        metadata={},
        provenance=PROVENANCE,
    )
    return replace(record, **changes)


def unscored(status="failed", id="x", reason="line 3: not valid JSON"):
    return replace(scored(id, 0.0, ()), status=status, reason=reason, score=None, band=None, criteria=(), signals={})


def render(tmp_path: Path, *records, **options) -> str:
    with ReportPage(tmp_path / "report.html", **options) as page:
        for record in records:
            page.add(record)
    return (tmp_path / "report.html").read_text("utf-8")


def tree(tmp_path, *records, **options):
    return Tree(render(tmp_path, *records, **options)).root


def said(root, turn_id):
    """The text of a turn's lines without the notes' numbers."""
    lines = [line.one("p") for line in root.one(id=turn_id).all("div", "line")]
    return "".join(
        part if isinstance(part, str) else part.text
        for line in lines
        for part in line.children
        if isinstance(part, str) or part.tag != "sup"
    )


def test_evidence_is_marked_where_it_was_said(tmp_path):
    root = tree(tmp_path, scored(found=[evidence(TURNS, 1, "That is just the policy")]))
    line = root.one(id="c1-t1")
    assert [(mark.text, mark.classes) for mark in line.all("mark")] == [("That is just the policy", ["cost"])]
    assert [note.text for note in line.one("ul", "notes").all("li")] == ["Dismissive cost 9.1"]
    assert said(root, "c1-t1") == TURNS[1].text


@pytest.mark.parametrize(
    ("cost", "effect", "words"),
    [(9.1, "cost", "cost 9.1"), (-2.0, "earned", "earned 2.0"), (0.0, "neutral", "no change by itself")],
)
def test_effect_is_told_in_words_in_the_transcript_and_in_the_arithmetic(tmp_path, cost, effect, words):
    root = tree(tmp_path, scored(found=[evidence(TURNS, 1, "Calm down.", "dismissive", cost)]))
    assert root.one(id="c1-t1").one("mark").classes == [effect]
    assert f"Dismissive {words}" in root.one(id="c1-t1").text
    row = root.one("table", "arithmetic").one("li")
    assert f"Dismissive, {words}" in row.text and "Calm down." in row.text
    assert row.one("a").attributes["href"] == "#c1-t1" and row.one("a").text == "#1"


def test_overlapping_evidence_is_cut_into_pieces_that_are_the_text(tmp_path):
    found = [
        evidence(TURNS, 1, "Calm down. That is just the policy"),
        evidence(TURNS, 1, "the policy, you should have read it", "blame", 3.0),
        evidence(TURNS, 1, "just", "empathy", -1.0),
    ]
    root = tree(tmp_path, scored(found=found))
    marks = [(mark.text, mark.classes) for mark in root.one(id="c1-t1").all("mark")]
    assert marks == [
        ("Calm down. That is ", ["cost"]),
        ("just", ["mixed", "layered"]),
        (" ", ["cost"]),
        ("the policy", ["cost", "layered"]),
        (", you should have read it", ["cost"]),
    ]
    assert said(root, "c1-t1") == TURNS[1].text
    notes = [note.text for note in root.one(id="c1-t1").one("ul", "notes").all("li")]
    assert notes == ["1 Dismissive cost 9.1", "2 Empathy earned 1.0", "3 Blame cost 3.0"]


def test_labels_that_were_merely_found_stand_beside_their_line(tmp_path):
    root = tree(tmp_path, scored())
    notes = root.one(id="c1-t0").one("ul", "notes")
    assert [(note.text, note.classes) for note in notes.all("li")] == [("Distress 90%", ["found"])]
    assert not list(root.one(id="c1-t0").all("mark"))


HOSTILE = "<script>alert(1)</script> \"><img src=x onerror=alert(1)> </mark></p> {{ 7*7 }} &amp; 'x'"


def test_transcripts_ids_and_reasons_cannot_become_markup(tmp_path):
    turns = (turn(HOSTILE, labels={HOSTILE: 0.9}, speaker=HOSTILE, phase=HOSTILE),)
    record = scored(
        HOSTILE,
        turns=turns,
        found=[evidence(turns, 0, "<script>alert(1)</script>", HOSTILE)],
        source=HOSTILE,
        language=HOSTILE,
        channel=HOSTILE,
        band=HOSTILE,
        caps=(Cap(HOSTILE, 10.0, 0, HOSTILE),),
        flags=(Flag(HOSTILE, 0, HOSTILE, "critical"),),
        signals={HOSTILE: 1.0},
        roles=Roles("inferred", (HOSTILE,), 0.5, False),
    )
    failed = unscored(id=HOSTILE, reason=HOSTILE)
    root = tree(tmp_path, record, failed, title=HOSTILE)
    tags = {element.tag for element in root.all()}
    assert not tags & {"script", "img", "link", "iframe", "object", "form", "base"}
    assert not [name for element in root.all() for name in element.attributes if name.startswith("on")]
    assert said(root, "c1-t0") == HOSTILE
    assert root.one(id="c1-t0").one("mark").text == "<script>alert(1)</script>"
    assert root.one("h1").text == HOSTILE


def test_page_loads_nothing_and_runs_nothing(tmp_path):
    root = tree(tmp_path, scored(found=[evidence(TURNS, 1, "Calm down.")]), unscored())
    policy = root.one("meta", **{"http-equiv": "Content-Security-Policy"}).attributes["content"]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'")
    assert "script-src" not in policy
    addresses = [value for e in root.all() for name, value in e.attributes.items() if name in ("src", "href", "action")]
    assert addresses and all(address.startswith("#") for address in addresses)
    style = root.one("style").text
    assert "url(" not in style and "@import" not in style


def test_links_lead_somewhere_and_ids_are_unique(tmp_path):
    record = scored(found=[evidence(TURNS, 1, "Calm down.")], flags=(Flag("one_way_dialogue", 0, "I", "warning"),))
    root = tree(tmp_path, record, replace(record, score=10.0), unscored())
    ids = [element.attributes["id"] for element in root.all() if "id" in element.attributes]
    assert len(ids) == len(set(ids))
    named = [name for e in root.all() for name in e.attributes.get("aria-labelledby", "").split()]
    targets = [element.attributes["href"].removeprefix("#") for element in root.all("a")]
    assert set(targets) | set(named) <= set(ids)


@pytest.mark.parametrize("code", [0x202E, 0x2066, 0x200F, 0x0000, 0x0007, 0x001B, 0x0085, 0xFEFF, 0xD800])
def test_characters_that_steer_are_shown_by_number(tmp_path, code):
    text = f"safe{chr(code)}gpj.exe"
    root = tree(tmp_path, scored(text, turns=(turn(text, speaker=text),), found=()), unscored(reason=text))
    assert chr(code) not in root.text
    assert said(root, "c1-t0") == f"safe[U+{code:04X}]gpj.exe"


def test_ordinary_text_stays_as_it_is():
    text = "Blåbærsyltetøy\tog «fløte» – 😀 👨‍👩‍👧\nså"
    assert visible(text) == text


def test_offsets_hold_where_steering_characters_come_before_the_evidence(tmp_path):
    turns = (turn("\u202e\u202eno, calm down now"),)
    root = tree(tmp_path, scored(turns=turns, found=[evidence(turns, 0, "calm down")]))
    assert root.one("ol").one("mark").text == "calm down"


def test_all_are_counted_and_at_most_limit_are_shown_the_most_urgent_first(tmp_path):
    critical = (Flag("ignored_request", None, None, "critical"),)
    warning = (Flag("one_way_dialogue", None, None, "warning"),)
    records = [scored(f"c-{i}", 10.0 + 5 * i) for i in range(10)]
    records.insert(4, scored("flagged-90", 90.0, flags=critical))
    records.append(scored("flagged-20", 20.0, flags=critical))
    records.append(scored("warned-95", 95.0, flags=warning))
    root = tree(tmp_path, *records, limit=4)
    assert [h.text for h in root.all("h3")] == ["flagged-20", "flagged-90", "warned-95", "c-0"]
    assert "13 conversations were scored" in root.one("header").text
    assert "4 of 13 scored conversations are shown" in root.one(id="conversations").text
    opened = ["open" in details.attributes for details in root.all("details", "conversation")]
    assert opened == [True, True, True, False]


def test_equal_conversations_keep_their_order_of_arrival(tmp_path):
    root = tree(tmp_path, *[scored(f"c-{i}") for i in range(5)], limit=3)
    assert [h.text for h in root.all("h3")] == ["c-0", "c-1", "c-2"]


@pytest.mark.parametrize("records", [(), (unscored(),), (scored(),), (scored(), unscored())])
def test_headings_go_down_one_step_at_a_time(tmp_path, records):
    root = tree(tmp_path, *records)
    levels = [int(e.tag[1]) for e in root.all() if re.fullmatch("h[1-6]", e.tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_drawings_have_names_and_tables_have_scopes(tmp_path):
    root = tree(tmp_path, scored(found=[evidence(TURNS, 1, "Calm down.")]), unscored())
    drawings = list(root.all("svg", role="img"))
    assert len(drawings) >= 3
    assert all(list(svg.all("title")) for svg in drawings)
    assert all(th.attributes.get("scope") in ("row", "col") for th in root.all("th"))
    assert {e.attributes.get("lang") for e in root.all("ol", "transcript")} == {"en"}


def test_not_applicable_is_never_shown_as_a_failure(tmp_path):
    root = tree(tmp_path, scored())
    overall = next(row for row in root.one(id="criteria").all("tr") if row.text.strip().startswith("Apology"))
    assert "Did not apply in any conversation" in overall.text and "0 of 1" in overall.text
    assert "%" not in overall.text
    row = root.one("table", "arithmetic").one("tr", "not-applicable")
    assert "not applicable" in row.text and "0%" not in row.text


def test_arithmetic_adds_up_to_the_score():
    record = scored(score=70.0)
    record = replace(record, criteria=(*record.criteria, CriterionScore("courtesy", 10.0, True, 0.7, "Polite.")))
    shown = view(record, 1)
    assert [(row.name, round(row.adds, 3), row.of) for row in shown.criteria] == [
        ("Respect", 52.5, 75.0),
        ("Apology", 0.0, 0.0),
        ("Courtesy", 17.5, 25.0),
    ]
    assert shown.sum == pytest.approx(70.0) and shown.caps == ()
    assert shown.reason == "Most points were lost on Respect (22.5) and Courtesy (7.5)."


def test_a_cap_in_force_is_told_with_its_line(tmp_path):
    caps = (Cap("ignored_request", 40.0, 1, "Calm down."), Cap("one_way_dialogue", 90.0, None, None))
    root = tree(tmp_path, replace(scored(score=70.0, caps=caps), score=40.0))
    sum_row, lowering, idle, total = root.one("table", "arithmetic").one("tfoot").all("tr")
    assert "70.0" in sum_row.text and "40.0" in total.text
    assert "at most 40.0" in lowering.text and "Lowers" in lowering.text and "Calm down." in lowering.text
    assert lowering.one("a").attributes["href"] == "#c1-t1"
    assert "the sum is lower anyway" in idle.text
    told = "Ignored request caps the score at 40.0; the criteria add up to 70.0."
    assert told in root.one("summary").text


def test_what_the_customer_said_costs_only_because_it_was_not_met(tmp_path):
    found = [evidence(TURNS, 0, "I asked twice", "distress", 5.0)]
    assert "Distress not met, cost 5.0" in tree(tmp_path, scored(found=found)).one(id="c1-t0").text


def test_tally_counts_what_was_added():
    tally = Tally()
    for record in [scored(score=score) for score in (0.0, 4.9, 50.0, 100.0)]:
        tally.add(record)
    tally.add(unscored("skipped", "a", "one side only"))
    tally.add(unscored("skipped", "b", "one side only"))
    tally.add(unscored("failed", "c", "not JSON"))
    assert (tally.conversations, tally.scored, tally.mean, tally.median) == (7, 4, pytest.approx(38.725), 27.45)
    assert (tally.bins[0], tally.bins[10], tally.bins[19], sum(tally.bins)) == (2, 1, 1, 4)
    assert tally.criteria["respect"].fifths == [2, 0, 1, 0, 1]
    assert (tally.criteria["apology"].applicable, tally.criteria["apology"].mean) == (0, None)
    assert {kind: group.conversations for kind, group in tally.not_scored.items()} == {
        ("skipped", "one side only"): 2,
        ("failed", "not JSON"): 1,
    }


def test_flags_are_counted_by_conversation_and_severity():
    tally = Tally()
    twice = (Flag("blame", 0, None, "notice"), Flag("blame", 1, None, "notice"), Flag("x", None, None, "critical"))
    tally.add(scored(flags=twice))
    tally.add(scored(flags=twice[:1]))
    assert [(f.name, f.severity, f.conversations, f.times) for f in tally.flags] == [
        ("x", "critical", 1, 1),
        ("blame", "notice", 2, 3),
    ]
    assert tally.critical == 1


def test_skipped_and_failed_are_listed_with_their_reasons(tmp_path):
    root = tree(tmp_path, unscored(), unscored("skipped", "y", "Only one side speaks."))
    section = root.one(id="not-scored").text
    assert "line 3: not valid JSON" in section and "Only one side speaks." in section
    assert "No conversation was scored." in root.text


def test_a_long_conversation_keeps_its_evidence_and_says_what_is_left_out(tmp_path):
    turns = tuple(turn(f"line {i}", "agent" if i % 2 else "customer") for i in range(1000))
    record = scored(turns=turns, found=[evidence(turns, 777, "line")], flags=(Flag("blame", 999, None, "notice"),))
    root = tree(tmp_path, record)
    shown = [int(e.attributes["id"].split("-t")[1]) for e in root.all("li", "turn")]
    assert len(shown) == MOST_TURNS and shown == sorted(shown)
    assert {0, 775, 776, 777, 778, 779, 998, 999} <= set(shown)
    gaps = [int(gap.text.split()[0]) for gap in root.all("li", "gap")]
    assert sum(gaps) == 1000 - MOST_TURNS
    assert "600 are left out" in root.one("p", "left-out").text


def test_every_evidence_turn_is_shown_however_many():
    turns = tuple(turn(f"line {i}") for i in range(1000))
    shown = view(scored(turns=turns, found=[evidence(turns, i, "line") for i in range(0, 1000, 2)]), 1)
    assert [turn.index for turn in shown.turns] == list(range(0, 1000, 2))


def test_a_huge_turn_is_shortened_around_its_evidence(tmp_path):
    text = "word " * 200_000
    text = text[:500_000] + "calm down" + text[500_000:]
    turns = (turn(text),)
    html = render(tmp_path, scored(turns=turns, found=[evidence(turns, 0, "calm down")]))
    root = Tree(html).root
    assert len(html) < 80_000
    assert root.one("ol").one("mark").text == "calm down"
    left_out = sum(int(p.text.split()[0].replace(",", "")) for p in root.all("p", "gap"))
    assert left_out + len(said(root, "c1-t0")) == len(text)


@pytest.mark.parametrize("length", [0, 1, LONG_TURN, LONG_TURN + 1])
def test_turns_up_to_a_long_one_are_whole(tmp_path, length):
    root = tree(tmp_path, scored(turns=(turn("a" * length), turn("b"))))
    assert (len(said(root, "c1-t0")) == length) == (length <= LONG_TURN)


def test_line_breaks_and_spaces_between_marks_are_kept(tmp_path):
    text = "  Dear Helen,\n\nsorry  we failed.\n \nIt is shipped.  \n"
    turns = (ScoredTurn("agent", None, None, None, text, None, (Utterance(2, 13, {"courtesy": 0.9}),)),)
    found = [evidence(turns, 0, "sorry  we failed.", "apology", -5.0), evidence(turns, 0, "It is shipped.", "solution")]
    assert said(tree(tmp_path, scored(turns=turns, found=found)), "c1-t0") == text


def test_strip_is_drawn_by_time_where_every_turn_has_times():
    turns = (turn("Hi", "agent", 0.0, 5.0), turn("a" * 500, "customer", 5.0, 10.0), turn("x" * 9, "agent", 15.0, 20.0))
    strip = draw(scored(turns=turns, found=[evidence(turns, 2, "x")]))
    assert strip.by_time
    assert [(bar.role, bar.x, bar.width) for bar in strip.bars] == [
        ("agent", 0.0, 25.0),
        ("customer", 25.0, 25.0),
        ("agent", 75.0, 25.0),
    ]
    assert [(sign.x, sign.kind) for sign in strip.signs] == [(75.0, "cost")]
    assert strip.axis[0] == (0.0, "0:00") and strip.axis[1] == (25.0, "0:05")


@pytest.mark.parametrize("times", [(None, None), (3.0, None), (3.0, 1.0)])
def test_strip_is_drawn_by_length_where_times_are_missing_or_wrong(times):
    turns = (turn("a" * 30, "agent", 0.0, 5.0, phase="opening"), turn("b" * 10, "customer", *times, phase="problem"))
    strip = draw(scored(turns=turns))
    assert not strip.by_time and strip.axis == ()
    assert [(lane.role, lane.share) for lane in strip.lanes] == [("agent", 0.75), ("customer", 0.25)]
    assert [(band.phase, band.x, band.width) for band in strip.bands] == [
        ("opening", 0.0, 75.0),
        ("problem", 75.0, 25.0),
    ]


@pytest.mark.parametrize("turns", [(), (turn(""),)])
def test_a_conversation_without_words_has_no_strip(tmp_path, turns):
    assert draw(scored(turns=turns)) is None
    tree(tmp_path, scored(turns=turns))


def test_notes_on_roles_and_language(tmp_path):
    unsure = scored(roles=Roles("inferred", ("spk_0",), 0.61, False), language="da", language_probability=0.97)
    text = tree(tmp_path, unsure).one("details").text
    assert "spk_0 was taken for the agent, with a probability of 61%" in text
    assert "Danish (detected, 97% sure)" in text
    assert "taken for the agent" not in tree(tmp_path, scored(roles=Roles("given", ("a",), None, True))).text


def test_provenance_is_at_the_bottom(tmp_path):
    footer = tree(tmp_path, scored()).one("footer").text
    assert "nordic" in footer and "ab" * 32 in footer and "standard" in footer and "cd" * 32 in footer


def test_same_records_give_the_same_bytes(tmp_path):
    records = [scored(found=[evidence(TURNS, 1, "Calm down.")]), scored("b", 20.0), unscored()]
    assert render(tmp_path, *records) == render(tmp_path, *records)


def test_an_exception_leaves_no_page(tmp_path):
    with pytest.raises(KeyboardInterrupt), ReportPage(tmp_path / "report.html") as page:
        page.add(scored())
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_an_error_while_the_page_is_written_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("old")
    monkeypatch.setattr("convqa.page.html.view", lambda record, number: 1 / 0)
    with pytest.raises(ZeroDivisionError), ReportPage(path) as page:
        page.add(scored())
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_missing_folder_is_told_before_any_work(tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        ReportPage(tmp_path / "nowhere" / "report.html")


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", [0, 1, 2], ids=["light", "dark", "print"])
def test_text_has_contrast_enough(tmp_path, scheme):
    style = tree(tmp_path).one("style").text
    blocks = re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): (#\w+)", blocks[scheme]))
    colours = {
        name: "#" + "".join(2 * c for c in value[1:]) if len(value) == 4 else value for name, value in colours.items()
    }
    on_page = [
        "ink",
        "soft",
        "accent",
        "good",
        "acceptable",
        "needs-attention",
        "poor",
        "critical",
        "warning",
        "notice",
    ]
    pairs = [(text, ground) for text in on_page for ground in ("paper", "card", "customer-text")]
    pairs += [("ink", ground) for ground in ("earned", "cost", "neutral", "mixed")]
    for text, ground in pairs:
        light, dark = sorted((luminance(colours[text]), luminance(colours[ground])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, f"{text} on {ground}"
