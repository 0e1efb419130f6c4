"""Made-up rows for tests. No agency or agreement here is real."""

import dataclasses
from itertools import count

from django.contrib import admin

from agreements.importer import plan
from agreements.importer.document import from_json
from agreements.models import (
    Agency,
    Agreement,
    CooperationArea,
    Digest,
    Milestone,
    Participation,
    ProductCategory,
    Provision,
    SearchDocument,
    Source,
    Standing,
)
from agreements.models.querysets import PublicationState
from agreements.record.derive import derive
from agreements.record.oddities import Told

_number = count(1)

#: Texts that a careless writer or reader of a table would change.
AWKWARD = [
    "quotes \" and ' and “these”",
    "two\nlines\r\nand three",
    '=HYPERLINK("x")',
    "+1",
    "-1",
    "@x",
    "'already",
    "\tTab",
    "厚生労働省",
    "مذكرة\u200f تفاهم",
    "🧪 e\u0301",
    " spaces ",
]


def agency(**fields):
    n = next(_number)
    defaults = {"key": f"made-up-{n}", "name": f"Made-up Agency {n}", "kind": "regulator"}
    return Agency.objects.create(**defaults | fields)


def agreement(*, milestones=(), provisions=(), participants=(), **fields):
    """A published agreement with its rows; milestones are (kind, date) or (kind, date, until)."""
    n = next(_number)
    defaults = {
        "slug": f"made-up-{n}",
        "title": f"Made-up agreement {n}",
        "instrument_type": "moc",
        "state": PublicationState.PUBLISHED,
    }
    made = Agreement.objects.create(**defaults | fields)
    for kind, date, *until in milestones:
        Milestone.objects.create(
            agreement=made, kind=kind, date=date, until=until[0] if until else None
        )
    for provision_fields in provisions:
        provision(made, **provision_fields)
    for position, party in enumerate(participants, start=1):
        Participation.objects.create(agreement=made, agency=party, position=position)
    derived(made)
    return made


def derived(*agreements):
    """Derive anew everything that follows from agreements whose rows a test wrote itself."""
    derive([agreement.pk for agreement in agreements])


def underived(*agreements):
    """Make it as if nothing had been derived of them yet."""
    for read_model in (Digest, SearchDocument, Standing):
        read_model.objects.filter(agreement__in=agreements).delete()


def provision(agreement, area="gmp-inspection-reliance", products=(), **fields):
    defaults = {"depth": "reliance", "commitment": "agreed", "statement": "Made up."}
    row = Provision.objects.create(
        agreement=agreement, area=CooperationArea.objects.get(code=area), **defaults | fields
    )
    row.products.set(ProductCategory.objects.filter(code__in=products))
    derived(agreement)
    return row


def source(agreement, number=1, **fields):
    return Source.objects.create(
        agreement=agreement, number=number, **{"publisher": "Made-up publisher"} | fields
    )


def told(agreement):
    """A record as it is stored, for the rules of what is odd."""
    names = [each.name for each in dataclasses.fields(Told) if each.name != "agreement"]
    return Told(agreement, **{n: [("", row) for row in getattr(agreement, n).all()] for n in names})


def import_register(document, *, reason, name="", user=None):
    """Import a document, or a register document as JSON has it."""
    if isinstance(document, dict):
        document = from_json(document)
    return plan(document).apply(reason=reason, name=name, user=user)


def version(instance):
    """What the desk's form of this row, opened now, would say it shows."""
    row = type(instance)._default_manager.get(pk=instance.pk)
    return admin.site.get_model_admin(type(instance)).version_of(row)
