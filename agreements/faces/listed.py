"""Agreements as rows of lists and entries of feeds show them, made from what is kept of them."""

import datetime
from collections.abc import Iterable
from typing import Any

from ..dates import to_partial_date
from ..exports import PUBLIC, Record, life_of
from ..models import Agreement, Digest, Participation, SearchDocument, search
from ..question import Register
from ..rules.coverage import by_stage
from ..rules.status import status_on

#: What stands in the agreement itself.
_OWN = tuple(name for name in PUBLIC[Agreement] if name not in ("products", "signed_on"))


def listed(register: Register, ids: Iterable[int], day: datetime.date) -> list[Agreement]:
    """These agreements of the register, by their keys and in their order, each with its ``ruling``,
    its ``participants`` and its ``stages`` on ``day``. What left the register meanwhile is left
    out. The rows belonging to them are not read, and cannot be asked for."""
    ids = list(ids)
    records = Digest.objects.records(ids)
    return [_row(register, pk, records[pk], day) for pk in ids if pk in records]


def _row(register: Register, pk: int, record: Record, day: datetime.date) -> Agreement:
    entry = register.entry(pk)
    agreement = Agreement(
        pk=pk,
        signed_on=to_partial_date(record["signed_on"]),
        updated_at=entry.changed,
        **{name: record[name] for name in _OWN},
    )
    shown: Any = agreement
    shown.ruling = status_on(day, *life_of(record))
    shown.participants = [
        Participation(agency=register.agencies[part.agency]) for part in entry.parts if part.on(day)
    ]
    agreement.stages = by_stage(entry.provisions)
    return agreement


def marked(agreements: list[Agreement], text: str) -> list[Agreement]:
    """The agreements, each with the ``terms`` by which ``text`` found it and its ``excerpt``."""
    terms = frozenset(search.query_terms(text))
    documents = SearchDocument.objects.filter(agreement__in=agreements)
    passages = dict(documents.values_list("agreement", "passages")) if terms else {}
    for agreement in agreements:
        found: Any = agreement
        found.terms = terms
        found.excerpt = search.excerpt((passages.get(agreement.pk) or "").split("\n"), terms)
    return agreements
