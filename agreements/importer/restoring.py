"""Gives one record the content of a snapshot, whenever the snapshot was made."""

from typing import Any

from django.db import models
from django.db.models import Model

from ..exports import CHILDREN, PUBLIC
from ..models import Agreement
from .document import Document, shape
from .plan import Planner
from .writing import store_records, store_rows


def restore(agreement: Agreement, data: dict[str, Any]) -> None:
    """Give this agreement the content of a snapshot, staff notes and stored copies included.

    Its addresses, its publication state and its withdrawal stay. A field that the snapshot does
    not know, being newer, is emptied; one that no longer exists is passed over. Raises
    ImportRefused, naming the field, if the snapshot refers to what is gone; call it inside a
    transaction, and record the change afterwards. Reads the agreement anew: save it before.
    """
    row = shape(Agreement, _shaped(Agreement, data) | {"slug": agreement.slug}, "record")
    del row.children["former_slugs"]
    document = Document("", {"agreements": [row]})
    changes = Planner(document, staff=True).run()["agreements"].changed
    store_records(changes, staff=True)
    store_rows(changes, CHILDREN[Agreement])
    Agreement.objects.filter(pk=agreement.pk).update(staff_notes=data.get("staff_notes", ""))
    for source in data.get("sources", ()):
        if source.get("file"):
            agreement.sources.filter(number=source["number"]).update(file=source["file"])
    agreement.refresh_from_db()


def _shaped(model: type[Model], data: dict[str, Any]) -> dict[str, Any]:
    """Exactly the public fields and children of the model, whenever the data were written."""
    shaped: dict[str, Any] = {}
    for name in PUBLIC[model]:
        column: Any = model._meta.get_field(name)
        many = isinstance(column, models.ManyToManyField)
        shaped[name] = data[name] if name in data else [] if many else column.get_default()
    for name, child in CHILDREN.get(model, {}).items():
        shaped[name] = [_shaped(child, item) for item in data.get(name, ())]
    return shaped
