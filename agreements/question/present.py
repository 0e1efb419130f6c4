"""The register of the present edition, read once by each process.

Whatever else a question reads, it begins here: nobody answers from an old edition.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

from django.db import connection

from moctracker.collector import uncollected

from ..models import Agreement, Digest, Edition
from ..models.querysets import AgreementQuerySet
from .entry import OPENING, Entry
from .register import Register, Words

#: A snapshot with so many dead slots is built anew.
_MOST_DEAD = 1000
#: So many entries are read at a time.
_SEVERAL = 5000

_lock = threading.Lock()
_current: Register | None = None


def current() -> Register:
    """The register of the present edition, read if need be."""
    global _current
    edition = Edition.current()
    known = _current
    if known is None or known.edition != edition:
        with _lock:
            known = _current
            if known is None or known.edition != edition:
                known = _current = _read(known)
    return known


def _read(known: Register | None) -> Register:
    """The register as it stands, from the last one that was ``known``."""
    # What this transaction has written may never be committed: nothing is built upon it.
    for_good = not connection.in_atomic_block
    with _one_state(), uncollected():
        serial = Edition.present_serial()
        # A lower serial: of another database, which was put in the place of this one.
        follows = known and for_good and known.for_good and known.serial <= serial
        if known is None or not follows or known.dead > max(_MOST_DEAD, len(known) // 10):
            known = Register()
        since = Digest.objects.filter(serial__gt=known.serial).values_list("pk", flat=True)
        entries = _entries(Agreement.objects.register().filter(pk__in=since))
        # Not all at once: their terms take more memory than what is made of them.
        batches = iter(lambda: list(islice(entries, _SEVERAL)), [])
        return known.changed(Edition.current(), serial, since, batches, for_good=for_good)


def _entries(agreements: AgreementQuerySet) -> Iterator[tuple[Entry, Words]]:
    """The entries of these agreements, with their terms."""
    terms = ("search_document__title_terms", "search_document__all_terms")
    # Of another form: not derived yet by this version of the program.
    rows = agreements.filter(digest__entry__startswith=OPENING).order_by()
    columns = ("pk", "slug", "updated_at", "digest__entry", *terms)
    for pk, slug, changed, text, *words in rows.values_list(*columns).iterator(chunk_size=2000):
        yield Entry.read(pk, slug, changed, text), Words(*(each or "" for each in words))


#: SQLite's own beginning would wait for whoever writes (``transaction_mode`` in the settings).
_BEGIN = {"sqlite": "BEGIN", "postgresql": "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"}


@contextmanager
def _one_state() -> Iterator[None]:
    """All that is read within is of one state of the database."""
    if connection.in_atomic_block:
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute(_BEGIN[connection.vendor])
        try:
            yield
        finally:
            cursor.execute("COMMIT")
