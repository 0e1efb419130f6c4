"""What each public field means to whoever reads the data.

A model's help text is written for whoever types the value. Where it tells that person what to do,
the reader is told here what came of it; elsewhere ``tables.described`` says the same to both.
"""

from django.db.models import Model

from ..models import (
    Agency,
    AgencyName,
    Agreement,
    CooperationArea,
    Evidence,
    Outcome,
    Participation,
    ProductCategory,
    Provision,
    Relation,
    Signatory,
    Source,
)
from .tables import Column, Table, described

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
    (Source, "number"): "Its number within the agreement, by which the other tables name it; on "
    "the page it stands in brackets: [1].",
    (Source, "language"): "Its language, as a short code: ja, ko, fr, pt.",
    (Participation, "role_stated"): "Its part in the source's words, where they say more than "
    "role.",
    (Participation, "signed_on"): "When it signed, if on a day of its own.",
    (Participation, "joined_on"): "When it joined, if after the agreement began.",
    (Signatory, "capacity"): "Whether the person signed, witnessed, or was present. Whoever is "
    "only seen in a photograph was present.",
    (Signatory, "honorific"): "What stands before the name: Dr, Mr, Adjunct Professor (Dr).",
    (Provision, "commitment"): "How firm the source's words are. Could, seeks to, aims to: "
    "intended. Will, agree to: agreed. A working, dated operation: in operation. Ruled out: "
    "excluded.",
    (Provision, "products"): "The products that the same sentence of the source names. Empty: it "
    "names none, and nothing follows about which.",
    (Provision, "statement"): "What the source says, in the register's own words.",
    (Relation, "kind"): "What this agreement is to the other. It is recorded from this side only.",
    (Outcome, "statement"): "What is expected, in the register's own words, with its qualifier: "
    "up to, on average.",
    (Outcome, "qualifier"): "How the figure is meant: average of, up to, at least.",
    (Evidence, "statement"): "What the source says: word for word where verbatim is true, else in "
    "the register's own words.",
    (Agency, "key"): "The agency's permanent name in addresses and exports: hsa, sfda-sa.",
    (Agency, "native_language"): "The language of native_name, as a short code: ja, ko, fr, pt.",
    (Agency, "jurisdiction"): "The country or territory, by its own ISO 3166-1 code (HK and TW "
    "have one), or EU. Empty for other intergovernmental bodies.",
    (Agency, "note"): "A remark.",
    (AgencyName, "language"): "The language of the name, as a short code: ja, ko, fr, pt.",
    (CooperationArea, "stage"): "The stage of a product's life it belongs to. Empty for what cuts "
    "across the stages: training, emerging technology, enforcement, joint programmes.",
}
for _noun in (CooperationArea, ProductCategory):
    _MEANINGS |= {
        (_noun, "code"): "Its permanent name in addresses and exports.",
        (_noun, "name"): "Its name on the pages.",
        (_noun, "description"): "What belongs here and what does not.",
    }


def meaning(noun: type[Model], name: str) -> str:
    """What a public field of a record means."""
    return _MEANINGS.get((noun, name)) or described(noun, name).meaning


def column_meaning(table: Table, column: Column) -> str:
    """What a column of a table means."""
    # A column of another name than its field has its own words, and so has one worked out.
    same = column.name == column.field
    return (_MEANINGS.get((table.noun, column.field), "") if same else "") or column.meaning
