"""Every public address, and records that must not be found at any of them."""

import io
import zipfile

from django.urls import URLPattern, URLResolver, get_resolver, reverse

from agreements.models import (
    Agreement,
    Evidence,
    Milestone,
    Outcome,
    Participation,
    Relation,
    Signatory,
)
from agreements.models.columns import Line, Prose
from agreements.record.after_change import record_change
from agreements.urls import urlpatterns
from tests import make

CANARY = "Kanarienvogel"


def fill(model, **given):
    """A row with the canary in every text it can hold."""
    for field in model._meta.fields:
        free_text = isinstance(field, Line | Prose) and not field.unique
        if free_text and field.name not in given:
            given[field.name] = CANARY
    return model.objects.create(**given)


def hidden_record(state):
    """A record that the public may not see, tied to public records in every way it can be."""
    slug = f"{CANARY.lower()}-{state.replace('_', '-')}"
    agency = make.agency(name=f"{CANARY} Agency", acronym=CANARY)
    agreement = fill(
        Agreement,
        slug=slug,
        instrument_type="moc",
        state=state,
        signed_on="2026-05-05",
        withdrawal_kind="published_in_error",
    )
    agreement.former_slugs.create(slug=f"former-{slug}")
    source = make.source(agreement, title=CANARY, url=f"https://example.org/{CANARY}")
    Participation.objects.create(agreement=agreement, agency=agency, note=CANARY)
    fill(Signatory, agreement=agreement, capacity="signed")
    make.provision(agreement, statement=CANARY, condition=CANARY, source=source)
    fill(Milestone, agreement=agreement, kind="announced", date="2026-05-06")
    fill(Outcome, agreement=agreement)
    fill(Evidence, agreement=agreement, topic="notes")
    public = Agreement.objects.get(slug="jsepa-2002")
    Relation.objects.create(agreement=agreement, kind="builds_on", target=public, note=CANARY)
    Relation.objects.create(agreement=public, kind="part_of", target=agreement)
    record_change([agreement.pk, public.pk], reason=CANARY, name=CANARY)
    return agreement, agency


def public_paths(resolver=None, prefix="/"):
    """Every public pattern of the urlconf, with the arguments it takes."""
    for entry in (resolver or get_resolver()).url_patterns:
        if isinstance(entry, URLResolver):
            if not str(entry.pattern).startswith("admin"):
                yield from public_paths(entry, prefix + str(entry.pattern))
        elif not str(entry.pattern).startswith("admin"):
            assert isinstance(entry, URLPattern)
            yield prefix + str(entry.pattern), list(entry.pattern.converters)


def unpacked(content):
    """An answer as text, whatever is packed in it included."""
    if not content.startswith(b"PK"):
        return content.decode()
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        return "".join(packed.read(name).decode() for name in packed.namelist())


def reversed_routes(**arguments):
    """The address of every public route, with these arguments where it takes any."""
    for route in urlpatterns:
        yield reverse(route.name, kwargs={n: arguments[n] for n in route.pattern.converters})
