"""The exact inverse of ``exports``: a register document in, rows out.

Everything is read and checked before anything is written, and all is written in one transaction.
A fault is reported with the place it stands in; then nothing is written.
"""

import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import models, transaction
from django.db.models import Model, Q

from .dates import PartialDateField
from .exports import CHILDREN, FORMAT, NATURAL_KEY, PUBLIC, record
from .history import record_change, reindex_agencies, reindex_terms
from .models import Agency, Agreement, CooperationArea, ProductCategory, Source
from .querysets import PublicationState

TABLES: dict[str, type[Model]] = {
    "areas": CooperationArea,
    "products": ProductCategory,
    "agencies": Agency,
    "agreements": Agreement,
}


class ImportRefused(Exception):
    """The document has faults; nothing was written. ``faults`` has a sentence for each."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        super().__init__("\n".join(faults))


@dataclass
class Imported:
    """How many records were added, changed and left as they were."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0


@dataclass
class _Row:
    """One row of the document and the place it stands in."""

    model: type[Model]
    data: dict[str, Any]
    place: str
    children: dict[str, list["_Row"]] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return str(self.data[NATURAL_KEY[self.model]])


def parse(text: str) -> dict[str, Any]:
    """The document in ``text``; raises ImportRefused naming line and column."""
    try:
        document = json.loads(
            text, parse_constant=_refuse_constant, object_pairs_hook=_refuse_repeated
        )
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise ImportRefused([f"{place}: not valid JSON: {error.msg}."]) from error
    except (ValueError, RecursionError) as error:
        raise ImportRefused([f"Not a register document: {error}."]) from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ImportRefused([f'Not a register document: "format" must be "{FORMAT}".'])
    return document


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _refuse_repeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"“{repeated}” is given twice in one object")
    return found


def import_register(
    document: dict[str, Any], *, reason: str, user: Any = None, name: str = ""
) -> Imported:
    """Add or update every record of the document; what it does not name stays.

    New agreements are published. A record that the document repeats unchanged is left untouched.
    Raises ImportRefused with every fault found; then nothing has been written.
    """
    reader = _Reader()
    tables = reader.tables(document)
    if reader.faults:
        raise ImportRefused(reader.faults)
    with transaction.atomic():
        writer = _Writer(reader.faults)
        imported = writer.write(tables)
        if writer.faults:
            # Raised inside the transaction, which rolls back what the checks needed written.
            raise ImportRefused(writer.faults)
        record_change(writer.touched, reason=reason, user=user, name=name)
        reindex_agencies(agency.pk for agency in writer.renamed[Agency])
        reindex_terms(writer.renamed[CooperationArea] + writer.renamed[ProductCategory])
    return imported


#: What a restored record keeps as it is.
_NOT_RESTORED = {"slug", "former_slugs"}


def restore(agreement: Agreement, data: dict[str, Any]) -> None:
    """Give this agreement the content of a snapshot, staff notes and stored copies included.

    Its addresses, its publication state and its withdrawal stay. A field that the snapshot does
    not know, being newer, is emptied; one that no longer exists is passed over. Raises
    ImportRefused, naming the field, if the snapshot refers to what is gone; call it inside a
    transaction, and record the change afterwards.
    """
    reader = _Reader()
    row = reader.row(Agreement, _shaped(Agreement, data) | {"slug": agreement.slug}, "record")
    writer = _Writer(reader.faults)
    if row:
        writer.restore(row, agreement, data)
    if writer.faults:
        raise ImportRefused(writer.faults)


def _shaped(model: type[Model], data: dict[str, Any]) -> dict[str, Any]:
    """Exactly the public fields and children of the model, whenever the data were written."""
    shaped: dict[str, Any] = {}
    for name in PUBLIC[model]:
        column: Any = model._meta.get_field(name)
        many = isinstance(column, models.ManyToManyField)
        shaped[name] = data[name] if name in data else [] if many else column.get_default()
    for name, child in CHILDREN.get(model, {}).items():
        kept = () if name in _NOT_RESTORED else data.get(name, ())
        shaped[name] = [_shaped(child, item) for item in kept]
    return shaped


class _Reader:
    """Checks the document's shape: every key known, every value of the right kind."""

    def __init__(self) -> None:
        self.faults: list[str] = []

    def tables(self, document: dict[str, Any]) -> dict[str, list[_Row]]:
        unknown = sorted(set(document) - set(TABLES) - {"format"})
        self.faults += [f"{name}: there is no such table." for name in unknown]
        return {
            name: self.rows(model, document.get(name, []), name) for name, model in TABLES.items()
        }

    def rows(self, model: type[Model], value: Any, place: str) -> list[_Row]:
        if not isinstance(value, list):
            self.faults.append(f"{place}: must be a list.")
            return []
        rows = [
            row
            for number, item in enumerate(value, start=1)
            if (row := self.row(model, item, f"{place}, row {number}"))
        ]
        if key := NATURAL_KEY.get(model):
            seen: dict[str, str] = {}
            for row in rows:
                if row.key in seen:
                    self.faults.append(
                        f"{row.place}, {key}: “{row.key}” stands already in {seen[row.key]}."
                    )
                seen[row.key] = row.place
        return rows

    def row(self, model: type[Model], item: Any, place: str) -> _Row | None:
        if not isinstance(item, dict):
            self.faults.append(f"{place}: must be an object.")
            return None
        key = NATURAL_KEY.get(model)
        if key and item.get(key) not in (None, ""):
            place += f" ({item[key]})"
        children = CHILDREN.get(model, {})
        expected = {*PUBLIC[model], *children}
        unknown, missing = set(item) - expected, expected - set(item)
        self.faults += [f"{place}, {name}: there is no such field." for name in sorted(unknown)]
        self.faults += [f"{place}, {name}: the field is missing." for name in sorted(missing)]
        if unknown or missing:
            return None
        row = _Row(model, {name: item[name] for name in PUBLIC[model]}, place)
        for name in PUBLIC[model]:
            self.check_kind(row, name)
        for name, child in children.items():
            row.children[name] = self.rows(child, item[name], f"{place}, {name}")
        return row

    def check_kind(self, row: _Row, name: str) -> None:
        """JSON's own kinds first: a number where a text belongs is a fault, not a text."""
        value, column = row.data[name], row.model._meta.get_field(name)
        if isinstance(column, models.ManyToManyField):
            good = isinstance(value, list) and all(isinstance(item, str) for item in value)
            wanted = "a list of codes"
        elif isinstance(column, models.BooleanField):
            good, wanted = isinstance(value, bool), "true or false"
        elif _is_number(column):
            good = value is None and column.null
            good = good or (isinstance(value, int) and not isinstance(value, bool))
            wanted = "a whole number"
        else:
            # Only a text column can be stated to be empty; elsewhere missing is null.
            holds_text = isinstance(column, models.CharField | models.TextField)
            holds_text = holds_text and not isinstance(column, PartialDateField)
            good = _is_text(value) and (value != "" or holds_text)
            good = good or (value is None and column.null)
            wanted = "text" + ("" if holds_text else " that is not empty")
            wanted += ", or null" if column.null else ""
        if not good:
            self.faults.append(f"{row.place}, {name}: must be {wanted}.")
            row.data[name] = None


def _is_text(value: Any) -> bool:
    """Whether this is text that a database can hold: JSON can also spell half a character."""
    if not isinstance(value, str) or "\0" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_number(column: Any) -> bool:
    if isinstance(column, models.ForeignKey):
        column = column.related_model._meta.get_field(NATURAL_KEY[column.related_model])
    return isinstance(column, models.IntegerField)


class _Writer:
    """Writes checked rows and collects the faults that only the models can find.

    Records go first, what belongs to them second: then every reference has its row.
    """

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        self.touched: list[int] = []
        self.renamed: dict[type[Model], list[Any]] = defaultdict(list)
        self.known: dict[type[Model], dict[Any, Any]] = {}

    def write(self, tables: dict[str, list[_Row]]) -> Imported:
        imported = Imported()
        pending: list[tuple[_Row, Any]] = []
        for name, rows in tables.items():
            known = self._load(TABLES[name])
            named = {row.key for row in rows}
            for row in rows:
                instance = known.get(row.key) or self._moved(row, known, named)
                if instance and self._same(row, instance):
                    imported.unchanged += name == "agreements"
                    continue
                if name == "agreements":
                    imported.changed += bool(instance)
                    imported.added += not instance
                elif instance:
                    self.renamed[TABLES[name]].append(instance)
                instance = instance or self._new(row.model)
                self._save(row, instance, skip={"parent"})
                known[row.key] = instance
                pending.append((row, instance))
        # What could not be saved has been reported; its children would only echo that.
        saved = [(row, instance) for row, instance in pending if instance.pk]
        # All old rows go before any new one comes: a relation may have been turned round.
        kept = [self._clear(row, instance) for row, instance in saved]
        for (row, instance), copies in zip(saved, kept, strict=True):
            self._complete(row, instance, copies)
        return imported

    def restore(self, row: _Row, agreement: Agreement, data: dict[str, Any]) -> None:
        """Write one record, checked by shape, over an agreement that exists."""
        for model in (CooperationArea, ProductCategory, Agency):
            self._load(model)
        slugs = [relation.data["target"] for relation in row.children["relations"]]
        self.known[Agreement] = {a.slug: a for a in Agreement.objects.filter(slug__in=slugs)}
        self._save(row, agreement, skip={"slug"})
        agreement.staff_notes = data.get("staff_notes", "")
        agreement.save(update_fields=["staff_notes"])
        copies = {_identity(source): source for source in agreement.sources.all()}
        row.children.pop("former_slugs")
        for name in row.children:
            getattr(agreement, name).all().delete()
        self._complete(row, agreement, copies)
        for source in data.get("sources", ()):
            if source.get("file") and (own := self.known[Source].get(source["number"])):
                Source.objects.filter(pk=own.pk).update(file=source["file"])

    def _load(self, model: type[Model]) -> dict[Any, Any]:
        queryset = model._default_manager.all()
        if model is Agreement:
            queryset = Agreement.objects.with_related()
        elif model is Agency:
            queryset = queryset.select_related("parent").prefetch_related("names")
        self.known[model] = {getattr(row, NATURAL_KEY[model]): row for row in queryset}
        return self.known[model]

    @staticmethod
    def _moved(row: _Row, known: dict[Any, Any], named: set[str]) -> Any:
        """The record that stands here at an address the document knows as a former one."""
        left = {str(child.data["slug"]) for child in row.children.get("former_slugs", ())}
        return next((known[slug] for slug in sorted(left - named) if slug in known), None)

    @staticmethod
    def _new(model: type[Model]) -> Any:
        return Agreement(state=PublicationState.PUBLISHED) if model is Agreement else model()

    @staticmethod
    def _same(row: _Row, instance: Model) -> bool:
        children = {name: [child.data for child in rows] for name, rows in row.children.items()}
        return row.data | children == record(instance)

    @staticmethod
    def _clear(row: _Row, instance: Any) -> dict[Any, Any]:
        """Delete the rows of a record that the document replaces.

        What no document can say stays: relations to records that are not public, and, returned by
        what identifies a source, its stored copy and the last check of its address.
        """
        copies: dict[Any, Any] = {}
        for name in row.children:
            rows = getattr(instance, name).all()
            if name == "sources":
                copies = {_identity(source): source for source in rows}
            if name == "relations":
                rows = rows.filter(Q(target=None) | Q(target__in=Agreement.objects.register()))
            rows.delete()
        return copies

    def _complete(self, row: _Row, instance: Any, copies: dict[Any, Any]) -> None:
        """Second pass over one record: its parent, and everything that belongs to it, afresh."""
        if isinstance(instance, Agreement):
            self.touched.append(instance.pk)
        if isinstance(instance, Agency) and (row.data["parent"] or instance.parent_id):
            self._save(row, instance, skip=set())
        self.known[Source] = {}
        for name, rows in row.children.items():
            relation: Any = row.model._meta.get_field(name)
            for child_row in rows:
                child = child_row.model(**{relation.field.name: instance})
                if isinstance(child, Source):
                    self._carry_over(child, copies.get(_identity_of(child_row)))
                self._save(child_row, child, skip=set())
                if isinstance(child, Source) and child.pk:
                    self.known[Source][child.number] = child

    @staticmethod
    def _carry_over(source: Source, old: Source | None) -> None:
        if old:
            source.file = old.file
            source.checked_at, source.check_result = old.checked_at, old.check_result
            source.reachable = old.reachable

    def _save(self, row: _Row, instance: Any, skip: set[str]) -> None:
        """Assign, check and store one row; its faults are reported by field."""
        many: dict[str, list[Model]] = {}
        found = len(self.faults)
        for name, value in row.data.items():
            column: Any = row.model._meta.get_field(name)
            if name in skip:
                continue
            if isinstance(column, models.ManyToManyField):
                rows = [self._reference(row, name, column, code) for code in value]
                many[name] = [item for item in rows if item]
            elif isinstance(column, models.ForeignKey):
                target = None if value is None else self._reference(row, name, column, value)
                setattr(instance, name, target)
            else:
                setattr(instance, name, value)
        if len(self.faults) > found:
            return
        references = {f.name for f in row.model._meta.fields if isinstance(f, models.ForeignKey)}
        try:
            with transaction.atomic():
                # References were resolved above; looking each up again would only be slow.
                instance.full_clean(exclude=references | skip, validate_constraints=False)
                instance.validate_constraints()
                instance.save()
        except ValidationError as error:
            for name, messages in error.message_dict.items():
                where = row.place if name == NON_FIELD_ERRORS else f"{row.place}, {name}"
                self.faults += [f"{where}: {message}" for message in messages]
            return
        for name, rows in many.items():
            getattr(instance, name).set(rows)

    def _reference(self, row: _Row, name: str, column: Any, key: Any) -> Any:
        target = self.known[column.related_model].get(key)
        if target is None:
            noun = column.related_model._meta.verbose_name
            self.faults.append(f"{row.place}, {name}: there is no {noun} “{key}”.")
        return target


def _identity(source: Source) -> tuple[str, str, str]:
    return source.publisher, source.title, source.url


def _identity_of(row: _Row) -> tuple[Any, Any, Any]:
    return row.data["publisher"], row.data["title"], row.data["url"]
