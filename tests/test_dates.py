"""The partial date says as much as its source does, and no more."""

import datetime

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from agreements.dates import PartialDate, PartialDateFormField, to_partial_date

days = st.dates(datetime.date(1850, 1, 1), datetime.date(2199, 12, 31))
partial_dates = st.builds(
    lambda day, precision: PartialDate(
        day.year,
        day.month if precision != "year" else None,
        day.day if precision == "day" else None,
    ),
    days,
    st.sampled_from(["year", "month", "day"]),
)


@pytest.mark.parametrize(
    ("text", "iso", "printed", "earliest", "latest"),
    [
        ("2010", "2010", "2010", "2010-01-01", "2010-12-31"),
        ("2024-02", "2024-02", "February 2024", "2024-02-01", "2024-02-29"),
        ("2026-04-20", "2026-04-20", "20 April 2026", "2026-04-20", "2026-04-20"),
        ("May 2010", "2010-05", "May 2010", "2010-05-01", "2010-05-31"),
        ("13 May 2010", "2010-05-13", "13 May 2010", "2010-05-13", "2010-05-13"),
        ("3 sept. 2003", "2003-09-03", "3 September 2003", "2003-09-03", "2003-09-03"),
    ],
)
def test_a_date_is_read_as_people_write_it(text, iso, printed, earliest, latest):
    date = PartialDate.parse(text)
    assert (date.iso, str(date)) == (iso, printed)
    assert (date.earliest.isoformat(), date.latest.isoformat()) == (earliest, latest)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2010-13", "There is no month 13."),
        ("2023-02-29", "There is no day 29 in February 2023."),
        ("2010-00-10", "There is no month 0."),
        ("0001", "The year must be between"),
        ("banana", "Type the date as the source gives it"),
        ("20 Aprll 2026", "Type the date as the source gives it"),
        ("2010-5-1", "Type the date as the source gives it"),
        ("20100513", "Type the date as the source gives it"),
    ],
)
def test_what_is_no_date_is_refused_with_the_reason(text, message):
    with pytest.raises(ValidationError, match=message):
        to_partial_date(text)


@given(partial_dates)
def test_what_is_stored_and_what_is_printed_read_back_the_same(date):
    assert PartialDate.parse(date.iso) == date
    assert PartialDate.parse(str(date)) == date
    assert date.earliest <= date.latest


@given(partial_dates, partial_dates)
def test_dates_sort_by_the_days_they_can_mean(one, other):
    assert (one < other) == ((one.earliest, one.latest) < (other.earliest, other.latest))


@given(st.text(max_size=30))
def test_any_text_is_a_date_or_a_clear_refusal(text):
    try:
        PartialDateFormField(required=False).clean(text)
    except ValidationError as error:
        assert error.messages  # noqa: PT017 - any text: most are dates of no kind, some are
