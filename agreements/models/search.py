"""The analyser and the index: text in, terms out, the same for documents and queries.

Both databases are given finished terms, so both find the same: SQLite in an FTS5 table that
triggers keep beside ``SearchDocument``, PostgreSQL in a generated ``tsvector`` (migration 0002).
"""

import re
import threading
import unicodedata
from collections.abc import Iterable, Iterator, Set
from functools import lru_cache
from operator import itemgetter
from typing import Any

import snowballstemmer
from django.db import connections
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL

#: A query is cut to this many terms: a person types a phrase, not a page.
MAX_QUERY_TERMS = 24
#: A longer word is compared by its beginning; PostgreSQL refuses words over 2 kB.
MAX_WORD_LENGTH = 60
#: A stemmer keeps the word it works on, so each thread has its own.
_own = threading.local()
_IDEOGRAPHS = (
    "\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
)
_HANGUL = "\uac00-\ud7af\u1100-\u11ff\u3130-\u318f"
_UNSPACED = re.compile(f"[{_IDEOGRAPHS}{_HANGUL}]+")
_APOSTROPHES = re.compile("['\u2018\u2019\u02bc\uff07]")
_POSSESSIVE = re.compile(r"'s\b|'")
_RUN = re.compile(r"[^\W_]+")


def fold(text: str) -> str:
    """One form for what a reader takes to be the same: width, case, accents, apostrophes."""
    text = _APOSTROPHES.sub("'", unicodedata.normalize("NFKC", text).casefold())
    if "'" in text:
        text = _POSSESSIVE.sub("", text)
    if text.isascii():
        return text
    # Combining marks of alphabets are accents; Kana voicing marks and Hangul letters are not.
    kept = (
        character
        for character in unicodedata.normalize("NFKD", text)
        if not unicodedata.combining(character) or character in "\u3099\u309a"
    )
    return unicodedata.normalize("NFC", "".join(kept))


def _words(text: str) -> Iterator[str]:
    """Runs of letters and digits; a run changes where a script written without spaces begins."""
    for run in _RUN.findall(fold(text)):
        if run.isascii():
            yield run
            continue
        start = 0
        for match in _UNSPACED.finditer(run):
            yield from filter(None, (run[start : match.start()], match[0]))
            start = match.end()
        if start < len(run):
            yield run[start:]


# Most words of a text have stood in another one, and a stem costs a hundred times a look.
@lru_cache(maxsize=65_536)
def _word_term(word: str) -> str:
    if not hasattr(_own, "stemmer"):
        _own.stemmer = snowballstemmer.stemmer("english")
    return _plain(_own.stemmer.stemWord(word))


def _plain(term: str) -> str:
    """An ASCII spelling, so that neither database's own idea of a letter matters."""
    term = term[:MAX_WORD_LENGTH]
    return term if term.isascii() else "zz" + term.encode().hex()


def document_terms(text: str) -> list[str]:
    """The terms under which ``text`` is found, in order.

    A word gives its English stem. A run of Japanese, Chinese or Korean gives each character and
    each pair, so that any part of it of whatever length is found.
    """
    terms: list[str] = []
    for word in _words(text):
        if not word.isascii() and _UNSPACED.fullmatch(word):
            terms += map(_plain, word)
            terms += _pairs(word)
        else:
            terms.append(_word_term(word))
    return terms


def _pairs(word: str) -> Iterator[str]:
    return (_plain(word[i : i + 2]) for i in range(len(word) - 1))


def query_terms(text: str) -> list[str]:
    """The terms a document must all have to answer ``text``; none where it holds no word."""
    terms: list[str] = []
    for word in _words(text):
        if len(word) > 1 and _UNSPACED.fullmatch(word):
            terms += _pairs(word)
        else:
            terms.append(_word_term(word))
    return list(dict.fromkeys(terms))[:MAX_QUERY_TERMS]


#: A word as it stands in a text, its apostrophes included.
_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
#: How many characters of a text an excerpt shows.
EXCERPT_LENGTH = 160


def marked(text: str, terms: Set[str]) -> list[tuple[str, bool]]:
    """The text in pieces, each with whether it is found by one of ``terms``. Joined, they are the
    text. ``terms`` are those of ``query_terms``."""
    pieces: list[tuple[str, bool]] = []
    end = 0
    for start, stop in _hits(text, terms):
        if start > end:
            pieces.append((text[end:start], False))
        pieces.append((text[start:stop], True))
        end = stop
    return pieces + ([(text[end:], False)] if end < len(text) else [])


# The same words stand in many texts, and analysing one costs more than looking it up.
@lru_cache(maxsize=65_536)
def _terms_of(word: str) -> frozenset[str]:
    return frozenset(document_terms(word))


@lru_cache(maxsize=65_536)
def _fragment_term(fragment: str) -> str:
    return _plain(fold(fragment))


def _hits(text: str, terms: Set[str]) -> Iterator[tuple[int, int]]:
    """Where the terms stand in the text, as start and stop, in order and apart."""
    for word in _WORD.finditer(text):
        if not _UNSPACED.search(word[0]):
            if not terms.isdisjoint(_terms_of(word[0])):
                yield word.span()
            continue
        # Of a script without spaces, the pairs and single characters that were asked for.
        start = stop = -1
        for at in range(*word.span()):
            found = next((n for n in (2, 1) if _fragment_term(text[at : at + n]) in terms), 0)
            if not found:
                continue
            if at > stop:
                if stop > 0:
                    yield start, stop
                start = at
            stop = max(stop, min(at + found, word.end()))
        if stop > 0:
            yield start, stop


def excerpt(passages: Iterable[str], terms: Set[str]) -> list[tuple[str, bool]]:
    """The passage that holds most of the terms, around its first hit, in pieces as ``marked``
    gives them; empty where none holds any."""
    told = ((len({text[a:b].casefold() for a, b in _hits(text, terms)}), text) for text in passages)
    best, text = max(told, key=itemgetter(0), default=(0, ""))
    if not best:
        return []
    first = next(_hits(text, terms))[0]
    start = max(0, first - EXCERPT_LENGTH // 3)
    stop = min(len(text), start + EXCERPT_LENGTH)
    if start:
        start = text.rfind(" ", 0, start + 1) + 1 if " " in text[: start + 1] else start
    if stop < len(text) and " " in text[first:stop]:
        stop = text.rfind(" ", first, stop)
    before, after = ("… " if start else ""), (" …" if stop < len(text) else "")
    return marked(f"{before}{text[start:stop]}{after}", terms)


_SQL = {
    # Each term is quoted whole; the analyser leaves only ASCII letters and digits in it.
    "sqlite": (
        "SELECT rowid FROM agreements_searchindex WHERE agreements_searchindex MATCH %s",
        " AND ",
        '"{}"',
        "{{{column}}} : ({query})",
    ),
    "postgresql": (
        "SELECT agreement_id FROM agreements_searchdocument WHERE {column}_vector @@ %s::tsquery",
        " & ",
        "'{}'",
        "{query}",
    ),
}


def matching_ids(queryset: QuerySet[Any], text: str, column: str = "all_terms") -> RawSQL | None:
    """A subquery of the ids of the agreements that hold every term of ``text``.

    ``column`` is ``all_terms`` or ``title_terms``. None where the text holds no word.
    """
    if statement := _statement(connections[queryset.db].vendor, text, column):
        return RawSQL(*statement)  # noqa: S611 - terms are parameters
    return None


def _statement(vendor: str, text: str, column: str) -> tuple[str, list[str]] | None:
    terms = query_terms(text)
    if not terms:
        return None
    sql, joint, quoted, within = _SQL[vendor]
    query = within.format(column=column, query=joint.join(quoted.format(term) for term in terms))
    return sql.format(column=column), [query]
