"""What a document would change: every row checked and compared, nothing written."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db.models import Model, Q
from django.utils import timezone

from ..dates import PartialDate
from ..exports import CHILDREN, NATURAL_KEY, PUBLIC, plain, record, recorded
from ..exports.tables import NOUNS
from ..models import (
    Agency,
    Agreement,
    CooperationArea,
    FormerSlug,
    ProductCategory,
    Relation,
    Source,
)
from ..models.querysets import PublicationState
from .checks import checks_of, messages
from .document import Document, ImportRefused, Row

Progress = Callable[[int, int], None]
#: So many records are read at once.
_CHUNK = 500
#: A row; the record it speaks of, None for a new one, and how that stands, in plain values.
_Found = tuple[Row, Any, dict[str, Any] | None]


@dataclass
class Change:
    """One record that would be added or changed: what a person needs to see of it, and behind it
    what is to be written."""

    slug: str
    title: str
    instance: Any
    #: The record as it stood and as it will stand, in plain values: what ``record.differences``
    #: compares.
    before: dict[str, Any] | None
    after: dict[str, Any]
    #: By relation, the rows that are to take the place of those there are.
    rows: dict[str, list[Any]] = field(default_factory=dict)
    #: By row or record, what its lists hold.
    lists: list[tuple[Any, str, list[Any]]] = field(default_factory=list)

    @property
    def new(self) -> bool:
        """Whether the register does not have it yet."""
        return self.before is None

    @property
    def hidden(self) -> str:
        """The state of an agreement that the public does not see, in words; else empty."""
        state = getattr(self.instance, "state", PublicationState.PUBLISHED)
        if self.new or state == PublicationState.PUBLISHED:
            return ""
        return PublicationState(state).label

    @property
    def told(self) -> tuple[Any, ...]:
        """What a person was shown of it: of a record that there is, what differs."""
        before = self.before or {}
        differs = [
            (name, before[name], value)
            for name, value in self.after.items()
            if name in before and before[name] != value
        ]
        return (self.slug, self.title, self.new, differs)


@dataclass
class TablePlan:
    """What becomes of one kind of record."""

    added: list[Change] = field(default_factory=list)
    changed: list[Change] = field(default_factory=list)
    unchanged: int = 0

    @property
    def changes(self) -> list[Change]:
        """Everything that is to be written."""
        return [*self.added, *self.changed]


def canonical(model: type[Model], whole: dict[str, Any]) -> dict[str, Any]:
    """A record in the order in which the register gives its rows and lists back, so that another
    order of the same rows is no difference."""
    return whole | {
        name: sorted(whole[name], key=_ORDER[name]) if name in _ORDER else whole[name]
        for name in CHILDREN.get(model, {})
    }


def _by_position(row: dict[str, Any]) -> Any:
    return row["position"]


def _by_date(row: dict[str, Any]) -> Any:
    date = PartialDate.parse(row["date"]) if row["date"] else None
    return (date is None, date and date.earliest, date and date.latest)


#: The order of the models' own Meta, told in plain values; rows of the same rank keep theirs.
_ORDER: dict[str, Callable[[dict[str, Any]], Any]] = {
    "names": lambda row: row["name"],
    "sources": lambda row: row["number"],
    "participations": _by_position,
    "signatories": _by_position,
    "provisions": _by_position,
    "milestones": _by_date,
    "relations": lambda row: row["kind"],
    "outcomes": _by_position,
    "former_slugs": lambda row: row["slug"],
}


class Planner:
    """Compares a document with the register and builds what is to be written.

    A document for ``staff`` is a snapshot: it speaks of all relations, also of those to records
    that are not public, and of a working copy too. The address of a record is not its to change.
    """

    def __init__(
        self, document: Document, progress: Progress | None = None, *, staff: bool = False
    ) -> None:
        self.document = document
        self.progress = progress
        self.staff = staff
        self.faults: list[str] = []
        self.tables = {name: TablePlan() for name in NOUNS}
        self.known: dict[type[Model], dict[Any, Any]] = {
            CooperationArea: _by_key(CooperationArea.objects.all()),
            ProductCategory: _by_key(ProductCategory.objects.all()),
            Agency: _by_key(Agency.objects.select_related("parent").prefetch_related("names")),
        }
        own = [row.key for row in document.tables["agreements"]] if staff else []
        spoken_of = Agreement.objects.filter(Q(revises=None) | Q(slug__in=own))
        self.addresses: dict[str, int] = dict(spoken_of.values_list("slug", "pk"))
        self.places: dict[int, Row] = {}

    def run(self) -> dict[str, TablePlan]:
        """The plan of each table. Raises ImportRefused with every fault found."""
        pending = [
            each
            for name in ("areas", "products", "agencies")
            for each in self.records(name, self.found(NOUNS[name], name))
        ]
        pending += self.records("agreements", self.agreements())
        # Records first, what belongs to them second: then every reference finds its row.
        for change, row in pending:
            self.complete(change, row)
        self.across_records(pending)
        if self.faults:
            raise ImportRefused(self.faults)
        for change, row in pending:
            self.settle(change, row)
        return self.tables

    # --- Records ---

    def found(self, model: type[Model], name: str) -> Iterator[_Found]:
        """Each row that does not repeat what is recorded."""
        for row in self.document.tables.get(name, ()):
            instance = self.known[model].get(row.key)
            before = record(instance) if instance else None
            if self.says_more(name, row, before):
                yield row, instance, before

    def agreements(self) -> Iterator[_Found]:
        """Each row that does not repeat what is recorded. A few hundred records are compared at a
        time, and of those only what differs is read as instances."""
        rows = self.document.tables.get("agreements", [])
        named = {row.key for row in rows}
        self.known[Agreement] = {}
        for start in range(0, len(rows), _CHUNK):
            chunk = rows[start : start + _CHUNK]
            places = [self.stands_at(row, named) for row in chunk]
            ids = [self.addresses.get(place, 0) for place in places]
            stand = recorded([pk for pk in ids if pk], staff=self.staff)
            differing = []
            for row, place, pk in zip(chunk, places, ids, strict=True):
                # A working copy by its own address, not by that of the record it revises.
                before = stand[pk] | {"slug": place} if pk in stand else None
                if self.says_more("agreements", row, before):
                    differing.append((row, pk, before))
            known = [pk for _, pk, before in differing if before]
            stored = Agreement.objects.with_related().in_bulk(known)
            yield from ((row, stored.get(pk), before) for row, pk, before in differing)
            if self.progress:
                self.progress(start + len(chunk), len(rows))

    def says_more(self, name: str, row: Row, before: dict[str, Any] | None) -> bool:
        """Whether the row says anything but what is recorded already, to the letter."""
        if before is None or not _repeats(row, before):
            return True
        self.tables[name].unchanged += 1
        return False

    def stands_at(self, row: Row, named: set[str]) -> str:
        """The present address of the record: the document may know it as a former one."""
        if row.key in self.addresses:
            return row.key
        former = row.children.get("former_slugs", ())
        left = {str(child.data["slug"]) for child in former if child.data}
        return next((slug for slug in sorted(left - named) if slug in self.addresses), "")

    def records(self, name: str, found: Iterable[_Found]) -> list[tuple[Change, Row]]:
        """What of one table is to be added or changed, each with its row."""
        pending = []
        model = NOUNS[name]
        for row, instance, before in found:
            if before is None and row.data is None:
                noun = model._meta.verbose_name
                self.faults.append(f"{row.at(NATURAL_KEY[model])}: there is no {noun} “{row.key}”.")
                continue
            self.fill_in(row, before)
            instance = instance or _new(row)
            change = Change(row.key, "", instance, before, {})
            self.known[model][row.key] = instance
            if before is not None:
                # A record that moves is still meant where its former address is named.
                self.known[model][before[NATURAL_KEY[model]]] = instance
            pending.append((change, row))
        return pending

    def fill_in(self, row: Row, before: dict[str, Any] | None) -> None:
        """Let the record as it stands say what the document leaves open."""
        children = CHILDREN.get(row.model, {})
        if row.data is None and before is not None:
            row.data = {name: before[name] for name in PUBLIC[row.model]}
        for name, child in children.items():
            if name not in row.children:
                place = f"{row.model._meta.verbose_name} {row.key} as recorded, {name}"
                row.children[name] = [
                    Row(child, "", each, f"{place}, row {number}")
                    for number, each in enumerate((before or {}).get(name, ()), start=1)
                ]
        # Sources first, whatever the order of the file: the others refer to them.
        row.children = {name: row.children[name] for name in children}

    # --- One row ---

    def build(self, row: Row, instance: Any, change: Change) -> None:
        """Put the row's values into the instance and check them; its faults are told by field."""
        checks, data = checks_of(row.model), row.data or {}
        self.places[id(instance)] = row
        found = len(self.faults)
        for name, column in checks.many.items():
            targets = [
                self.reference(row, name, column, code) for code in dict.fromkeys(data[name])
            ]
            change.lists.append((instance, name, [target for target in targets if target]))
        for name, column in checks.one.items():
            key = data[name]
            target = None if key is None else self.reference(row, name, column, key)
            if key is None and not column.null:
                self.faults.append(f"{row.at(name)}: This field cannot be blank.")
            else:
                setattr(instance, name, target)
        if len(self.faults) > found:
            return
        for name, check in checks.fields.items():
            if self.staff and name == "slug" and row.model is Agreement:
                continue
            try:
                value = check(data[name])
            except ValidationError as error:
                self.faults += [f"{row.at(name)}: {message}" for message in error.messages]
                value = None if name in checks.dates else data[name]
            if name == NATURAL_KEY.get(row.model) and value == "":
                # A form makes an address from the title; a file says which record it means.
                self.faults.append(f"{row.at(name)}: This field cannot be blank.")
            setattr(instance, name, value)
            if name in checks.dates:
                checks.dates[name].set_companions(instance, value)
        if isinstance(instance, Relation):
            itself = instance.target is not None and (
                instance.target is instance.agreement
                or instance.target.pk == instance.agreement.revises_id is not None
            )
            self.ask(row, lambda: instance.clean_knowing(to_itself=itself, leads_back=False))
        elif not hasattr(instance, "clean_knowing"):
            self.ask(row, instance.clean)
        if len(self.faults) == found:
            self.faults += [f"{row.place}: {each}" for each in checks.violated(instance)]

    def ask(self, row: Row, clean: Callable[[], None]) -> None:
        try:
            clean()
        except ValidationError as error:
            for name, message in messages(error):
                where = row.place if name == NON_FIELD_ERRORS else row.at(name)
                self.faults.append(f"{where}: {message}")

    def reference(self, row: Row, name: str, column: Any, key: Any) -> Any:
        model = column.related_model
        target = self.known[model].get(key)
        if target is None and model is Agreement and key in self.addresses:
            target = self.known[model][key] = Agreement(pk=self.addresses[key], slug=key)
        if target is None:
            noun = model._meta.verbose_name
            self.faults.append(f"{row.at(name)}: there is no {noun} “{key}”.")
        return target

    # --- What belongs to a record ---

    def complete(self, change: Change, row: Row) -> None:
        """Check the record and build the rows that belong to it."""
        instance, found = change.instance, len(self.faults)
        hides = instance.pk and "relations" in row.children and not self.staff
        kept = self.relations_kept(instance) if hides else []
        # A file from before a withdrawal still tells them: as recorded, so there is nothing to do.
        hidden = [record(relation) for relation in kept]
        stored = _sources_of(instance) if instance.pk else {}
        copies = {identity(source): copy_of(source) for source in stored.values()}
        self.build(row, instance, change)
        self.known[Source] = {}
        for name, rows in row.children.items():
            relation: Any = row.model._meta.get_field(name)
            built = []
            for each in rows:
                if name == "relations" and each.data in hidden:
                    continue
                child = self.child(each, relation, instance, stored)
                self.build(each, child, change)
                if isinstance(child, Source):
                    give_copy(child, copies.get(identity(child)))
                    self.known[Source].setdefault(child.number, child)
                built.append(child)
            change.rows[name] = built
            if len(self.faults) == found:
                others = kept if name == "relations" else []
                self.faults += [
                    f"{self.places[id(child)].place}: {message}"
                    for child, message in checks_of(relation.related_model).repeated(
                        [*others, *built]
                    )
                    if id(child) in self.places
                ]

    @staticmethod
    def child(row: Row, relation: Any, owner: Any, stored: dict[int, Source]) -> Any:
        """The instance of one row: a source with a known number stays the source it is, so that
        whatever refers to it still does."""
        number = (row.data or {}).get("number")
        if row.model is Source and number in stored:
            return stored.pop(number)
        return row.model(**{relation.field.name: owner})

    def relations_kept(self, agreement: Agreement) -> list[Relation]:
        """The relations of which no document speaks: to records that are not public."""
        kept = []
        for relation in agreement.relations.all():
            if relation.target is not None and not relation.target.public:
                slug = relation.target.slug
                relation.target = self.known[Agreement].setdefault(slug, relation.target)
                relation.agreement = agreement
                kept.append(relation)
        return kept

    # --- Across records ---

    def across_records(self, pending: list[tuple[Change, Row]]) -> None:
        """What no row shows by itself: circles, addresses and names that two records claim."""
        self.names_of_terms(pending)
        self.circles_of_agencies(pending)
        self.addresses_claimed(pending)
        self.circles_of_relations(pending)

    def names_of_terms(self, pending: list[tuple[Change, Row]]) -> None:
        for model in (CooperationArea, ProductCategory):
            # A name that another term gives up in the same document is still its own until then.
            holders = {name: code for code, name in model.objects.values_list("code", "name")}
            for change, row in pending:
                term = change.instance
                if isinstance(term, model) and holders.setdefault(term.name, row.key) != row.key:
                    error: Any = term.unique_error_message(model, ("name",))
                    self.faults += [f"{row.at('name')}: {each}" for each in error.messages]

    def circles_of_agencies(self, pending: list[tuple[Change, Row]]) -> None:
        parents = {key: agency.parent for key, agency in self.known[Agency].items()}
        for change, row in pending:
            if not isinstance(change.instance, Agency):
                continue
            seen, above = {row.key}, change.instance.parent
            while above and above.key not in seen:
                seen.add(above.key)
                above = parents.get(above.key)
            leads_back = above is not None and above.key == row.key
            self.ask(row, lambda a=change.instance, b=leads_back: a.clean_knowing(leads_back=b))  # type: ignore[misc]

    def addresses_claimed(self, pending: list[tuple[Change, Row]]) -> None:
        changes = [
            (change, row) for change, row in pending if isinstance(change.instance, Agreement)
        ]
        if not changes:
            return
        moved = {c.before["slug"] for c, row in changes if c.before and c.before["slug"] != row.key}
        present = (set(self.addresses) - moved) | {row.key for _, row in changes}
        rewritten = {change.instance.pk for change, _ in changes}
        former = {
            slug: agreement
            for slug, agreement in FormerSlug.objects.values_list("slug", "agreement")
            if agreement not in rewritten
        }
        claimed: set[str] = set()
        for change, row in changes:
            agreement = change.instance
            taken = row.key in former
            self.ask(row, lambda a=agreement, b=taken: a.clean_knowing(address_taken=b))  # type: ignore[misc]
            for child in change.rows["former_slugs"]:
                where, stands = self.places[id(child)], child.slug in present
                self.ask(where, lambda c=child, b=stands: c.clean_knowing(address_taken=b))  # type: ignore[misc]
                if child.slug in former or child.slug in claimed:
                    error: Any = child.unique_error_message(FormerSlug, ("slug",))
                    self.faults += [f"{where.at('slug')}: {each}" for each in error.messages]
                claimed.add(child.slug)

    def circles_of_relations(self, pending: list[tuple[Change, Row]]) -> None:
        """Follow the relations as they will be: those of the document, those that stay."""
        rewritten: set[Any] = set()
        stated: list[Relation] = []
        for change, _ in pending:
            if isinstance(change.instance, Agreement):
                rewritten.add(change.instance.pk)
                stated += [each for each in change.rows["relations"] if each.target]
        if not stated:
            return
        graphs: dict[str, dict[Any, set[Any]]] = defaultdict(lambda: defaultdict(set))
        public = PublicationState.PUBLISHED
        for kind, start, end, state in Relation.objects.filter(target__isnull=False).values_list(
            "kind", "agreement", "target", "target__state"
        ):
            if start not in rewritten or (state != public and not self.staff):
                graphs[kind][start].add(end)
        for relation in stated:
            graphs[relation.kind][_node(relation.agreement)].add(_node(relation.target))
        circular = {kind: _on_circles(graph) for kind, graph in graphs.items()}
        for relation in stated:
            start, end = _node(relation.agreement), _node(relation.target)
            if start == end or not {start, end} <= circular[relation.kind]:
                continue
            back = start in _reached(graphs[relation.kind], end)
            self.ask(
                self.places[id(relation)],
                lambda r=relation, b=back: r.clean_knowing(to_itself=False, leads_back=b),  # type: ignore[misc]
            )

    # --- The result ---

    def told(self, instance: Any, lists: dict[Any, list[Any]]) -> dict[str, Any]:
        """A row or record as it will stand, by itself. The document says it in the same words from
        now on, so that nothing is kept twice."""
        row = self.places[id(instance)]
        row.data = _plain(instance, lists)
        return row.data

    def settle(self, change: Change, row: Row) -> None:
        """Tell what differs, and leave out of the writing what does not."""
        name = next(name for name, noun in NOUNS.items() if noun is row.model)
        table = self.tables[name]
        lists = {(id(owner), field_name): rows for owner, field_name, rows in change.lists}
        after = self.told(change.instance, lists) | {
            relation: [self.told(child, lists) for child in rows]
            for relation, rows in change.rows.items()
        }
        change.after = canonical(row.model, after)
        before = change.before = change.before and canonical(row.model, change.before)
        change.title = str(change.after.get("title") or change.after.get("name", ""))
        if before == change.after:
            table.unchanged += 1
            return
        if before is None:
            table.added.append(change)
            return
        same = {each for each in change.rows if before[each] == change.after[each]}
        change.rows = {each: rows for each, rows in change.rows.items() if each not in same}
        written = {id(child) for rows in change.rows.values() for child in rows}
        change.lists = [
            each for each in change.lists if each[0] is change.instance or id(each[0]) in written
        ]
        table.changed.append(change)


def _by_key(rows: Iterable[Any]) -> dict[Any, Any]:
    return {getattr(row, NATURAL_KEY[type(row)]): row for row in rows}


def _repeats(row: Row, before: dict[str, Any]) -> bool:
    """Whether the row says what is recorded already, to the letter."""
    if row.data is not None and any(before[name] != value for name, value in row.data.items()):
        return False
    return all(
        before[name] == [child.data for child in rows] for name, rows in row.children.items()
    )


def _new(row: Row) -> Any:
    if row.model is not Agreement:
        return row.model()
    now = timezone.now()
    return Agreement(
        state=PublicationState.PUBLISHED,
        first_published_at=now,
        updated_at=row.updated_at or now,
    )


def _plain(instance: Any, lists: dict[Any, list[Any]]) -> dict[str, Any]:
    """``records.record`` of a row that is not stored yet, without what belongs to it."""
    model: type[Model] = type(instance)
    many = checks_of(model).many
    return {
        name: [term.code for term in sorted(lists[id(instance), name], key=_term_order)]
        if name in many
        else plain(getattr(instance, name))
        for name in PUBLIC[model]
    }


def _term_order(term: Any) -> tuple[int, str]:
    return term.position, term.name


def _sources_of(instance: Any) -> dict[int, Source]:
    if not isinstance(instance, Agreement):
        return {}
    return {source.number: source for source in instance.sources.all()}


def identity(source: Source) -> tuple[str, str, str]:
    """What tells a source from the others, whatever its number."""
    return source.publisher, source.title, source.url


def copy_of(source: Source) -> tuple[Any, ...]:
    """What a source has beside its own content: the stored copy, and the last check of its
    address."""
    return source.file.name, source.checked_at, source.check_result, source.reachable


def give_copy(source: Source, copy: tuple[Any, ...] | None) -> None:
    """A stored copy and the last check of an address go with what identifies the source, not with
    its number."""
    source.file, source.checked_at, source.check_result, source.reachable = copy or (
        "",
        None,
        "",
        None,
    )


def _node(agreement: Any) -> Any:
    """What stands for a record in a graph: a new one has no number yet, a working copy that of the
    record it revises."""
    return agreement.revises_id or agreement.pk or agreement.slug


def _on_circles(graph: dict[Any, set[Any]]) -> set[Any]:
    """The nodes that are left when those that lead nowhere are taken away, again and again: on
    circles, or before one."""
    before: dict[Any, list[Any]] = defaultdict(list)
    left = {start: len(ends) for start, ends in graph.items()}
    for start, ends in graph.items():
        for end in ends:
            before[end].append(start)
            left.setdefault(end, 0)
    leading_nowhere = [node for node, ends in left.items() if not ends]
    while leading_nowhere:
        node = leading_nowhere.pop()
        del left[node]
        for start in before[node]:
            left[start] -= 1
            if not left[start]:
                leading_nowhere.append(start)
    return set(left)


def _reached(graph: dict[Any, set[Any]], start: Any) -> set[Any]:
    reached, frontier = set(), {start}
    while frontier:
        reached |= frontier
        frontier = {end for node in frontier for end in graph.get(node, ())} - reached
    return reached
