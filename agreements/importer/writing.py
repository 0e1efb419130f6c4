"""Writes what was planned, many rows at once."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.db.models import Model, Q

from ..exports import CHILDREN, PUBLIC, STAFF, plain_value
from ..models import Agency, Agreement, Source
from ..record.after_change import Written, record_change, record_written
from ..record.derive import reindex_agencies, reindex_terms
from .plan import Change, Progress, TablePlan

_CHUNK = 500


def write(
    tables: dict[str, TablePlan],
    *,
    reason: str,
    user: Any,
    name: str,
    progress: Progress | None,
) -> None:
    """Write every change and one revision for each changed agreement. Call it in a transaction."""
    first = not Agreement.objects.exists()
    # A register that an operator loads whole is the register as it was, checks included.
    if user or not first:
        _mark_unchecked(tables["agreements"].changes, reason, user)
    for table in ("areas", "products"):
        _store(change.instance for change in tables[table].changes)
    _agencies(tables["agencies"])
    changes = tables["agreements"].changes
    store_records(changes)
    for start in range(0, len(changes), _CHUNK):
        chunk = changes[start : start + _CHUNK]
        store_rows(chunk, CHILDREN[Agreement])
        _remember(chunk, reason, user, name, dated=first)
        for change in chunk:
            # What is written would only take room.
            change.rows, change.lists = {}, []
        if progress:
            progress(start + len(chunk), len(changes))
    if renamed := tables["agencies"].changed:
        reindex_agencies(change.instance.pk for change in renamed)
    terms = (tables["areas"], tables["products"])
    if any(table.changes for table in terms):
        # Whatever names a new one was written just now.
        reindex_terms([change.instance for table in terms for change in table.changed])


def _mark_unchecked(changes: list[Change], reason: str, user: Any) -> None:
    """What the public sees or saw now says something that no second person has checked."""
    for change in changes:
        if change.instance.first_published_at:
            change.instance.unchecked_because = reason
            change.instance.published_by = user


def _store(instances: Iterable[Any]) -> None:
    """Insert what is new and update what is known, one model at a time."""
    new: dict[type[Model], list[Any]] = defaultdict(list)
    known: dict[type[Model], list[Any]] = defaultdict(list)
    for instance in instances:
        (known if instance.pk else new)[type(instance)].append(instance)
    for model, rows in new.items():
        model._default_manager.bulk_create(rows)
    for model, rows in known.items():
        fields: Iterable[Any] = model._meta.concrete_fields
        model._default_manager.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["id"],
            # What is set when a row is made keeps saying when that was.
            update_fields=[
                f.name
                for f in fields
                if not f.primary_key and not getattr(f, "auto_now_add", False)
            ],
        )


def _agencies(table: TablePlan) -> None:
    # A new agency's parent, if it is new too, must have its number first.
    waiting = [change.instance for change in table.added]
    while waiting:
        ready = [agency for agency in waiting if agency.parent is None or agency.parent.pk]
        _store(ready)
        waiting = [agency for agency in waiting if not agency.pk]
    for change in table.changed:
        # The number of a new parent came after the parent was set.
        change.instance.parent = change.instance.parent
    _store(change.instance for change in table.changed)
    for change in table.changed:
        if "names" in change.rows:
            change.instance.names.all().delete()
    store_rows(table.changes, CHILDREN[Agency])


def store_records(changes: list[Change], *, staff: bool = False) -> None:
    """Delete the rows of these agreements that others replace, and store the agreements."""
    for change in changes:
        if not change.new:
            _clear(change, staff)
    _store(change.instance for change in changes)


def _clear(change: Change, staff: bool) -> None:
    """What no document but one for ``staff`` can say stays: relations to records that are not
    public."""
    for name, rows in change.rows.items():
        stored = getattr(change.instance, name).all()
        if name == "relations" and not staff:
            stored = stored.filter(Q(target=None) | Q(target__in=Agreement.objects.register()))
        if name == "sources":
            # Those that stay are updated, so that whatever refers to them still does.
            stored = stored.exclude(pk__in=[source.pk for source in rows if source.pk])
        stored.delete()


def store_rows(changes: list[Change], relations: Iterable[str]) -> None:
    """Store what belongs to these records, sources first: the others refer to them."""
    for name in relations:
        _store(row for change in changes for row in change.rows.get(name, ()))
    lists: dict[Any, list[tuple[Any, list[Any]]]] = defaultdict(list)
    for change in changes:
        for owner, name, terms in change.lists:
            lists[type(owner)._meta.get_field(name)].append((owner, terms))
    for field, held in lists.items():
        _store_list(field, held)


def _store_list(field: Any, held: list[tuple[Any, list[Any]]]) -> None:
    through = field.remote_field.through._default_manager
    owner_id, term_id = field.m2m_column_name(), field.m2m_reverse_name()
    known = [owner.pk for owner, _ in held]
    through.filter(**{f"{owner_id}__in": known}).delete()
    through.bulk_create(
        through.model(**{owner_id: owner.pk, term_id: term.pk})
        for owner, terms in held
        for term in terms
    )


def _remember(changes: list[Change], reason: str, user: Any, name: str, *, dated: bool) -> None:
    """One revision for each, and its search terms."""
    whole = [change for change in changes if not _says_less(change)]
    written = [Written(each.instance.pk, _as_recorded(each), each.new) for each in whole]
    record_written(written, reason=reason, user=user, name=name, dated=dated)
    others = [change.instance.pk for change in changes if _says_less(change)]
    record_change(others, reason=reason, user=user, name=name)


def _says_less(change: Change) -> bool:
    """Whether the record has relations that the document cannot know."""
    return not change.new and any(
        relation.target is not None and not relation.target.public
        for relation in change.instance.relations.all()
    )


def _as_recorded(change: Change) -> dict[str, Any]:
    """``records.record`` with the staff fields, without reading back what was just written."""
    after, agreement = change.after, change.instance
    sources = change.rows.get("sources", agreement.sources.all() if not change.new else ())
    files = {
        source.number: {n: plain_value(source, n) for n in STAFF[Source]} for source in sources
    }
    return (
        {name: after[name] for name in PUBLIC[Agreement]}
        | {name: plain_value(agreement, name) for name in STAFF[Agreement]}
        | {name: after[name] for name in CHILDREN[Agreement]}
        | {"sources": [row | files[row["number"]] for row in after["sources"]]}
    )
