"""Which agreements answer a question: the pure rules, applied to one record after another.

The engine in memory is held against this. Nothing here is fast, and nothing is kept.
"""

from itertools import combinations

from agreements.models import Agreement, SearchDocument
from agreements.models.search import query_terms
from agreements.question import AgreementFilterSet
from agreements.question.kinds import Coded
from agreements.rules.coverage import Asked, between
from agreements.rules.jurisdictions import EU, eu_members


def answer(question):
    """The keys of the agreements that answer a right question of the list, in order."""
    asked = question.form.cleaned_data
    documents = SearchDocument.objects.in_bulk()
    found = [
        agreement
        for agreement in Agreement.objects.register().with_related()
        if all(_conditions(agreement, documents[agreement.pk], asked, question.day))
    ]
    order = asked["sort"] or ("in order of change" if asked["updated_since"] else "newest")
    found.sort(key=lambda agreement: (ORDERS[order](agreement), agreement.slug))
    if asked["q"] and not asked["sort"] and not asked["updated_since"]:
        found.sort(key=lambda each: not _holds(documents[each.pk].title_terms, asked["q"]))
    return [agreement.pk for agreement in found]


def _signed(agreement):
    return agreement.signed_on.earliest.toordinal() if agreement.signed_on else 0


ORDERS = {
    "newest": lambda agreement: (not agreement.signed_on, -_signed(agreement)),
    "oldest": lambda agreement: (not agreement.signed_on, _signed(agreement)),
    "changed": lambda agreement: -agreement.updated_at.timestamp(),
    "in order of change": lambda agreement: agreement.updated_at,
}


def _holds(terms, text):
    words = query_terms(text)
    return bool(words) and set(words) <= set(terms.split())


def _conditions(agreement, document, asked, day):
    """Whether it meets each filter that is asked."""
    parts = list(agreement.participations.all())
    present = {part.agency_id for part in parts if part.takes_part_on(day)}
    if asked["as_of"]:
        parts = [part for part in parts if part.takes_part_on(asked["as_of"])]
        dates = [agreement.signed_on, *(each.date for each in agreement.milestones.all())]
        yield any(date.earliest <= asked["as_of"] for date in dates if date)
    if asked["q"]:
        yield _holds(document.all_terms, asked["q"])
    if asked["participant"]:
        wanted, keys = set(asked["participant"]), {part.agency.key for part in parts}
        yield wanted <= keys if asked["participant_match"] else bool(wanted & keys)
    if asked["country"]:
        wanted = set(asked["country"])
        if asked["eu_members"] and EU in wanted:
            wanted |= eu_members(day)
        yield any(part.agency.jurisdiction.code in wanted for part in parts)
    provisions = list(agreement.provisions.all())
    sides = [_agencies_of(side, agreement) for side in dict.fromkeys(asked["between"])]
    if sides:
        yield all(present & side for side in sides)
        provisions = [each for each in provisions if _reaches_between(each, sides)]
    if asked["stage_stated"]:
        yield not any(provision.stage for provision in provisions)
    names = ("stage", "depth", "commitment", "product")
    if any(asked[name] for name in names):
        scope = frozenset(product.code for product in agreement.products.all())
        reached = Asked(**{name: frozenset(asked[name]) for name in names})
        yield reached.admits(scope, provisions)
    for name, declared in AgreementFilterSet.base_filters.items():
        if isinstance(declared, Coded) and asked[name]:
            yield getattr(agreement, declared.field_of_agreement) in asked[name]
    if asked["status"]:
        yield agreement.ruling_on(day).status in asked["status"]
    signed = agreement.signed_on
    if asked["signed_after"]:
        yield bool(signed and signed.earliest >= asked["signed_after"].earliest)
    if asked["signed_before"]:
        yield bool(signed and signed.latest <= asked["signed_before"].latest)
    if asked["updated_since"]:
        yield agreement.updated_at >= asked["updated_since"]


def _agencies_of(side, agreement):
    """The agencies of a side, an agency or a country, that the agreement names."""
    named = [part.agency for part in agreement.participations.all()]
    for provision in agreement.provisions.all():
        named += filter(None, (provision.relying, provision.reference))
    return {agency.pk for agency in named if side in (agency.key, agency.jurisdiction.code)}


def _reaches_between(provision, sides):
    if len(sides) == 1:
        return provision.one_way is None or not sides[0].isdisjoint(provision.one_way)
    return any(between(provision, one, two) for one, two in combinations(sides, 2))
