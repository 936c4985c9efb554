"""Turns into utterances: where one sentence ends and the next begins, in characters of the turn.

Two ways. Written text is split by rules at its own punctuation (`sentences`). Where a stretch has none, as
speech recognisers and hurried typists leave it, a small trained spaCy `senter` reads the words; spaCy is loaded
here and nowhere above. Which way a stretch goes is said at `Segmenter`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import spacy
from spacy.attrs import NORM, PREFIX, SENT_START, SUFFIX
from spacy.tokens import Doc

from convqa.artifact import folder_digest, models_folder
from convqa.errors import ModelError

Span = tuple[int, int]
"""First character and the one after the last, so that ``text[start:end]`` is the utterance."""

MAX_WORDS: Final = 120
MAX_CHARACTERS: Final = 2_400
LOOSE_SHARE: Final = 0.25
LOOSE_WORDS: Final = 4
STRAY_WORDS: Final = 10
WINDOW_WORDS: Final = 400

# ---------------------------------------------------------------------------------------------- rules, as data


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# After these a full stop never ends the sentence: something has to follow.
_OPEN: Final = {
    "nb": "bl.a f.eks fx m.a.o dvs d.v.s kl nr tlf tel mob ca evt ev jf jfr jmf mht pga p.g.a ift iht ifm vedr ang "
    "inkl ekskl pr hr fr frk dr prof st vs mvh m.v.h kap pkt avd adr obs f.o.m t.o.m fom vha",
    "nn": "bl.a f.eks t.d m.a.o dvs d.v.s kl nr tlf tel mob ca evt ev jf jfr mht pga p.g.a ift iht vedr ang inkl "
    "ekskl pr hr fr dr prof st vs mvh m.v.h kap pkt avd adr obs f.o.m t.o.m",
    "da": "bl.a f.eks fx m.a.o dvs d.v.s kl nr tlf tel mob ca evt jf jvf mht pga p.g.a ift iht ifm vedr ang inkl "
    "ekskl pr hr fr frk dr prof skt vs mvh m.v.h kap pkt afd adr obs alm f.o.m t.o.m vha sml tidl",
    "sv": "bl.a t.ex m.a.o dvs d.v.s kl nr tfn tel mob ca c:a ev evt jfr p.g.a pga i.o.m ang inkl exkl resp hr fr "
    "dr prof st s:t vs mvh m.v.h kap avd adr obs fr.o.m t.o.m f.o.m s.k enl f.d f.n n.b",
    "en": "e.g i.e eg ie mr mrs ms mx dr prof st mt vs approx incl excl tel viz cf messrs attn rev sgt capt",
}
# These may close a sentence as well; then a capital follows.
_EITHER: Final = {
    "nb": "osv o.s.v mv m.v m.m m.fl mfl o.l o.lign e.l el.l etc p.t pt d.d dd forts tils tidl gj.sn ekv p.s",
    "nn": "osv o.s.v mv m.v m.m m.fl mfl o.l e.l etc p.t pt d.d forts tils p.s",
    "da": "osv o.s.v mv m.v m.m m.fl mfl o.l o.lign lign e.l el.lign etc p.t pt d.d dd d.å forts s.u p.s",
    "sv": "osv o.s.v m.m m.fl o.d o.dyl dyl e.d etc p.t forts o.s.a p.s",
    "en": "etc a.m p.m inc ltd co corp plc jr sr u.s u.k u.s.a p.s misc cont dept acct ext",
}
# And these with a figure before them ("10 min. og", "3. sept. kl.").
_AFTER_FIGURE: Final = {
    "nb": "kr stk mnd min maks mill mrd sek tim jan feb mar apr jun jul aug sep sept okt nov des",
    "nn": "kr stk mnd min maks mill mrd sek tim jan feb mar apr jun jul aug sep sept okt nov des",
    "da": "kr stk md mdr min max mio mia sek tim jan feb mar apr jun jul aug sep sept okt nov dec",
    "sv": "kr st stk mån min max milj mdr sek tim jan feb mar apr jun jul aug sep sept okt nov dec",
    "en": "hr hrs min mins sec secs max yr yrs jan feb mar apr jun jul aug sep sept oct nov dec",
}
# And these only stand before a figure ("No. 5", "s. 12"); otherwise they are words.
_BEFORE_FIGURE: Final = {
    "nb": "s p art fig pos tab kr min maks",
    "nn": "s p art fig pos tab kr min maks",
    "da": "s p art fig stk pos tab kr min max",
    "sv": "s p art fig pos tab kr min max",
    "en": "no nos p pp art fig pos sec vol ref min max jan feb mar apr jun jul aug sep sept oct nov dec",
}
# A capital on one of these begins a sentence even without a stop before it. Not here: words that polite address,
# names of months, shops or pages write with a capital anywhere (De, Dem, Ni, I, May, My, The).
_OPENERS: Final = {
    "nb": "Jeg Og Men Det Så Hva Hvor Hvordan Hvorfor Når Hvis Kan Har Skal Vil Er Var Vi Du Han Hun Da Nå Ja Nei "
    "Takk Hei Dette Beklager Forstår Vennligst Om For At Ikke Bare Ha Her Der",
    "nn": "Eg Og Men Det Så Kva Kvar Korleis Kvifor Når Viss Kan Har Skal Vil Er Var Vi Du Han Ho Då No Ja Nei Takk "
    "Hei Dette Beklagar Om For At Ikkje Berre Ha Her Der",
    "da": "Jeg Og Men Det Så Hvad Hvor Hvordan Hvorfor Hvornår Når Hvis Kan Har Skal Vil Er Var Vi Du Han Hun Da Ja "
    "Nej Tak Hej Dette Beklager Undskyld Forstår Venligst Om For At Ikke Bare Der Her Den",
    "sv": "Jag Och Men Det Så Vad Var Hur Varför När Kan Har Ska Vill Är Vi Han Hon Då Ja Nej Tack Hej Detta Om Att "
    "Inte Bara Förlåt Ursäkta Där Här Den",
    "en": "And But So You We They He She It It's That That's This There What When Where How Which Why Can Could "
    "Would Should Do Does Did Is Are Was If Let Let's Thanks Thank Please Sorry Yes",
}
_MONTHS: Final = _set(
    "januar februar mars marts april mai maj juni juli august september oktober november desember december januari "
    "februari augusti"
)
# After these a figure is an amount or a time, so a full stop behind it is one.
_AMOUNT: Final = _set("kl klokka klokken klockan kr kroner kronor £ $ € nok dkk sek")
# After these a single capital is a letter or the name of a thing ("plan B. Så …"), not somebody's initial.
_LETTER_AFTER: Final = _set(
    "med with an a en ein et ett som bokstav bokstaven bogstav bogstavet bokstäver letter plan alternativ option "
    "type typ klasse klass class oppgang opgang uppgång blokk blok block inngang indgang ingång str størrelse storlek "
    "size vitamin punkt point terminal gate zone sone rad row"
)
# Words of one letter.
_LETTER_WORDS: Final = _set("i å æ ø ö")
_ORDINAL_LANGUAGES: Final = frozenset({"nb", "nn", "da"})
_DOMAINS: Final = _set("no se dk com net org eu uk io nu info pdf docx xlsx txt jpg png html")


def _table(words: dict[str, str]) -> dict[str, frozenset[str]]:
    """The lists by language; any other language gets all of them."""
    table = {language: _set(listed) for language, listed in words.items()}
    table[""] = frozenset[str]().union(*table.values())
    return table


_OPEN_BY: Final = _table(_OPEN)
_EITHER_BY: Final = _table(_EITHER)
_AFTER_BY: Final = _table(_AFTER_FIGURE)
_FIGURE_BY: Final = _table(_BEFORE_FIGURE)
_OPENERS_BY: Final = _table(_OPENERS)

_EMOJI: Final = "\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff\ufe0f\u200d\u20e3\U000e0020-\U000e007f"
_UPPER: Final = "A-ZÆØÅÄÖÉÜÀÐÞÁÍÓÚ"
_LOWER: Final = "a-zæøåäöéüàðþáíóúèôêò"
_LINE: Final = re.compile(r"[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+")
# Possessive throughout and anchored by look-behind, so that a megabyte of full stops is read once.
_CANDIDATE: Final = re.compile(
    rf"""
    (?=[ .!?…:;{_EMOJI}])
    (?:
    (?<![.!?…])(?P<stop>[.!?…]++)
    (?P<close>["'”’»«“)\]}}*_]*+)
    (?P<tail>(?:[ \t\u00a0]*+(?:[{_EMOJI}]++|[:;=8xX]['’-]?[)(DPpOo3/|*]+(?!\w)|<3|\^\w+))*+)
    (?=\s)
    |
    (?<=[{_LOWER}][{_LOWER}])(?P<glued>[.!?]++)(?=[{_UPPER}][{_LOWER}\ ]|[{_LOWER}]{{2}}(?<=[!?]..))
    |
    (?P<emoji>(?<![{_EMOJI}])[{_EMOJI}]++|(?<=\s)[:;]['’-]?[)(DP]++)(?=\s++["'”’»«“(]?[{_UPPER}])
    |
    (?<=[{_LOWER}\d)%])\ (?=[{_UPPER}])(?=(?P<opener>(?:{"|".join(sorted(_OPENERS_BY[""]))})\b(?!['’.])))
    )
    """,
    re.VERBOSE,
)
_WORD_BEFORE: Final = re.compile(r"[^\s\"'”’»«“()\[\]{}/,;!?…]+\Z")
_TWO_BEFORE: Final = re.compile(r"(\S+)\s+\S+\Z")
_DOTTED: Final = re.compile(rf"[{_UPPER}{_LOWER}]{{1,4}}(?:\.[{_UPPER}{_LOWER}]{{1,4}})+\Z")
_NUMBER: Final = re.compile(r"(?:\d+\.?[-–/])*(?P<last>\d+)\Z")
_DATE: Final = re.compile(r"\d{1,2}[./]\d{1,2}\Z")
_LIST_MARK: Final = re.compile(r"\(?(?:\d{1,3}|[a-zA-Z])\Z")
_CHUNK: Final = re.compile(r"\S{1,400}")
_WORD: Final = re.compile(r"\S+")
_EDGE: Final = re.compile(r"\A[^\w]+|[^\w]+\Z")
_SENTENCE_END: Final = re.compile(rf"[.!?…][\"'”’»«“)\]}}*_{_EMOJI}]*+(?:\s|\Z)")


def sentences(text: str, language: str = "") -> list[Span]:
    """The sentences of a written text, by its punctuation, lines and abbreviations; in order, trimmed.

    A language without rules of its own gets those of all.
    """
    spans: list[Span] = []
    for line_start, line_end in _lines(text):
        begin = line_start
        for end in _stops(text, line_start, line_end, language):
            _add(spans, text, begin, end)
            begin = end
        _add(spans, text, begin, line_end)
    return spans


def _add(spans: list[Span], text: str, start: int, end: int) -> None:
    piece = text[start:end]
    trimmed = piece.strip()
    if trimmed:
        start += len(piece) - len(piece.lstrip())
        spans.append((start, start + len(trimmed)))


def _lines(text: str) -> Iterator[Span]:
    """Lines; those of a text that a mail program wrapped at a fixed width are joined again."""
    breaks = [match.span() for match in _LINE.finditer(text)]
    if not breaks:
        yield 0, len(text)
        return
    edges = [0, *(edge for span in breaks for edge in span), len(text)]
    lines = list(zip(edges[::2], edges[1::2], strict=True))
    wrapped = max(end - start for start, end in lines) <= 80
    begin = 0
    for (start, end), (following, stop) in pairwise(lines):
        goes_on = text[following : min(stop, following + 1)].islower() and following - end <= 2
        if wrapped and goes_on and end - start >= 55 and not _SENTENCE_END.match(text, end - 1):
            continue
        yield begin, end
        begin = following
    yield begin, len(text)


def _stops(text: str, start: int, end: int, language: str) -> Iterator[int]:
    """Where sentences end between ``start`` and ``end``, each after its closing quotes and emoji."""
    begin = start
    language = language if language in _OPEN else ""
    for match in _CANDIDATE.finditer(text, start, end):
        if match["glued"] is not None:
            boundary = _glued(text, match)
        elif match["emoji"] is not None:
            boundary = True
        elif match["opener"] is not None:
            boundary = match["opener"] in _OPENERS_BY[language]
        else:
            boundary = not _goes_on(text, begin, match, end, language)
        if boundary:
            begin = match.end()
            yield begin


def _goes_on(text: str, begin: int, match: re.Match[str], end: int, language: str) -> bool:
    """Whether the sentence that began at ``begin`` continues after the stop in ``match``."""
    following = text[match.end() : min(end, match.end() + 60)].split(maxsplit=1)
    if not following:
        return False
    after = following[0].lstrip("\"'”’»«“([{*_¿¡")
    upper, figure = after[:1].isupper(), after[:1].isdigit()
    lower = after[:1].islower()
    stop, close = match["stop"], match["close"]
    if not after and following[0][:1] in ")]}":
        return True
    if close and close.strip("*_") and lower:
        return True
    if match["tail"]:
        return False
    if "!" in stop or "?" in stop:
        return close.startswith(")") and text[match.start() - 1 : match.start()] == "("
    if len(stop) > 1 or stop == "…":
        return lower
    found = _WORD_BEFORE.search(text, max(begin, match.start() - 40), match.start())
    if found is None or close:
        return False
    word = found.group()
    bare = word.lower()
    two = _TWO_BEFORE.search(text, max(begin, match.start() - 40), match.start())
    before = "" if two is None else two.group(1)
    if bare in _OPEN_BY[language]:
        return True
    if bare in _FIGURE_BY[language] and figure:
        return True
    if bare in _EITHER_BY[language] or (_DOTTED.match(bare) and bare.rpartition(".")[2] not in _DOMAINS):
        return lower or figure
    counted = before.rstrip(".").lower()
    if bare in _AFTER_BY[language] and (counted[-1:].isdigit() or counted in _AFTER_BY[language]):
        return lower or figure
    if _LIST_MARK.match(word) and bare not in _LETTER_WORDS and (not before or before[-1] in ":;"):
        return True
    if word[-1].isdigit():
        return _ordinal(word, before, after, language)
    # An initial: "J. Hansen", "A. B. Berg".
    if not (upper and len(word) == 1 and word.isupper()) or bare in _LETTER_WORDS:
        return False
    return not before or (before[-1] not in ",:" and before.lower() not in _LETTER_AFTER)


def _ordinal(word: str, before: str, after: str, language: str) -> bool:
    """Whether a figure's full stop makes it an ordinal ("3. mai", "den 14. kommer") in Norwegian and Danish."""
    if language not in _ORDINAL_LANGUAGES and language:
        return False
    if after.lower().rstrip(".,;:!?)") in _MONTHS:
        return True
    if not after[:1].islower():
        return False
    if _DATE.match(word):
        return True
    figures = _NUMBER.match(word)
    small = figures is not None and len(figures["last"]) <= 2 and int(figures["last"]) <= 31
    return small and before.lower().strip(".") not in _AMOUNT


def _glued(text: str, match: re.Match[str]) -> bool:
    """Whether a stop without space behind it ("takk.Jeg venter") ends a sentence, not part of an address."""
    left = text.rfind(" ", max(0, match.start() - 60), match.start()) + 1
    right = text.find(" ", match.end(), match.end() + 60)
    chunk = text[left : right if right > 0 else match.end() + 60]
    word = re.match(r"\w+", text[match.end() : match.end() + 20])
    if any(mark in chunk for mark in "@/\\=_") or "www" in chunk.lower() or word is None:
        return False
    return word.group().lower() not in _DOMAINS


def _capped(text: str, spans: list[Span]) -> list[Span]:
    """Spans of at most `MAX_WORDS` words and `MAX_CHARACTERS` characters, cut at white space where there is any."""
    if all(end - start < 2 * MAX_WORDS for start, end in spans):
        return spans
    capped: list[Span] = []
    for start, end in spans:
        if end - start < 2 * MAX_WORDS:
            capped.append((start, end))
            continue
        first, last, count = start, start, 0
        for chunk in _CHUNK.finditer(text, start, end):
            if count == MAX_WORDS or chunk.end() - first > MAX_CHARACTERS:
                capped.append((first, last))
                first, count = chunk.start(), 0
            last, count = chunk.end(), count + 1
        capped.append((first, last))
    return capped


# ---------------------------------------------------------------------------------------------- words for the model


def words(text: str, start: int = 0, end: int | None = None) -> tuple[list[str], list[int]]:
    """Words as the model reads them, and where each begins in ``text``: lower case, without punctuation at the edges.

    Training and use share this, so that what is left of punctuation or capitals never misleads the model.
    Pieces without a letter or figure (a dash, an emoji) belong to the word before them.
    """
    forms: list[str] = []
    starts: list[int] = []
    for match in _WORD.finditer(text, start, len(text) if end is None else end):
        form = _EDGE.sub("", match.group()[:64]).lower()
        if form:
            forms.append(form)
            starts.append(match.start())
    return forms, starts


_LEXICAL: Final = frozenset({NORM, PREFIX, SUFFIX})
# Half a surrogate pair, which spaCy's strings cannot hold.
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class Segmenter:
    """Splits turns into utterances.

    A turn is first split by `sentences`. A resulting stretch is read by the model when it does not end like a
    sentence (no ``.``, ``!``, ``?`` or ``…``) and has at least

    * `LOOSE_WORDS` words, in a conversation that is written without punctuation: of its turns of four words or
      more, under `LOOSE_SHARE` contain the end of a sentence;
    * `STRAY_WORDS` words, in any other conversation.

    So a conversation's turns decide together how they are read, and other conversations of a batch change nothing.
    Not for use from several threads at once: spaCy's vocabulary is shared state.
    """

    def __init__(self, nlp: Any, digest: str = "") -> None:
        """``nlp`` is a spaCy pipeline with a ``senter``, ``digest`` the SHA-256 of what it was loaded from."""
        # A word's shape and the like cost more than the model that never looks at them.
        nlp.vocab.lex_attr_getters = {a: f for a, f in nlp.vocab.lex_attr_getters.items() if a in _LEXICAL}
        self._nlp = nlp
        self.digest = digest

    @classmethod
    def load(cls, path: Path | None = None) -> Segmenter:
        """The bundled model, or the one in folder ``path``. Raises `ModelError` where there is none that loads."""
        folder = path or models_folder() / "segmenter"
        if not (folder / "meta.json").is_file():
            raise ModelError(f"{folder}: no segmenter here (meta.json is missing)")
        try:
            nlp = spacy.load(folder)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(f"{folder}: the segmenter does not load with spaCy {version('spacy')}: {error}") from error
        if "senter" not in nlp.pipe_names:
            raise ModelError(f"{folder}: no 'senter' in this pipeline, only {', '.join(nlp.pipe_names) or 'nothing'}")
        return cls(nlp, folder_digest(folder))

    def segment(self, texts: Sequence[str], language: str) -> list[list[Span]]:
        """Spans of the utterances in each turn of one conversation; see `segment_many`."""
        return self.segment_many([(texts, language)])[0]

    def segment_many(self, conversations: Sequence[tuple[Sequence[str], str]]) -> list[list[list[Span]]]:
        """For each conversation, for each of its turns, the spans of its utterances.

        ``conversations`` are the texts of the turns, in order, and the language. Spans are in order, do not
        overlap, neither begin nor end with white space, and hold every character that is not white space; a blank
        turn has none. None is longer than `MAX_WORDS` words or `MAX_CHARACTERS` characters.
        """
        found: list[list[list[Span]]] = []
        jobs: list[tuple[list[Span], int, str, Span]] = []
        for given, language in conversations:
            texts = [_SURROGATE.sub("\ufffd", text) for text in given]
            turns = [sentences(text, language) for text in texts]
            least = LOOSE_WORDS if _is_loose(texts) else STRAY_WORDS
            for text, spans in zip(texts, turns, strict=True):
                for index, (start, end) in enumerate(spans):
                    if end - start >= 2 * least - 1 and not _SENTENCE_END.search(text, max(start, end - 12), end):
                        jobs.append((spans, index, text, (start, end)))
            found.append(turns)
        self._split(jobs)
        return [
            [_capped(text, spans) for text, spans in zip(texts, turns, strict=True)]
            for (texts, _), turns in zip(conversations, found, strict=True)
        ]

    def _split(self, jobs: Sequence[tuple[list[Span], int, str, Span]]) -> None:
        """Replaces the stretch of each job by what the model makes of it."""
        read = [words(text, start, end) for _, _, text, (start, end) in jobs]
        cuts: list[list[int]] = [[] for _ in jobs]
        with self._nlp.memory_zone():
            docs = (
                (Doc(self._nlp.vocab, words=forms[at : at + WINDOW_WORDS]), (job, at))
                for job, (forms, _) in enumerate(read)
                for at in range(0, len(forms), WINDOW_WORDS)
            )
            for doc, (job, at) in self._nlp.pipe(docs, as_tuples=True, batch_size=256):
                starts = read[job][1]
                cuts[job].extend(starts[at + i] for i in (doc.to_array(SENT_START)[1:] == 1).nonzero()[0] + 1)
        for (spans, index, text, (start, end)), inner in zip(reversed(jobs), reversed(cuts), strict=True):
            pieces: list[Span] = []
            for first, last in pairwise((start, *inner, end)):
                _add(pieces, text, first, last)
            spans[index : index + 1] = pieces


def _is_loose(texts: Sequence[str]) -> bool:
    """Whether a conversation is written without punctuation."""
    told = [_SENTENCE_END.search(text) is not None for text in texts if text.count(" ") >= 3]
    if not told:
        return not any(_SENTENCE_END.search(text) for text in texts)
    return sum(told) < LOOSE_SHARE * len(told)
