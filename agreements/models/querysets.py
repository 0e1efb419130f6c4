"""The questions we ask of the register, in domain words."""

import datetime
from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any

from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import (
    Case,
    Count,
    Exists,
    F,
    OuterRef,
    Prefetch,
    Q,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Collate
from django.db.models.sql.compiler import SQLCompiler

from ..rules.lineage import STEPS
from ..rules.status import CLOSED, MilestoneKind, Status
from . import search

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from .agency import Agency
    from .agreement import Agreement
    from .timeline import Relation


class PublicationState(models.TextChoices):
    """Where a record stands on its way to the public."""

    DRAFT = "draft", "Draft"
    IN_REVIEW = "in_review", "In review"
    PUBLISHED = "published", "Published"
    WITHDRAWN = "withdrawn", "Withdrawn"


def visible(record: str = "") -> Q:
    """What the public may see: the one place where that is decided. ``record`` is the path to the
    agreement, ended by two underscores; empty for the agreement itself."""
    return Q(**{f"{record}state": PublicationState.PUBLISHED})


def _holding_on(day: datetime.date) -> Q:
    """Of the standings of an agreement, the one that holds on ``day``."""
    return Q(from_day__lte=day) & (Q(until_day__isnull=True) | Q(until_day__gt=day))


def in_code_order(queryset: models.QuerySet[Any], column: str) -> Collate:
    """Order a column of codes by their characters, whatever the database's own collation is."""
    binary = {"postgresql": "C", "sqlite": "BINARY"}
    return Collate(column, binary[connections[queryset.db].vendor])


class Among(models.Func):
    """Whether an id is one of several hundred. They are one parameter, and cost the ORM nothing
    each."""

    arity = 2
    output_field = models.BooleanField()

    def __init__(self, column: str, ids: Iterable[int], **options: Any) -> None:
        super().__init__(F(column), Value(self.text(ids)), **options)

    @staticmethod
    def text(ids: Iterable[int]) -> str:
        """The parameter."""
        return f"[{','.join(map(str, ids))}]"

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **options: Any
    ) -> tuple[str, tuple[str | int, ...]]:
        return self.as_sql(
            compiler,
            connection,
            template="%(expressions)s))",
            arg_joiner=" IN (SELECT value FROM json_each(",
        )

    def as_postgresql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **options: Any
    ) -> tuple[str, tuple[str | int, ...]]:
        return self.as_sql(
            compiler,
            connection,
            template="%(expressions)s, '[]', '{}')::bigint[])",
            arg_joiner=" = ANY(translate(",
        )


#: How an agreement names an agency: from the agency the relation, and back the column.
_NAMING = (
    ("participations", "agency"),
    ("signatories", "agency"),
    ("relies_in", "relying"),
    ("relied_on_in", "reference"),
)
#: An agency, and how far what it belongs to is followed.
_LEVELS = 4
#: As many ids as both databases take in one question.
_SEVERAL = 5000


def batched(ids: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    """The ids, ``size`` at a time."""
    return (ids[start : start + size] for start in range(0, len(ids), size))


class AgencyQuerySet(models.QuerySet["Agency"]):
    """Questions about agencies. Every public page starts with ``register()``."""

    def register(self) -> "AgencyQuerySet":
        """What the public may see: agencies of published agreements, and what they belong to, a
        section's department's ministry's government included."""
        named = [
            Exists(
                self._rows(link).filter(
                    visible("agreement__"),
                    **{column + "__parent" * level: OuterRef("pk")},
                )
            )
            for level in range(_LEVELS)
            for link, column in _NAMING
        ]
        return self.filter(reduce(or_, named))

    def named(self, text: str) -> "AgencyQuerySet":
        """Agencies one of whose names, past ones included, or whose key holds every word of
        ``text`` or its beginning, whatever its script, case and accents. Everyone where it holds
        no word.

        Compared here and not by the database: the two disagree on letters outside ASCII.
        """
        words = search.fold(text).split()
        if not words:
            return self
        names: dict[int, list[str]] = {}
        columns = ("pk", "name", "acronym", "native_name", "key")
        for pk, *own in self.model._default_manager.order_by().values_list(*columns):
            names[pk] = own
        for pk, name in self._rows("names").order_by().values_list("agency", "name"):
            names[pk].append(name)
        found = [
            pk
            for pk, own in names.items()
            if (told := search.fold("\n".join(own))) and all(word in told for word in words)
        ]
        return self.filter(pk__in=found)

    def named_in(self, agreements: Sequence[int]) -> "AgencyQuerySet":
        """The agencies that these agreements name, and what they belong to: what ``register`` asks
        of all agreements."""
        named: set[int] = set()
        for few in batched(agreements, _SEVERAL):
            for link, column in _NAMING:
                rows = self._rows(link).filter(agreement__in=few).order_by()
                named.update(filter(None, rows.values_list(column, flat=True).distinct()))
        for _ in range(_LEVELS - 1):
            belonging = self.model._default_manager.filter(pk__in=named)
            named.update(filter(None, belonging.values_list("parent", flat=True)))
        return self.filter(pk__in=named)

    def counting_agreements(self) -> "AgencyQuerySet":
        """Annotate ``agreements``: in how many published agreements each takes part."""
        published = visible("participations__agreement__")
        return self.annotate(agreements=Count("participations", filter=published, distinct=True))

    def _rows(self, link: str) -> models.QuerySet[Any]:
        reverse: Any = self.model._meta.get_field(link)
        rows: models.QuerySet[Any] = reverse.related_model._default_manager.all()
        return rows


class AgreementQuerySet(models.QuerySet["Agreement"]):
    """Questions about agreements. Every public page starts with ``register()``."""

    def published(self) -> "AgreementQuerySet":
        """Records that staff have published and not withdrawn."""
        return self.filter(visible())

    def register(self) -> "AgreementQuerySet":
        """What the public may see."""
        return self.published()

    def withdrawn(self) -> "AgreementQuerySet":
        """Records that were public and whose address now only tells why they no longer are."""
        withdrawn = self.filter(state=PublicationState.WITHDRAWN, first_published_at__isnull=False)
        return withdrawn.exclude(withdrawal_kind="")

    def kept(self) -> "AgreementQuerySet":
        """What staff look after: every record that is not withdrawn. A working copy repeats the
        record it revises and is not counted beside it."""
        every = self.model._default_manager
        withdrawn = every.filter(state=PublicationState.WITHDRAWN)
        working_copies = every.filter(revises__isnull=False)
        # The few are looked up, so that the many need not be read to be counted.
        return self.exclude(pk__in=withdrawn.values("pk")).exclude(
            pk__in=working_copies.values("pk")
        )

    def drafts_of(self, user: "User") -> "AgreementQuerySet":
        """What this person owns or edited last and the public has not seen, working copies
        included."""
        unseen = (PublicationState.DRAFT, PublicationState.IN_REVIEW)
        return self.filter(Q(owner=user) | Q(last_edited_by=user), state__in=unseen)

    def awaiting_review_of(self, user: "User") -> "AgreementQuerySet":
        """What is in review and this person may check, being none of its authors."""
        return self.filter(~self._is_author(user), state=PublicationState.IN_REVIEW)

    def written_by(self, user: "User") -> "AgreementQuerySet":
        """What this person edited last, or at all since a second person last checked it. A working
        copy has the unchecked authors of the record it revises, too."""
        return self.filter(self._is_author(user))

    def _is_author(self, user: "User") -> Q:
        same = Q(person=user) | Q(person=None, name=user.get_username())
        here = Q(agreement=OuterRef("pk")) | Q(agreement=OuterRef("revises"))
        # Whoever edited last stays an author after a check: a copy that a colleague begins and
        # leaves unchanged is no second pair of eyes.
        return Q(last_edited_by=user) | Q(Exists(self._rows("authorships").filter(same, here)))

    def unchecked(self) -> "AgreementQuerySet":
        """What was published without a second check, as long as nobody else has approved it."""
        return self.exclude(unchecked_because="")

    def lapsing(self, day: datetime.date, days: int) -> "AgreementQuerySet":
        """Agreements whose stated term ends on ``day`` or within ``days`` days after it, if nothing
        more is recorded: those of which ``status.term_ending`` tells an end."""
        after = day + datetime.timedelta(days=days + 1)
        ended = (*CLOSED, Status.TERM_LAPSED)
        open_still = Q(status__in=[status for status in Status if status not in ended])
        return self.lapsed_unrenewed(after).with_status(day).filter(open_still)

    def lapsed_unrenewed(self, day: datetime.date) -> "AgreementQuerySet":
        """Agreements whose stated term has ended by ``day`` without a recorded renewal."""
        # From the few that have lapsed to their records, not from every record to its status.
        lapsed = self._rows("standings").filter(_holding_on(day), status=Status.TERM_LAPSED)
        return self.filter(pk__in=lapsed.values("agreement"))

    def reviews_due(self, day: datetime.date, days: int) -> "AgreementQuerySet":
        """Agreements not at their end of which a source says that a review falls due on ``day`` or
        within ``days`` days after it."""
        end = day + datetime.timedelta(days=days)
        due = self._milestones().filter(
            kind=MilestoneKind.REVIEW_DUE, date_earliest__range=(day, end)
        )
        return self.filter(Exists(due)).with_status(day).exclude(Q(status__in=CLOSED))

    def with_unreachable_source(self) -> "AgreementQuerySet":
        """Agreements with a source whose address did not answer when it was last checked."""
        # From the few addresses to their records, not from every record to its addresses.
        sources = self._rows("sources").filter(reachable=False)
        return self.filter(pk__in=sources.values("agreement"))

    def facts_without_source(self) -> "AgreementQuerySet":
        """Agreements that are ``oddities.unsourced``."""
        return self.filter(digest__unsourced=True)

    def odd_dates(self, day: datetime.date) -> "AgreementQuerySet":
        """Agreements with dates that are possible and yet most likely a slip: those in which
        ``status.odd_dates`` finds some."""
        return self.filter(digest__odd_until__gt=day)

    def with_status(self, day: datetime.date) -> "AgreementQuerySet":
        """Annotate ``status`` on ``day``: what ``status.status_on`` says, looked up.

        It is None, and so equal to no status, where it was never worked out: where something wrote
        a record and did not go through ``record``, or ``manage.py derive`` did not run yet.
        """
        holding = self._related("standings").filter(_holding_on(day))
        return self.annotate(status=Subquery(holding.values("status")[:1]))

    def search(self, text: str) -> "AgreementQuerySet":
        """Agreements that hold every word of ``text``; ``in_title`` where the title does."""
        matching = search.matching_ids(self, text)
        if matching is None:
            return self.none().annotate(in_title=Value(0))
        in_title = search.matching_ids(self, text, column="title_terms")
        return self.filter(pk__in=matching).annotate(
            in_title=Case(When(pk__in=in_title, then=Value(1)), default=Value(0))
        )

    def lineage_of(self, agreement: "Agreement") -> list["Relation"]:
        """The relations by which ``agreement`` comes from others and others come from it.

        Followed ``lineage.STEPS`` steps each way, in one query a step. The public may see both
        ends, unless the other one is known by its title only.
        """
        # By a join, not ``in``: a subquery would keep the databases from looking up the two ends.
        relations = self._rows("relations").filter(
            Q(target__isnull=True) | visible("target__"), visible("agreement__")
        )
        oldest = (F("agreement__signed_on_earliest").asc(nulls_last=True), "kind", "pk")
        found: dict[int, Relation] = {}
        back = on = reached_back = reached_on = {agreement.pk}
        for _ in range(STEPS):
            if not back and not on:
                break
            step = relations.filter(Q(agreement__in=back) | Q(target__in=on))
            rows = list(step.select_related("agreement", "target", "source").order_by(*oldest))
            found |= {row.pk: row for row in rows}
            back = {row.target_id for row in rows if row.agreement_id in back} - reached_back
            on = {row.agreement_id for row in rows if row.target_id in on} - reached_on
            back.discard(None)
            reached_back, reached_on = reached_back | back, reached_on | on
        return list(found.values())

    def falling_due(self) -> "AgreementQuerySet":
        """Agreements of which a source states until when they run or when a review is due."""
        due = Q(until__isnull=False) | Q(kind=MilestoneKind.REVIEW_DUE)
        # From the few milestones to their records, not from every record to its milestones.
        return self.filter(pk__in=self._rows("milestones").filter(due).values("agreement"))

    def newest_first(self) -> "AgreementQuerySet":
        """By date of signature, undated last; a total order, the same on both databases."""
        return self.order_by(
            F("signed_on_earliest").desc(nulls_last=True), in_code_order(self, "slug")
        )

    def or_withdrawn(self) -> "AgreementQuerySet":
        """These agreements and every withdrawn record."""
        return self.order_by() | self.model._default_manager.withdrawn()

    def telling_of(self, slugs: Iterable[str], named: Iterable[str]) -> "AgreementQuerySet":
        """The records that were ever public and tell something of those with ``slugs``: that name
        one of them or were merged into one; and the records ``named`` themselves."""
        naming = self._related("relations").filter(target__slug__in=slugs)
        return self.filter(first_published_at__isnull=False).filter(
            Exists(naming) | Q(merged_into__slug__in=slugs) | Q(slug__in=named)
        )

    def having_areas(self, areas: Iterable[int]) -> "AgreementQuerySet":
        """Agreements with a provision on any of these areas."""
        return self.filter(Exists(self._related("provisions").filter(area__in=areas)))

    def with_listed(self) -> "AgreementQuerySet":
        """What a row of a list shows: its status, its participants and its stages, not the
        products. In a fixed number of queries."""
        parts = self._rows("participations").select_related("agency").order_by("position", "pk")
        return self.with_worked_out().prefetch_related(Prefetch("participations", parts))

    def with_worked_out(self) -> "AgreementQuerySet":
        """What its status and its stages are worked out from, in a fixed number of queries."""
        # The order of rows within one agreement: their own default would sort by agreement first.
        provisions = self._rows("provisions").select_related("area").order_by("position", "pk")
        few = provisions.only("agreement", "depth", "commitment", "area__stage")
        return self.prefetch_related(Prefetch("provisions", few), "milestones")

    def with_paired(self) -> "AgreementQuerySet":
        """What the page of a pair of agencies shows, in a fixed number of queries."""
        return self.prefetch_related(*self.model.PAIRED)

    def with_compared(self) -> "AgreementQuerySet":
        """What the agreements it is related to provide, in a fixed number of queries."""
        return self.prefetch_related(
            "relations__target__provisions__area", "relations__target__provisions__products"
        )

    def with_related(self) -> "AgreementQuerySet":
        """Everything a record holds, in a fixed number of queries."""
        return self.prefetch_related(*self.model.RELATED)

    def _rows(self, name: str) -> models.QuerySet[Any]:
        reverse: Any = self.model._meta.get_field(name)
        rows: models.QuerySet[Any] = reverse.related_model._default_manager.all()
        return rows

    def _related(self, name: str) -> models.QuerySet[Any]:
        return self._rows(name).filter(agreement=OuterRef("pk"))

    def _milestones(self) -> models.QuerySet[Any]:
        return self._related("milestones")
