"""What each public field means to whoever reads the data.

A model's help text is written for whoever types the value. Where it tells that person what to do,
the reader is told here what came of it; elsewhere the help text says the same to both.
"""

from typing import Any

from django.db.models import Model

from ..models import (
    Agency,
    AgencyName,
    Agreement,
    CooperationArea,
    Evidence,
    Milestone,
    Outcome,
    Participation,
    ProductCategory,
    Provision,
    Relation,
    Signatory,
    Source,
)

_MEANINGS: dict[tuple[type[Model], str], str] = {
    (Agreement, "title"): "The full title in English. Where no source has one, the register's own "
    "description of the instrument.",
    (Agreement, "short_title"): "A shorter title for lists: HSA–MHLW MOC 2026.",
    (Agreement, "instrument_type"): "The register's word for the kind of instrument, the same for "
    "all records. What it calls itself stands in instrument_title.",
    (Agreement, "legal_nature"): "Whether it is binding, where a source says so; else not_stated. "
    "It is never concluded from the kind of instrument.",
    (Agreement, "legal_nature_stated"): "What the source says of its legal nature, in the "
    "register's own words.",
    (Agreement, "summary"): "What it is about, in the register's own words.",
    (Agreement, "areas_stated"): "The areas of cooperation as the sources give them, one phrase a "
    "line. Coverage comes from the provisions, not from this.",
    (Agreement, "detail_level"): "How much is known. A list_entry is known from a regulator's list "
    "only, with kind, partners and date, and rightly has no provisions.",
    (Agreement, "slug"): "The record's permanent name, also in its address.",
    (Agreement, "signed_city"): "City of signature.",
    (Agreement, "signed_country"): "Country of signature: ISO 3166-1 code or EU.",
    (Agreement, "signed_venue"): "Venue of signature.",
    (Agreement, "signed_on"): "Date of signature as the source gives it. If the sides signed on "
    "different days, the last; each side's day stands with the participant.",
    (Agreement, "text_url"): "Where the text can be read.",
    (Agreement, "source_notes"): "Where sources disagree, what could not be found.",
    (Source, "number"): "Its number within the agreement, by which the other tables name it; on "
    "the page it stands in brackets: [1].",
    (Source, "language"): "Its language, as a short code: ja, ko, fr, pt.",
    (Source, "kind"): "Text of the instrument, publication of a participant, of another public "
    "body, press, other.",
    (Source, "url"): "Address of the page.",
    (Source, "archive_url"): "Address of an archived copy.",
    (Participation, "role_stated"): "Its part in the source's words, where they say more than "
    "role.",
    (Participation, "signed_on"): "When it signed, if on a day of its own.",
    (Participation, "joined_on"): "When it joined, if after the agreement began.",
    (Participation, "agency"): "The participant.",
    (Participation, "role"): "Its part.",
    (Participation, "left_on"): "When it left, if it did.",
    (Participation, "note"): "A remark.",
    (Signatory, "capacity"): "Whether the person signed, witnessed, or was present. Whoever is "
    "only seen in a photograph was present.",
    (Signatory, "honorific"): "What stands before the name: Dr, Mr, Adjunct Professor (Dr).",
    (Signatory, "position"): "Order of the rows.",
    (Signatory, "note"): "A remark: named in the photograph, led the delegation.",
    (Provision, "commitment"): "How firm the source's words are. Could, seeks to, aims to: "
    "intended. Will, agree to: agreed. A working, dated operation: in operation. Ruled out: "
    "excluded.",
    (Provision, "products"): "The products that the same sentence of the source names. Empty: it "
    "names none, and nothing follows about which.",
    (Provision, "statement"): "What the source says, in the register's own words.",
    (Provision, "position"): "Order of the rows.",
    (Provision, "area"): "The cooperation area it speaks of.",
    (Provision, "direction"): "Mutual, one-way or not stated.",
    (Milestone, "kind"): "What happened.",
    (Milestone, "note"): "What happened, in a few words.",
    (Relation, "kind"): "What this agreement is to the other. It is recorded from this side only.",
    (Relation, "target"): "The other agreement, if it is in the register.",
    (Relation, "target_title"): "The other agreement's title, if it is not in the register.",
    (Relation, "note"): "A remark.",
    (Outcome, "statement"): "What is expected, in the register's own words, with its qualifier: "
    "up to, on average.",
    (Outcome, "qualifier"): "How the figure is meant: average of, up to, at least.",
    (Outcome, "position"): "Order of the rows.",
    (Outcome, "figure"): "The number expected.",
    (Outcome, "stage"): "The stage it concerns, if one.",
    (Outcome, "products"): "The products it concerns.",
    (Outcome, "reported_on"): "The date of the report.",
    (Outcome, "reported_source"): "Where it was reported: number of one of the agreement's "
    "sources.",
    (Evidence, "statement"): "What the source says: word for word where verbatim is true, else in "
    "the register's own words.",
    (Evidence, "verbatim"): "true: a quotation, word for word.",
    (Agency, "key"): "The agency's permanent name in addresses and exports: hsa, sfda-sa.",
    (Agency, "native_language"): "The language of native_name, as a short code: ja, ko, fr, pt.",
    (Agency, "jurisdiction"): "The country or territory, by its own ISO 3166-1 code (HK and TW "
    "have one), or EU. Empty for other intergovernmental bodies.",
    (Agency, "note"): "A remark.",
    (Agency, "kind"): "What sort of body it is.",
    (Agency, "website"): "Its own site.",
    (Agency, "name_supplied"): "true: no source gives an English name, this is a translation.",
    (AgencyName, "language"): "The language of the name, as a short code: ja, ko, fr, pt.",
    (AgencyName, "name"): "The other name.",
    (AgencyName, "kind"): "Former name, abbreviation, other language or script, variant.",
    (CooperationArea, "stage"): "The stage of a product's life it belongs to. Empty for what cuts "
    "across the stages: training, emerging technology, enforcement, joint programmes.",
    (CooperationArea, "retired"): "true: no longer chosen. Records that have it keep it.",
    (ProductCategory, "retired"): "true: no longer chosen. Records that have it keep it.",
}
for _noun in (CooperationArea, ProductCategory):
    _MEANINGS |= {
        (_noun, "code"): "Its permanent name in addresses and exports.",
        (_noun, "name"): "Its name on the pages.",
        (_noun, "description"): "What belongs here and what does not.",
    }


def meaning(noun: type[Model], name: str) -> str:
    """What a public field of a record means."""
    known = _MEANINGS.get((noun, name))
    if known is None and name == "source":
        known = "Number of one of the agreement's sources, in the table sources."
    field: Any = noun._meta.get_field(name)
    return known or str(field.help_text)
