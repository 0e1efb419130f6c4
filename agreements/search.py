"""The analyser and the index: text in, terms out, the same for documents and queries.

Both databases are given finished terms, so both find the same: SQLite in an FTS5 table that
triggers keep beside ``SearchDocument``, PostgreSQL in a generated ``tsvector`` (migration 0002).
"""

import re
import threading
import unicodedata
from collections.abc import Iterator

import snowballstemmer
from django.db import connection, connections
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


def _fold(text: str) -> str:
    """One form for what a reader takes to be the same: width, case, accents, apostrophes."""
    text = _APOSTROPHES.sub("'", unicodedata.normalize("NFKC", text).casefold())
    text = re.sub(r"'s\b|'", "", text)
    # Combining marks of alphabets are accents; Kana voicing marks and Hangul letters are not.
    kept = (
        character
        for character in unicodedata.normalize("NFKD", text)
        if not unicodedata.combining(character) or character in "\u3099\u309a"
    )
    return unicodedata.normalize("NFC", "".join(kept))


def _words(text: str) -> Iterator[str]:
    """Runs of letters and digits; a run changes where a script written without spaces begins."""
    for run in re.findall(r"[^\W_]+", _fold(text)):
        start = 0
        for match in _UNSPACED.finditer(run):
            yield from filter(None, (run[start : match.start()], match[0]))
            start = match.end()
        if start < len(run):
            yield run[start:]


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
        if _UNSPACED.fullmatch(word):
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


def matching_ids(queryset: QuerySet, text: str, column: str = "all_terms") -> RawSQL | None:
    """A subquery of the ids of the agreements that hold every term of ``text``.

    ``column`` is ``all_terms`` or ``title_terms``. None where the text holds no word.
    """
    if statement := _statement(connections[queryset.db].vendor, text, column):
        return RawSQL(*statement)  # noqa: S611 - terms are parameters
    return None


def found_ids(text: str, column: str = "all_terms") -> list[int]:
    """The ids that ``matching_ids`` selects, published or not, in no order."""
    statement = _statement(connection.vendor, text, column)
    if statement is None:
        return []
    with connection.cursor() as cursor:
        cursor.execute(*statement)
        return [pk for (pk,) in cursor.fetchall()]


def _statement(vendor: str, text: str, column: str) -> tuple[str, list[str]] | None:
    terms = query_terms(text)
    if not terms:
        return None
    sql, joint, quoted, within = _SQL[vendor]
    query = within.format(column=column, query=joint.join(quoted.format(term) for term in terms))
    return sql.format(column=column), [query]
