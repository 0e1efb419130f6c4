"""Questions to the register, right and wrong ones, and how to ask them."""

import csv
import io
import re

from agreements.question import AgreementFilterSet

QUESTIONS = [
    "",
    "q=HSA",
    "q=GMP+inspection&stage=manufacturing",
    "participant=pmda",
    "participant=pmda&participant=hsa&sort=oldest",
    "participant=hsa&participant=mhlw&participant_match=all",
    "commitment=intended&stage=manufacturing",
    "country=SG&country=JP",
    "country=EU",
    "country=EU&eu_members=yes",
    "between=hsa&between=mhlw&stage=manufacturing",
    "stage_stated=no&status=in_effect",
    "stage=manufacturing",
    "stage=manufacturing&depth=recognition&product=medicines",
    "stage=clinical_trials_review&stage=post_market_oversight",
    "product=medical-devices",
    "depth=reliance",
    "type=moc&type=mou&sort=changed",
    "status=in_effect",
    "status=suspended&status=term_lapsed",
    "signed_after=2010&signed_before=2012-06",
    "as_of=2011-01-01",
    "as_of=2011-01-01&status=signed",
    "q=nothingatallmatchesthis",
    "updated_since=2020-01-01&country=JP",
    "updated_since=2020-01-01T00:00:00%2B08:00&sort=oldest&q=HSA",
]
PROBLEMS = [
    "signed_after=banana",
    "signed_before=2010-13",
    "as_of=2010",
    "as_of=2010-02-30",
    "stage=nowhere",
    "participant=nobody",
    "country=XX",
    "product=pills",
    "depth=deep",
    "type=pact",
    "commitment=excluded",
    "participant_match=some",
    "eu_members=no",
    "stage_stated=yes",
    "status=fine",
    "updated_since=yesterday",
    "updated_since=2026-04-20T09:30:00",
    "updated_since=2026-13-20",
    "between=sg" + "".join(f"&between=x{number}" for number in range(10)),
    "sort=random",
    "colour=red",
    "signed_after=banana&signed_after=2010",
    "q=a%00b",
    "q=" + "x" * 10_000,
    "x" * 10_000 + "=1",
    "participant=" + "9" * 400,
]
#: A filter that none of these uses is asked for the first of the values that it declares, and for
#: one that it does not have.
for _name, _filter in AgreementFilterSet.base_filters.items():
    if choices := _filter.extra.get("choices"):
        if not any(f"{_name}=" in query for query in QUESTIONS):
            QUESTIONS.append(f"{_name}={choices[0][0]}")
        if not any(f"{_name}=" in query for query in PROBLEMS):
            PROBLEMS.append(f"{_name}=made-up")


def slugs_on_pages(client, query):
    found, page = [], 1
    while True:
        response = client.get(f"/agreements/?{query}&page={page}", follow=True)
        assert response.status_code == 200
        found += [a.slug for a in response.context["agreements"]]
        if not response.context["page"].has_next():
            return found
        page += 1


def csv_rows(client, query=""):
    response = client.get(f"/agreements.csv?{query}")
    assert response.status_code == 200
    text = b"".join(response.streaming_content).decode()
    assert text.startswith("\ufeff")
    assert "\n" not in re.sub(r'"(?:[^"]|"")*"', "", text).replace("\r\n", "")
    return list(csv.DictReader(io.StringIO(text[1:], newline="")))
