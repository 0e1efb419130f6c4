"""Nothing that the compilers wrote down was lost on the way into the register.

``data/compiled_agreements.json`` is the file the shipped register was made from. It is walked key
by key: each value must be found in the register's own record, or its absence must have one of the
reasons below, each with the number of values it covers, so that a new loss cannot hide behind it.
"""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from agreements.management.commands.import_register import SHIPPED
from agreements.rules.coverage import Stage

COMPILED = json.loads((Path(__file__).parent / "data/compiled_agreements.json").read_text())
REGISTER = json.loads(SHIPPED.read_text())
RECORDS = {record["slug"]: record for record in REGISTER["agreements"]}
AGENCIES = {agency["key"]: agency for agency in REGISTER["agencies"]}
STAGES = {
    "clinical_trials": Stage.CLINICAL_TRIALS,
    "product_review": Stage.PRODUCT_REVIEW,
    "registration_reliance": Stage.REGISTRATION,
    "manufacturing": Stage.MANUFACTURING,
    "post_market": Stage.POST_MARKET,
}
AREA_STAGE = {area["code"]: area["stage"] for area in REGISTER["areas"]}
TOPICS = {
    "title": "title",
    "title_local": "original_title",
    "legal_nature": "legal_nature",
    "parties": "participants",
    "signatories": "signatories",
    "signed_on": "signed_on",
    "signed_on_by_party": "signed_on_by_participant",
    "signed_at": "signed_at",
    "entered_into_force": "effect",
    "duration": "term",
    "expires_on": "term",
    "renewal": "renewal",
    "status": "status",
    "other_events": "events",
    "relations": "relations",
    "areas_of_cooperation": "areas",
    "cooperation_modes": "areas",
    "lifecycle_stages": "stages",
    "product_types": "products",
    "excluded_products": "exclusions",
    "expected_outcomes": "outcomes",
    "notes": "notes",
}
STATUS_KINDS = {
    "in force": {"entered_into_force", "in_operation", "part_in_operation"},
    "expired": {"expired"},
    "provisionally applied": {"provisionally_applied"},
    "proposed": {"proposed"},
    "suspended": {"suspended"},
    "abandoned": {"abandoned"},
}
ROLES = {
    "implementing agency": "implementing_agency",
    "contact point": "contact_point",
    "founding body": "founding_body",
    "coordinator": "coordinator",
}

#: The compilers' modes, and the depths and areas that bear them out.
MODE_WORDS = {
    "information_exchange": {"information_exchange"},
    "joint_work": {"work_sharing", "working-groups", "joint-programmes"},
    "work_sharing": {"work_sharing"},
    "capacity_building": {"capacity-building", "staff-training"},
    "personnel_exchange": {"staff-exchange"},
    "harmonisation": {
        "harmonisation",
        "registration-requirements",
        "pharmacopoeia",
        "good-laboratory-practice",
        "joint-institution",
    },
    "enforcement": {"enforcement"},
    "reliance": {"reliance", "recognition"},
    "mutual_recognition": {"recognition"},
    "unilateral_recognition": {"recognition"},
}

FIRST_READING = (
    "The compilers' first reading of the stages overstated: no provision bears this one out under "
    "the coding rules. (The phrase behind each stage is replaced by the provisions' statements.)"
)
MODES = (
    "The compilers' word for a mode of cooperation, not borne out by the sources under the coding "
    "rules, or of a list entry whose scope is not stated."
)
REWORDED = "The note spoke of the compilers' own files; it was reworded for the public."
PRODUCTS = "The compilers' guess at the products, not borne out by the source."
MOVED = (
    "Founded, established or announced: no source gives a date of signature, and the year of a "
    "news page is none (coding rule 8). The date is a milestone instead."
)
OVERSTATED = "The compilers' summary said agreed where the announcement says could enable."
MEMBER = "A member of a scheme that nobody signed, which has no parties."
WITNESS = "In attendance, which is present and not a witness."


def walk(value):
    if isinstance(value, dict):
        for item in value.values():
            yield from walk(item)
    elif isinstance(value, list):
        for item in value:
            yield from walk(item)
    else:
        yield value


def key_of(code):
    return code.lower().replace("_", "-")


def missing_values():
    """(reason or None, slug, key, value) for each value of the file that is not in the register."""
    for given in COMPILED:
        record = RECORDS[given["slug"]]
        for key, value in given.items():
            check = CHECKS[key]
            for reason, lost in check(given, record, value):
                yield reason, given["slug"], key, lost


def same(column):
    """The value stands unchanged in this column; nothing stated is empty."""

    def check(given, record, value):
        if record[column] != (value or ""):
            yield None, value

    return check


def check_date(given, record, value):
    if value and record["signed_on"] != value["date"]:
        dated = [m["date"] or "" for m in record["milestones"]]
        moved = any(date.startswith(value["date"]) for date in dated)
        yield (MOVED if moved else None), value


def check_summary(given, record, value):
    if record["summary"] != value:
        yield (OVERSTATED if given["slug"] == "hsa-mhlw-moc-2026" else None), value


def check_lines(column):
    def check(given, record, value):
        if record[column].split("\n") != (value or [""]):
            yield None, value

    return check


def check_parties(given, record, parties):
    if len(parties) != len(record["participations"]):
        yield None, "number of parties"
    for party, part in zip(parties, record["participations"], strict=False):
        agency = AGENCIES[part["agency"]]
        known_names = {agency["name"], agency["native_name"], agency["acronym"]}
        # HPRA's present and former names stood in one text.
        former = re.fullmatch(r"(.*) \(formerly (.*)\)", party["agency"])
        names = former.groups() if former else (party["agency"],)
        known_names |= {other["name"] for other in agency["names"]}
        for name in (*names, party["acronym"], party["name_local"]):
            if name and name not in known_names:
                yield None, name
        if part["agency"] != key_of(party["key"]):
            yield None, party["key"]
        union = agency["jurisdiction"] == "EU" and party["country"] is None
        if agency["jurisdiction"] != (party["country"] or "") and not union:
            yield None, party["country"]
        if agency["kind"] != party["party_kind"].replace(" ", "_"):
            yield None, party["party_kind"]
        if party["parent"]:
            parent = AGENCIES[agency["parent"]]
            parent_names = {parent["name"], parent["native_name"]}
            parent_names |= {re.sub(r" \([^)]*\)$", "", name) for name in parent_names}
            stated = re.sub(r" \((affiliated|Australia)\)$", "", party["parent"])
            if stated not in parent_names:
                yield None, party["parent"]
            if "affiliated" in party["parent"] and "Affiliated" not in agency["note"]:
                yield None, party["parent"]
        if agency["name_supplied"] == party["agency_name_basis"].startswith("as in"):
            yield None, party["agency_name_basis"]
        role = ROLES.get(party["role"], "party")
        if part["role"] != role and part["role_stated"] != party["role"]:
            unsigned = record["signed_on"] is None and part["role"] in ("member", "coordinator")
            yield (MEMBER if unsigned else None), party["role"]
        if party["role"] not in {"party", *ROLES} and part["role_stated"] != party["role"]:
            yield None, party["role"]


def check_people(capacities):
    def check(given, record, people):
        for person in people:
            wanted = {
                "name": person["name"] or "",
                "honorific": person["honorific"] or "",
                "post": person["post"],
                "acted_for": person["agency"],
            }
            found = [p for p in record["signatories"] if all(p[k] == v for k, v in wanted.items())]
            capacity = capacities.get(person.get("role"), "present")
            if len(found) != 1:
                yield None, person
            elif found[0]["capacity"] != capacity:
                in_attendance = found[0]["note"] == "in attendance"
                yield (WITNESS if in_attendance else None), person
            elif person.get("how") and found[0]["note"] != person["how"]:
                yield None, person["how"]

    return check


def check_signed_by_party(given, record, rows):
    dates = Counter(p["signed_on"] for p in record["participations"] if p["signed_on"])
    acts = {p["signing_act"] for p in record["participations"]}
    for row in rows:
        if row["date"] and not dates[row["date"]["date"]]:
            yield None, row
        if row.get("event") and row["event"] not in acts:
            yield None, row


def check_place(given, record, value):
    place = value or {"city": None, "country": None, "venue": None}
    for key, text in place.items():
        if record[f"signed_{key}"] != (text or ""):
            yield None, text


def check_milestone(given, record, value):
    dates = {date for m in record["milestones"] for date in (m["date"], m["until"])}
    if value and value["date"] not in dates:
        yield None, value


def check_status(given, record, value):
    if value and not STATUS_KINDS[value] & {m["kind"] for m in record["milestones"]}:
        yield None, value


def check_relations(given, record, rows):
    found = {(r["kind"], r["target"] or r["target_title"], r["note"]) for r in record["relations"]}
    for row in rows:
        note = reworded(row["note"] or "")
        if (row["type"], row["target"], note) not in found:
            yield None, row
        if note != (row["note"] or ""):
            yield REWORDED, row
        if row["target_in_dataset"] != (row["target"] in RECORDS):
            yield None, row


def check_events(given, record, rows):
    for row in rows:
        if not any(
            m["date"] == row["date"]["date"] and row["event"] in m["note"]
            for m in record["milestones"]
        ):
            yield None, row


def check_stages(given, record, rows):
    reached = {AREA_STAGE[p["area"]] for p in record["provisions"]}
    for row in rows:
        if STAGES[row["stage"]] not in reached:
            yield FIRST_READING, row


def check_products(given, record, codes):
    named = {*record["products"], *(c for p in record["provisions"] for c in p["products"])}
    for code in codes:
        if code.replace("_", "-") not in named:
            yield PRODUCTS, code


def check_exclusions(given, record, phrases):
    texts = " ".join(p["statement"] + " " + p["condition"] for p in record["provisions"])
    for phrase in phrases:
        if phrase not in texts:
            yield None, phrase


def check_modes(given, record, modes):
    words = {w for p in record["provisions"] for w in (p["depth"], p["area"])}
    if words & {"work_sharing", "reliance", "recognition"}:
        words.add("information_exchange")
    for mode in modes:
        if not words & MODE_WORDS[mode]:
            yield MODES, mode


def check_outcomes(given, record, texts):
    found = {text for o in record["outcomes"] for text in (o["statement"], o["reported"])}
    yield from ((None, text) for text in texts if text not in found)


def check_sources(given, record, rows):
    if len(rows) != len(record["sources"]):
        yield None, "number of sources"
    for number, (row, source) in enumerate(zip(rows, record["sources"], strict=False), start=1):
        published = row["published"]["date"] if row["published"] else None
        expected = (number, row["publisher"], row["title"] or "", row["url"] or "", published)
        if (
            tuple(source[k] for k in ("number", "publisher", "title", "url", "published_on"))
            != expected
        ):
            yield None, row


def check_evidence(given, record, rows):
    found = {(e["topic"], e["statement"], e["verbatim"], e["source"]) for e in record["evidence"]}
    for row in rows:
        wanted = (
            TOPICS[row["field"]],
            reworded(row["statement"]),
            row["verbatim"],
            row["source_index"] + 1,
        )
        if wanted not in found:
            yield None, row
        if wanted[1] != row["statement"]:
            yield REWORDED, row


def reworded(text):
    """Two phrases about the compilers' copies, as the public reads them."""
    return text.replace("in the stored text", "in the copy that was read").replace(
        "acceptance not in the retrieved text", "acceptance is not in the text that was read"
    )


def check_notes(given, record, value):
    if record["source_notes"] != (value or ""):
        # Reworded, never dropped: the public note keeps the figures and names of the old one.
        facts = set(re.findall(r"\d+|[A-Z]{3,}", value))
        kept = set(re.findall(r"\d+|[A-Z]{3,}", record["source_notes"]))
        yield (REWORDED if facts <= kept else None), value


CHECKS = {
    "slug": same("slug"),
    "title": same("title"),
    "title_local": same("original_title"),
    "short_title": same("short_title"),
    "instrument_type": same("instrument_title"),
    "instrument_type_normalised": same("instrument_type"),
    "detail_level": same("detail_level"),
    "legal_nature": same("legal_nature_stated"),
    "summary": check_summary,
    "duration": same("term_stated"),
    "renewal": same("renewal_stated"),
    "reference_numbers": check_lines("reference_numbers"),
    "areas_of_cooperation": check_lines("areas_stated"),
    "parties": check_parties,
    "signatories": check_people({"signatory": "signed", "witness": "witnessed"}),
    "others_present": check_people({}),
    "signed_on": check_date,
    "signed_on_by_party": check_signed_by_party,
    "signed_at": check_place,
    "entered_into_force": check_milestone,
    "expires_on": check_milestone,
    "status": check_status,
    "relations": check_relations,
    "other_events": check_events,
    "lifecycle_stages": check_stages,
    "product_types": check_products,
    "excluded_products": check_exclusions,
    "cooperation_modes": check_modes,
    "expected_outcomes": check_outcomes,
    "source": check_sources,
    "evidence": check_evidence,
    "notes": check_notes,
}
#: Each reason and how many values it may explain. A change here is a change to look at.
REASONS = {
    FIRST_READING: 19,
    MODES: 62,
    REWORDED: 64,
    MEMBER: 12,
    OVERSTATED: 1,
    MOVED: 13,
    WITNESS: 1,
    PRODUCTS: 1,
}


def test_every_compiled_record_is_here():
    assert [record["slug"] for record in REGISTER["agreements"]] == sorted(RECORDS)
    assert set(RECORDS) >= {given["slug"] for given in COMPILED}


def test_every_value_is_in_the_register_or_has_a_reason():
    lost = list(missing_values())
    unexplained = [row for row in lost if row[0] is None]
    assert unexplained == []
    assert Counter(reason for reason, *_ in lost) == REASONS


def test_a_list_entry_has_no_stage_coverage_unless_its_list_states_one():
    staged = {
        slug
        for slug in (given["slug"] for given in COMPILED)
        if (record := RECORDS[slug])["detail_level"] == "list_entry"
        and any(AREA_STAGE[p["area"]] for p in record["provisions"])
    }
    assert staged == {"mfds-mexico-gmp-mou-2016"}


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
def test_every_provision_has_its_evidence(record):
    numbers = {source["number"] for source in record["sources"]}
    for provision in record["provisions"]:
        assert provision["statement"]
        assert provision["source"] in numbers
