"""History that answers: what differed, who did it when and why, and how to go back."""

import copy
import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agreements import exports
from agreements.changes import DifferenceKind, differences, in_one_line, marks
from agreements.dates import PartialDateField
from agreements.models import Agreement, Source

pytestmark = pytest.mark.django_db


# --- What differs -------------------------------------------------------------------------------


def value_of(chance, model, name):
    """One of few values that a field may hold in a record, so that many come back."""
    column = model._meta.get_field(name)
    if column.many_to_many:
        return chance.choice([[], ["medicines"], ["medicines", "vaccines"]])
    if column.is_relation:
        source = column.related_model is Source
        return chance.choice([None, 1, 2] if source else [None, "made-up-x", "made-up-y"])
    if isinstance(column, PartialDateField):
        return chance.choice([None, "2010", "2010-05"])
    return chance.choice(
        {
            "BooleanField": [True, False],
            "DateField": [None, "2010-05-01"],
            "DecimalField": [None, "3", "4.5"],
            "PositiveSmallIntegerField": [1, 2],
        }.get(column.get_internal_type(), ["", "a", "b c", "厚生労働省"])
    )


def row_of(chance, model):
    names = (*exports.PUBLIC[model], *exports.STAFF.get(model, ()))
    # Mostly empty, so that rows are often equal.
    told = {name for name in names if chance.random() < 0.2}
    empty = random.Random(0)  # noqa: S311
    return {name: value_of(chance if name in told else empty, model, name) for name in names}


def made_up_record(seed):
    chance = random.Random(seed)  # noqa: S311
    return row_of(chance, Agreement) | {
        table: [row_of(chance, child) for _ in range(chance.randrange(4))]
        for table, child in exports.CHILDREN[Agreement].items()
    }


RECORDS = st.integers(0, 2**32).map(made_up_record)


@given(RECORDS, RECORDS, st.data())
def test_two_records_differ_exactly_if_something_is_told(one, other, data):
    # Mostly alike: whole tables of the one stand in the other, in another order.
    alike = copy.deepcopy(one)
    for table in data.draw(st.sets(st.sampled_from(sorted(one)), max_size=3)):
        alike[table] = other[table]
    for table in exports.CHILDREN[Agreement]:
        alike[table] = data.draw(st.permutations(alike[table]))
    for changed in (other, alike, one):
        assert (differences(one, changed) == []) == (one == changed)


OPPOSITE = {DifferenceKind.ADDED: DifferenceKind.REMOVED, DifferenceKind.REMOVED: "added"}


@given(RECORDS, RECORDS)
def test_the_other_way_round_before_is_after_and_added_is_removed(one, other):
    def told(found, back):
        return sorted(
            (
                OPPOSITE.get(d.kind, d.kind) if back else d.kind,
                d.table,
                [
                    (f.name, f.after, f.before) if back else (f.name, f.before, f.after)
                    for f in d.fields
                ],
            )
            for d in found
        )

    assert told(differences(one, other), False) == told(differences(other, one), True)


@given(st.text(alphabet="ab ,\n厚生", max_size=12), st.text(alphabet="ab ,\n厚生", max_size=12))
def test_the_marked_stretches_give_both_texts_back(before, after):
    old, new = marks(before, after)
    assert ("".join(m.text for m in old), "".join(m.text for m in new)) == (before, after)
    if before == after:
        assert not any(mark.differs for mark in old + new)


def test_only_the_words_that_differ_are_marked():
    old, new = marks("The agencies share reports of inspections.", "The agencies share reports.")
    assert [m.text for m in old if m.differs] == [" of inspections"]
    assert [m.text for m in new if m.differs] == []


def test_differences_are_told_in_words(reference):
    before = json.loads(exports.snapshot(reference))
    after = copy.deepcopy(before)
    after["signed_on"], after["legal_nature"], after["signed_country"] = "2026-05", "binding", "SG"
    after["provisions"][0]["depth"] = "recognition"
    gone = after["evidence"].pop(0)
    own, provision, evidence = differences(before, after)
    assert [(f.label, f.before, f.after) for f in own.fields] == [
        ("legal nature", "Not stated", "Binding"),
        ("date of signature", "20 April 2026", "May 2026"),
        ("country of signature", "Japan", "Singapore"),
    ]
    assert provision.kind == "changed"
    assert [f.after for f in provision.fields] == ["Recognition"]
    assert (evidence.kind, evidence.noun) == ("removed", "piece of evidence")
    assert gone["statement"] in [f.before for f in evidence.fields]
    assert in_one_line([own, provision, evidence]) == (
        "legal nature, date of signature, country of signature; provisions: 1 changed; "
        "evidence: 1 removed"
    )


def test_a_row_that_moved_is_neither_removed_nor_added(reference):
    before = json.loads(exports.snapshot(reference))
    after = copy.deepcopy(before)
    after["provisions"].reverse()
    for position, row in enumerate(after["provisions"], start=1):
        row["position"] = position
    (moved,) = differences(before, after)
    assert (moved.kind, moved.heading) == ("reordered", "Order of provisions changed")
