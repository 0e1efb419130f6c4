"""Rows of the register as plain values, some hundred at a time and without model instances."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Any

from django.db.models import Exists, Model, OuterRef, Q, QuerySet

from ..models import Agreement, Relation
from ..models.querysets import Among
from .records import CHILDREN, NATURAL_KEY, PUBLIC, SPELLED, STAFF, Record, as_snapshot, plain

#: No column: the address of the record that a working copy revises.
_REVISED = "revises__slug"


def rows_of(
    noun: type[Model], fields: Sequence[str], found: QuerySet[Any], owner: str = "pk"
) -> Iterator[tuple[int, list[Any]]]:
    """The values of these fields (``records.plain``) in the rows ``found``, in their order; before
    them what stands in the column ``owner``. Instead of a field, a path to a column will do."""
    lists = [place for place, name in enumerate(fields) if _is_list(noun, name)]
    paths = [_path(noun, name) for place, name in enumerate(fields) if place not in lists]
    rows = list(found.values_list("pk", owner, *paths))
    if not rows:
        return
    ids = [row[0] for row in rows]
    listed = [(place, _listed(noun, fields[place], ids)) for place in lists]
    for pk, owned_by, *told in rows:
        values = list(map(plain, told))
        for place, words in listed:
            values.insert(place, [code for *_, code in words.get(pk, ())])
        yield owned_by, values


def _is_list(noun: type[Model], name: str) -> bool:
    return "__" not in name and noun._meta.get_field(name).many_to_many is True


def _path(noun: type[Model], name: str) -> str:
    field: Any = None if "__" in name else noun._meta.get_field(name)
    # A reference is told by the key of what it refers to.
    return f"{name}__{NATURAL_KEY[field.related_model]}" if field and field.is_relation else name


def owned(noun: type[Model], agreements: Iterable[int], *, staff: bool = False) -> QuerySet[Any]:
    """The rows of ``noun`` that belong to these agreements, in the order they have within each;
    only ``staff`` are given relations to records that the public may not see."""
    # The default order would first sort by the agreement.
    ordering = [each for each in noun._meta.ordering or () if each != "agreement"]
    found = noun._default_manager.order_by(*ordering).filter(Among("agreement", agreements))
    if noun is Relation and not staff:
        public = Agreement.objects.register().filter(pk=OuterRef("target"))
        found = found.filter(Q(target=None) | Exists(public))
    return found


def grouped(rows: Iterable[Any]) -> dict[int, list[Any]]:
    """The rows by what stands first in each."""
    groups: dict[int, list[Any]] = defaultdict(list)
    for row in rows:
        groups[row[0]].append(row)
    return groups


def recorded(agreements: Sequence[int], *, staff: bool = True) -> dict[int, Record]:
    """The whole records of these agreements as revisions keep them (``records.record`` for staff),
    by their keys; without ``staff`` what every document says of them. A working copy goes by the
    address of the record that it revises."""

    def told(noun: type[Model]) -> tuple[str, ...]:
        return PUBLIC[noun] + (STAFF.get(noun, ()) if staff else ())

    found = Agreement.objects.filter(Among("pk", agreements)).order_by("pk")
    whole: dict[int, Record] = {}
    fields = told(Agreement)
    for pk, (*values, revised) in rows_of(Agreement, (*fields, _REVISED), found):
        whole[pk] = dict(zip(fields, values, strict=True))
        if revised:
            whole[pk]["slug"] = revised
    for name, noun in CHILDREN[Agreement].items():
        fields = told(noun)
        rows = grouped(rows_of(noun, fields, owned(noun, whole, staff=staff), "agreement"))
        for pk, record in whole.items():
            record[name] = [
                dict(zip(fields, values, strict=True)) for _, values in rows.get(pk, ())
            ]
            if spelled := SPELLED.get(name):
                record[name].sort(key=itemgetter(spelled))
    return whole


def snapshot(agreement: Agreement) -> str:
    """The whole record, as it is stored, as the JSON text a revision keeps."""
    return as_snapshot(recorded([agreement.pk])[agreement.pk])


def _listed(noun: type[Model], name: str, ids: Sequence[int]) -> dict[int, list[Any]]:
    """The words of a vocabulary that each row names, in the order of the vocabulary: position,
    name, code."""
    field: Any = noun._meta.get_field(name)
    owner, word = field.m2m_field_name(), field.m2m_reverse_field_name()
    links = field.remote_field.through._default_manager.filter(Among(owner, ids))
    columns = (f"{word}__{column}" for column in ("position", "name", "code"))
    # Sorted here: databases differ in the order of names.
    return grouped(sorted(links.values_list(owner, *columns), key=itemgetter(1, 2)))
