"""What stands between an agency or a country and its partners, and between two agencies."""

import datetime
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from ..exports import partner_row, partners_csv
from ..faces.answers import face
from ..faces.asked import Refusal, day_asked
from ..models import Agency, Agreement, Provision, RelationKind
from ..question import CoverageFilterSet, Register, current
from ..rules.coverage import Stage, between, reaches
from ..rules.pairs import answers, pair
from ..rules.partners import Partner, PartnerCell, partners
from ..rules.status import STANDING
from .comparison import Comparison, comparable, comparison

#: How many agencies the page shows before one is chosen.
OVERVIEW = 12


class Line(NamedTuple):
    """One row of a table of coverage. ``query`` narrows the list of agreements to those counted
    anywhere in the row; ``url`` is the page that says more, if there is one."""

    partner: Partner
    agency: Agency
    by_country: bool
    query: str
    url: str = ""
    partners: int = 0

    @property
    def name(self) -> str:
        """The partner's name: the agency's, or its country's."""
        return str(self.agency.jurisdiction.name if self.by_country else self.agency)

    @property
    def short_name(self) -> str:
        """The country, or the agency's acronym if it has one."""
        return self.name if self.by_country else self.agency.short_name

    @property
    def long_name(self) -> str:
        """The agency's full name where an acronym stands before it."""
        return "" if self.by_country or not self.agency.acronym else self.agency.name

    @property
    def place(self) -> str:
        """The country of an agency; empty for a country and for an international body."""
        return "" if self.by_country else str(self.agency.jurisdiction.name or "")

    @property
    def cells(self) -> Iterator[tuple[Stage, PartnerCell]]:
        """Each stage and what stands there."""
        return zip(Stage, self.partner.cells, strict=True)


@require_safe
def coverage(request: HttpRequest) -> HttpResponse:
    """The partners of an agency or a country, with what stands at each stage; before one is
    chosen, the agencies with the most partners."""
    question = CoverageFilterSet(request.GET, Agreement.objects.register())
    context: dict[str, Any] = {"question": question, "form": question.form}
    if problems := question.problems:
        told = context | {"problems": problems}
        return render(request, "agreements/coverage/coverage_problem.html", told, status=400)
    context |= {"as_of": question.past_day, "stages": Stage, "applied": list(question.applied())}
    if not question.subject:
        context["lines"] = _overview(question)
        return render(request, "agreements/coverage/coverage_overview.html", context)
    context |= _table(question)
    return render(request, "agreements/coverage/coverage_table.html", context)


@face
def coverage_csv(request: HttpRequest) -> HttpResponse:
    """The same table under the same query string."""
    question = CoverageFilterSet(request.GET, Agreement.objects.register())
    problems = question.problems
    if not problems and not question.subject:
        problems = {"agency": ["Choose an agency, or a country."]}
    if problems:
        raise Refusal(problems)
    rows = (
        partner_row(line.partner)
        | {
            "subject": question.subject,
            "status_day": question.day,
            "partner_name": line.name,
            "partner_jurisdiction": line.agency.jurisdiction.code or "",
        }
        for line in _table(question)["lines"]
    )
    name = f"coverage-{question.subject}-{question.day:%Y-%m-%d}.csv"
    return HttpResponse(
        partners_csv(rows),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _table(question: CoverageFilterSet) -> dict[str, Any]:
    """The rows for the subject of the question, and the agreements that have no partner."""
    instruments = question.instruments([question.subject])
    agencies = question.register.agencies
    home_of = question.register.home_of
    subject = question.register.members(question.subject)
    homes = {home_of(key) for key in subject} - {""}
    side_of = {
        key: question.side_of(agencies[key])
        for key in sorted({member for each in instruments for member in each.members} - subject)
        if home_of(key) not in homes
    }
    named = {side: agencies[key] for key, side in side_of.items()}
    chosen = agencies.get(question.subject)

    def line(row: Partner) -> Line:
        agency = named[row.key]
        by_country = row.key != agency.key
        url = ""
        if chosen and not by_country:
            url = reverse("coverage-pair", args=[chosen.key, agency.key])
            if question.past_day:
                url += f"?as_of={question.past_day}"
        return Line(row, agency, by_country, question.list_query(question.subject, row.key), url)

    rows = partners(instruments, subject, side_of, question.reached)
    lines = [line(row) for row in rows.values()]
    countries = dict(question.form.fields["country"].choices)
    return {
        "lines": sorted(lines, key=lambda line: (line.place or "~", line.name.casefold())),
        "total": len({slug for row in rows.values() for slug in row.agreements}),
        "alone": [
            each
            for each in instruments
            if not each.members & side_of.keys()
            and question.reached.admits(each.scope, each.provisions)
        ],
        "chosen": chosen,
        "cleared": f"?{question.subject_query}",
        "subject_name": str(chosen or countries.get(question.subject)),
    }


def _overview(question: CoverageFilterSet) -> list[Line]:
    """The agencies with the most partners in other countries, each with all that stands."""
    most = question.most_connected(OVERVIEW)
    instruments = question.instruments(key for key, _ in most)
    agencies = question.register.agencies
    lines = []
    for key, met in most:
        agency = agencies[key]
        shared = [each for each in instruments if key in each.members]
        rows = partners(shared, {key}, dict.fromkeys(agencies, key), question.reached)
        if row := rows.get(key):
            url = f"{reverse('coverage')}?{question.with_agency(key)}"
            lines.append(Line(row, agency, False, question.list_query(key), url, met))
    return lines


@require_safe
def coverage_pair(request: HttpRequest, key: str, other: str) -> HttpResponse:
    """Whether one agency can rely on another's work, in both directions, and who says so."""
    register = current()
    left, right = _pair_of(register, key, other)
    as_of = day_asked(request)
    if unknown := request.GET.keys() - {"as_of"}:
        raise BadRequest(f"{sorted(unknown)[0][:40]}: There is no such filter.")
    day = as_of or timezone.localdate()
    shared = register.agreements_of(left, right)
    shared &= register.known_by(as_of) if as_of else shared
    paired = Agreement.objects.register().filter(pk__in=register.ids(shared))
    found = paired.newest_first().with_paired()
    standing, former = _standing(found, {left.pk, right.pk}, day)
    product_names = dict(register.products)
    order = list(product_names)
    provisions = [
        p
        for agreement in standing
        for p in agreement.provisions.all()
        if between(p, [left.pk], [right.pk])
    ]
    cross = [p for p in provisions if not p.stage]
    staged = {p.agreement_id for p in provisions if p.stage}
    context = {
        "left": left,
        "right": right,
        "as_of": as_of,
        "canonical": reverse("coverage-pair", args=sorted([key, other])),
        "standing": standing,
        "former": former,
        "answers": [
            (
                one,
                two,
                answers((p for p in provisions if reaches(p, [one.pk], [two.pk])), order),
            )
            for one, two in ((left, right), (right, left))
        ],
        "stages": pair(provisions, left.pk, right.pk, order),
        "cross": cross,
        "without_stage": [each for each in standing if each.pk not in staged],
        "comparisons": _comparisons(standing + former, left, right, order),
        "kin": _kin(left, right, register),
        "product_names": product_names,
    }
    return render(request, "agreements/coverage/coverage_pair.html", context)


def _pair_of(register: Register, key: str, other: str) -> tuple[Agency, Agency]:
    """Two different agencies that the public may see, or Http404."""
    if key == other or not {key, other} <= register.agencies.keys():
        raise Http404
    return register.agencies[key], register.agencies[other]


def _standing(
    agreements: Iterable[Any], both: set[int], day: datetime.date
) -> tuple[list[Agreement], list[Agreement]]:
    """Those that stand with both on the day, and those that do not; one that either had not yet
    joined is in neither."""
    standing: list[Agreement] = []
    former: list[Agreement] = []
    for agreement in agreements:
        agreement.ruling = agreement.ruling_on(day)
        parts = [part for part in agreement.participations.all() if part.agency_id in both]
        if any(part.joined_on and part.joined_on.latest > day for part in parts):
            continue
        agreement.effect = agreement.first_effect_on(day)
        agreement.joined_by = [part for part in parts if part.joined_on]
        agreement.left_by = [part for part in parts if not part.takes_part_on(day)]
        stands = agreement.ruling.status in STANDING and not agreement.left_by
        (standing if stands else former).append(agreement)
    return standing, former


def _comparisons(
    agreements: list[Agreement], left: Agency, right: Agency, order: list[str]
) -> list[Comparison]:
    """What each agreement of the pair changes about an earlier one of the pair, for the pair."""
    shared: dict[int | None, Agreement] = {agreement.pk: agreement for agreement in agreements}

    def for_the_pair(agreement: Agreement) -> list[Provision]:
        return [p for p in agreement.provisions.all() if between(p, [left.pk], [right.pk])]

    return [
        comparison(
            RelationKind(relation.kind),
            agreement,
            earlier,
            for_the_pair(earlier),
            for_the_pair(agreement),
            order,
        )
        for agreement in agreements
        for relation in agreement.relations.all()
        if comparable(relation.kind) and (earlier := shared.get(relation.target_id))
    ]


def _kin(left: Agency, right: Agency, register: Register) -> list[dict[str, Any]]:
    """Pairs of these two and what they belong to, or what belongs to them, that share agreements
    of the register."""

    def family(agency: Agency) -> list[Agency]:
        return [agency, *register.below(agency), *register.above(agency)[:1]]

    def why(agency: Agency) -> str:
        kin = next((a for a in (left, right) if agency.pk == a.parent_id), None)
        if kin:
            return f"{kin.short_name} belongs to {agency.short_name}"
        parent = next((a for a in (left, right) if agency.parent_id == a.pk), None)
        return f"{agency.short_name} belongs to {parent.short_name}" if parent else ""

    return [
        {"left": one, "right": two, "count": count, "why": [*filter(None, map(why, (one, two)))]}
        for one in family(left)
        for two in family(right)
        if one.pk != two.pk and {one.pk, two.pk} != {left.pk, right.pk}
        if (count := register.agreements_of(one, two).bit_count())
    ]
