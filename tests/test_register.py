"""The register in memory: changed record by record, it is what it would be if it were read anew."""

import datetime
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agreements.models import Agency, Agreement, Digest, Edition, Participation
from agreements.question import present
from agreements.question.entry import Entry
from agreements.question.index import Bitmaps, Postings, Timelines, bitmap
from agreements.question.register import ORDERS
from agreements.record.after_change import record_change
from agreements.rules.status import Status
from tests import make

pytestmark = [pytest.mark.django_db, pytest.mark.database]

DAYS = [datetime.date(year, 3, 7) for year in (1999, 2012, 2020, 2024)]


def told(register):
    """All that a register answers from, without its slots."""

    def keys(bits):
        return sorted(register.ids(bits & register.live))

    def by_value(bitmaps):
        return {value: found for value in bitmaps if (found := keys(bitmaps[value]))}

    sides = ["hsa", "JP", "EU"]
    return {
        "all": keys(register.live),
        "coded": by_value(register.coded),
        "participants": by_value(register.participants),
        "said": by_value(register.reach._said),
        "between": by_value(register.reach_between(sides)._said),
        "scope": by_value(register.reach._scope),
        "days": [
            (by_value(day.statuses), by_value(day.participants)) for day in map(register.on, DAYS)
        ],
        "known": [keys(register.known_by(day)) for day in DAYS],
        "signed": [(keys(register.signed_since(d)), keys(register.signed_by(d))) for d in DAYS],
        "orders": {name: list(register.ids(register.live, name)) for name in ORDERS},
        "words": [keys(register.holding(text)) for text in ("gmp", "厚生", "made-up", "zyxw")],
        "titles": [keys(register.holding(text, in_title=True)) for text in ("moc", "made-up")],
        "tombstones": register.tombstones,
        "agencies": sorted(register.agencies),
        "choices": register.choices,
    }


def anew():
    return told(present._read(None))


def withdraw(each, draw):
    each.state, each.withdrawal_kind, each.withdrawal_reason = "withdrawn", "by_parties", "Made up."


def publish(each, draw):
    each.state, each.withdrawal_kind, each.withdrawal_reason = "published", "", ""
    each.withdrawn_on = None


def retitle(each, draw):
    each.title = f"Zyxw {draw.random()}"


def redate(each, draw):
    each.signed_on = draw.choice([None, "1998", "2012-03", "2024-03-07"])


def add_milestone(each, draw):
    kind = draw.choice(["entered_into_force", "suspended", "resumed", "terminated"])
    each.milestones.create(kind=kind, date=draw.choice(["1999-03-07", "2012-03", "2020", "2023"]))


def drop_milestones(each, draw):
    each.milestones.all().delete()


def drop_provision(each, draw):
    for provision in each.provisions.all()[:1]:
        provision.delete()


def add_participant(each, draw):
    others = Agency.objects.exclude(participations__agreement=each)
    joined = draw.choice([None, "2012", "2019-05-01"])
    Participation.objects.create(agreement=each, agency=draw.choice(list(others)), joined_on=joined)


CHANGES = [
    withdraw,
    publish,
    publish,
    retitle,
    redate,
    add_milestone,
    drop_milestones,
    drop_provision,
    add_participant,
]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", range(3))
def test_a_chain_of_changes_leaves_what_reading_anew_finds(seed):
    draw = random.Random(seed)  # noqa: S311
    first = known = present.current()
    before = told(first)
    for _ in range(15):
        changed = draw.sample(list(Agreement.objects.all()), draw.randint(1, 3))
        for each in changed:
            draw.choice(CHANGES)(each, draw)
            each.save()
        if record_change([each.pk for each in changed], reason="Made up.", name="test"):
            new = present.current()
            assert new.entries[: len(known.entries)] == known.entries
            assert told(new) == told(present._read(None))
            known = new
    assert known.dead > 10
    assert told(first) == before


@pytest.mark.django_db(transaction=True)
def test_a_change_that_does_not_show_is_not_read(django_assert_num_queries):
    """Agencies, vocabularies and tombstones are read whole; of the agreements, the changed ones."""
    present.current()
    made = Agreement.objects.get(slug="hsa-mhlw-moc-2026")
    made.title = "Zyxw"
    made.save()
    record_change([made.pk], reason="Made up.", name="test")
    read = []
    entry = Entry.read
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Entry, "read", lambda *row: read.append(row[0]) or entry(*row))
        assert list(present.current().ids(present.current().holding("zyxw"))) == [made.pk]
    # Besides it, what tells of it.
    assert made.pk in read
    assert len(read) <= 1 + made.relations.count()


@pytest.mark.django_db(transaction=True)
def test_many_dead_slots_are_given_up(monkeypatch):
    monkeypatch.setattr(present, "_MOST_DEAD", 3)
    made = Agreement.objects.get(slug="jsepa-2002")
    for number in range(6):
        made.title = f"Zyxw {number}"
        made.save()
        record_change([made.pk], reason="Made up.", name="test")
        assert present.current().dead <= 4
    assert list(present.current().ids(present.current().holding("zyxw"))) == [made.pk]


@pytest.mark.django_db(transaction=True)
def test_another_database_in_its_place_is_read_anew():
    """A backup is put back: it has other records under lower numbers."""
    make.agreement(title="Zyxw")
    assert present.current().holding("zyxw") & present.current().live
    Agreement.objects.filter(title="Zyxw").update(first_published_at=None)
    Agreement.objects.filter(title="Zyxw").delete()
    Edition.objects.update(serial=0, mark="made-up")
    assert not present.current().holding("zyxw") & present.current().live


def test_an_entry_of_another_form_is_not_answered_from():
    made = make.agreement(title="Zyxw")
    Digest.objects.filter(agreement=made).update(entry="[0,not what it was]")
    Edition.renew()
    assert made.pk not in list(present.current().ids(present.current().live))


# --- The indexes ---------------------------------------------------------------------------------

SLOTS = st.integers(0, 200)
TURNS = st.lists(
    st.tuples(
        st.sampled_from(Status.values[:3]),
        st.dates(datetime.date(2000, 1, 1), datetime.date(2003, 12, 31)),
        SLOTS,
    ),
    max_size=30,
)


@given(st.sets(SLOTS))
def test_a_bitmap_has_the_bits_of_its_slots(slots):
    assert bitmap(slots) == sum(1 << slot for slot in slots)


@given(st.lists(st.sets(st.tuples(st.sampled_from("abc"), SLOTS)), max_size=4))
def test_bitmaps_have_what_was_put_into_them(batches):
    index, all_pairs = Bitmaps(), set().union(*batches)
    for batch in batches:
        index = index.plus(batch)
    for value in "abcd":
        assert index[value] == bitmap(slot for each, slot in all_pairs if each == value)


@given(st.lists(st.tuples(SLOTS, st.sets(st.sampled_from("abcd"))), unique_by=lambda row: row[0]))
def test_postings_find_the_slots_that_hold_every_word(rows):
    first, rest = rows[: len(rows) // 2], rows[len(rows) // 2 :]
    half = Postings().plus((slot, " ".join(words)) for slot, words in first)
    whole = half.plus((slot, " ".join(words)) for slot, words in rest)
    for wanted in ({"a"}, {"a", "b"}, {"e"}, {"a", "e"}):
        assert whole.holding(wanted) == bitmap(slot for slot, words in rows if wanted <= words)
        # The one that shares its lists has not changed.
        assert half.holding(wanted) == bitmap(slot for slot, words in first if wanted <= words)


@settings(max_examples=60)
@given(TURNS, TURNS, st.dates(datetime.date(1999, 12, 31), datetime.date(2004, 1, 1)))
def test_a_timeline_has_on_a_day_what_turned_an_odd_number_of_times(first, rest, day):
    both = Timelines().plus(first).plus(rest)
    for value in Status.values[:3]:
        times = [slot for each, when, slot in first + rest if each == value and when <= day]
        assert both.on(value, day) == bitmap({s for s in times if times.count(s) % 2})
