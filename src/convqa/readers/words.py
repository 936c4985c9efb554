"""The words that sources use for roles, languages and channels, and what we call them.

One table for all readers: English, Norwegian (Bokmål and Nynorsk), Danish and Swedish.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

from convqa.labels import CHANNELS, LANGUAGES, Channel, Role

_AGENT: Final = """
agent, advisor, adviser, rep, representative, sales rep, sales representative, service rep, consultant, operator,
employee, staff, clerk, csr, seller, salesperson, specialist, associate, caseworker, case worker, support, help desk,
helpdesk, service desk, customer service, customer support, customer care, customer advisor, client advisor,
technical support, account manager, live agent, human agent,
kundebehandler, kundebehandlar, saksbehandler, saksbehandlar, kundekonsulent, konsulent, rådgiver, rådgjevar,
kunderådgiver, kunderådgjevar, kundeservice, kundesenter, kundesupport, brukerstøtte, brukarstøtte, medarbeider,
medarbeidar, kundemedarbeider, servicemedarbeider, kundeveileder, kundeveileiar, veileder, rettleiar, selger, seljar,
ansatt, tilsett, operatør,
medarbejder, kundemedarbejder, servicemedarbejder, kundeservicemedarbejder, kundeservicemedarbeider, sagsbehandler,
sælger, ansat, kundekonsulenten, telefonist, supporter,
handläggare, kundtjänst, kundservice, kundsupport, kundrådgivare, rådgivare, medarbetare, kundmedarbetare,
kundtjänstmedarbetare, kundbehandlare, kundvägledare, säljare, anställd, konsult, operatör
"""
_CUSTOMER: Final = """
customer, client, caller, user, end user, enduser, visitor, guest, buyer, shopper, consumer, patient, passenger,
subscriber, tenant, citizen, requester, prospect, policyholder,
kunde, kunden, innringer, innringar, bruker, brukar, sluttbruker, besøkende, gjest, pasient, passasjer, abonnent,
leietaker, leigetakar, innbygger, innbyggjar, klient,
opkalder, indringer, bruger, slutbruger, besøgende, gæst, borger, lejer,
kund, inringare, uppringare, användare, slutanvändare, besökare, gäst, hyresgäst, medborgare, prenumerant
"""


def _split(words: str) -> frozenset[str]:
    return frozenset(word.strip() for word in words.split(","))


_ROLES: Final[tuple[tuple[Role, frozenset[str]], ...]] = (("agent", _split(_AGENT)), ("customer", _split(_CUSTOMER)))

_LANGUAGES: Final = {
    "nb": "nb nob no nor bokmål bokmal norsk norwegian norwegianbokmål norwegianbokmal norskbokmål norskbokmal",
    "nn": "nn nno nynorsk norwegiannynorsk norsknynorsk",
    "da": "da dan dansk danish dk",
    "sv": "sv swe svensk svenska swedish se",
    "en": "en eng english engelsk engelska us gb uk",
}
_LANGUAGE_OF: Final = {word: code for code, words in _LANGUAGES.items() for word in words.split()}
_NO_LANGUAGE: Final = frozenset({"", "und", "unknown", "auto", "none", "null", "ukjent", "ukendt", "okänd"})

_CHANNELS: Final[dict[Channel, str]] = {
    "call": "call voice phone telephone telephony audio inbound outbound telefon telefoni samtale opkald samtal anrop",
    "chat": "chat sms messaging message text livechat webchat whatsapp messenger facebook melding besked meddelande",
    "email": "email mail epost epostmelding",
}
_CHANNEL_OF: Final[dict[str, Channel]] = {w: channel for channel, words in _CHANNELS.items() for w in words.split()}

_PIECES: Final = re.compile(r"[()\[\]{}<>|/,;–—]|\s-\s")
_CAMEL: Final = re.compile(r"(?<=[a-zæøåäö])(?=[A-ZÆØÅÄÖ])")
# Line ends stay; what else controls a printer or a terminal goes (\v and \f end a line in word processors).
# Half a surrogate pair, as a cut text ends in, is no character.
_CONTROLS: Final = {
    **dict.fromkeys(range(0xD800, 0xE000), "\ufffd"),
    **dict.fromkeys((*range(0x20), *range(0x7F, 0xA0))),
    **dict.fromkeys(map(ord, "\r\v\f"), "\n"),
    ord("\n"): "\n",
    ord("\t"): "\t",
}


def clean(text: str) -> str:
    r"""Return ``text`` without outer white space and without control characters other than \n and \t.

    Half a surrogate pair becomes U+FFFD.
    """
    if not text.isprintable():
        text = text.replace("\r\n", "\n").translate(_CONTROLS)
    return text.strip()


@lru_cache(maxsize=4096)
def role_of(name: str | None) -> Role | None:
    """Return the role that a word or a speaker's name tells (``Agent (Tore)``, ``kunde_2``), else None."""
    if not name or len(name) > 80:
        return None
    pieces = [_CAMEL.sub(" ", piece) for piece in (name, *_PIECES.split(name))]
    for piece in pieces:
        if role := _exact(piece):
            return role
    return _beside_a_name(pieces[0])


def _exact(words: str) -> Role | None:
    folded = " ".join(re.findall(r"[^\W\d_]+", unicodedata.normalize("NFC", words).casefold()))
    for form in (folded, folded.replace(" ", ""), folded.removesuffix("en"), folded.removesuffix("n")):
        for role, known in _ROLES:
            if form in known:
                return role
    return None


def _beside_a_name(words: str) -> Role | None:
    """``Agent Tore`` and ``Kari Kunde`` tell a role; ``Kunde nr`` and ``Customer number`` do not."""
    tokens = re.split(r"[\s_-]+", words)
    if len(tokens) not in (2, 3):
        return None
    roles = [_exact(token) for token in tokens]
    if all(roles):
        return "agent" if "agent" in roles else "customer"
    for role, others in ((roles[0], tokens[1:]), (roles[-1], tokens[:-1])):
        if role and all(other[:1].isupper() for other in others):
            return role
    return None


def language_of(value: str | None) -> str | None:
    """Return our code for a language's code or name (``no``, ``da-DK``, ``Svenska``).

    None where none is told; a language that convqa does not have comes back as it is written.
    """
    written = (value or "").strip()
    folded = written.casefold()
    if folded in _NO_LANGUAGE:
        return None
    if code := _LANGUAGE_OF.get(re.sub(r"[\W_]", "", folded)):
        return code
    first = re.split(r"[-_.(\s]", folded)[0]
    return _LANGUAGE_OF[first] if first in _LANGUAGE_OF and first not in ("us", "gb", "uk", "dk", "se") else written


def channel_of(value: str | None) -> Channel | None:
    """Return our name for a channel (``VOICE``, ``e-mail``, ``SMS``); None where it is another one."""
    return _CHANNEL_OF.get(re.sub(r"[\W_]", "", (value or "").casefold()))


if set(_LANGUAGES) != set(LANGUAGES) or set(_CHANNELS) != set(CHANNELS):  # pragma: no cover
    raise AssertionError("words.py and labels.py differ")
