"""Gives one record the content of a snapshot, whenever the snapshot was made."""

from collections.abc import Collection
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import models, transaction
from django.db.models import Model

from ..exports import CHILDREN, NATURAL_KEY, PUBLIC
from ..models import Agency, Agreement, CooperationArea, ProductCategory, Source
from .document import ImportRefused, Row, shape
from .plan import copy_of, give_copy, identity

#: What a restored record keeps as it is.
_NOT_RESTORED = {"slug", "former_slugs"}


def restore(agreement: Agreement, data: dict[str, Any]) -> None:
    """Give this agreement the content of a snapshot, staff notes and stored copies included.

    Its addresses, its publication state and its withdrawal stay. A field that the snapshot does
    not know, being newer, is emptied; one that no longer exists is passed over. Raises
    ImportRefused, naming the field, if the snapshot refers to what is gone; call it inside a
    transaction, and record the change afterwards.
    """
    row = shape(Agreement, _shaped(Agreement, data) | {"slug": agreement.slug}, "record")
    writer = _Restorer(row)
    writer.write(agreement, data)
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


class _Restorer:
    """Writes one record, checked by shape, over an agreement that exists; collects the faults that
    only the models can find."""

    def __init__(self, row: Row) -> None:
        self.row = row
        self.faults: list[str] = []
        targets = [(child.data or {})["target"] for child in row.children["relations"]]
        found: dict[type[Model], Any] = {
            model: model._default_manager.all()
            for model in (CooperationArea, ProductCategory, Agency)
        }
        found[Agreement] = Agreement.objects.filter(slug__in=targets)
        self.known: dict[type[Model], dict[Any, Any]] = {
            model: {getattr(each, NATURAL_KEY[model]): each for each in rows}
            for model, rows in found.items()
        }

    def write(self, agreement: Agreement, data: dict[str, Any]) -> None:
        self.save(self.row, agreement, skip={"slug"})
        agreement.staff_notes = data.get("staff_notes", "")
        agreement.save(update_fields=["staff_notes"])
        copies = {identity(source): copy_of(source) for source in agreement.sources.all()}
        children = {
            name: rows for name, rows in self.row.children.items() if name not in _NOT_RESTORED
        }
        for name in children:
            getattr(agreement, name).all().delete()
        self.known[Source] = {}
        for name, rows in children.items():
            relation: Any = Agreement._meta.get_field(name)
            for child in rows:
                instance = child.model(**{relation.field.name: agreement})
                if isinstance(instance, Source) and child.data:
                    values = child.data["publisher"], child.data["title"], child.data["url"]
                    give_copy(instance, copies.get(values))
                self.save(child, instance)
                if isinstance(instance, Source) and instance.pk:
                    self.known[Source][instance.number] = instance
        for source in data.get("sources", ()):
            if source.get("file") and (own := self.known[Source].get(source["number"])):
                Source.objects.filter(pk=own.pk).update(file=source["file"])

    def save(self, row: Row, instance: Any, skip: Collection[str] = ()) -> None:
        """Assign, check and store one row; its faults are reported by field."""
        many: dict[str, list[Model]] = {}
        found = len(self.faults)
        for name, value in (row.data or {}).items():
            column: Any = row.model._meta.get_field(name)
            if name in skip:
                continue
            if isinstance(column, models.ManyToManyField):
                targets = [self.reference(row, name, column, code) for code in value]
                many[name] = [target for target in targets if target]
            elif isinstance(column, models.ForeignKey):
                target = None if value is None else self.reference(row, name, column, value)
                setattr(instance, name, target)
            else:
                setattr(instance, name, value)
        if len(self.faults) > found:
            return
        references = {f.name for f in row.model._meta.fields if isinstance(f, models.ForeignKey)}
        try:
            with transaction.atomic():
                # References were resolved above; looking each up again would only be slow.
                instance.full_clean(exclude=references, validate_constraints=False)
                instance.validate_constraints()
                instance.save()
        except ValidationError as error:
            for name, messages in error.message_dict.items():
                where = row.place if name == NON_FIELD_ERRORS else row.at(name)
                self.faults += [f"{where}: {message}" for message in messages]
            return
        for name, targets in many.items():
            getattr(instance, name).set(targets)

    def reference(self, row: Row, name: str, column: Any, key: Any) -> Any:
        target = self.known[column.related_model].get(key)
        if target is None:
            noun = column.related_model._meta.verbose_name
            self.faults.append(f"{row.at(name)}: there is no {noun} “{key}”.")
        return target
