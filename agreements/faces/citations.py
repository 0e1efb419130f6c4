"""How others name a record: in plain words, for BibTeX, as CSL-JSON, as schema.org data.

What is cited is the record in this register, at the version of its last change; the instrument is
told as what the record is about. A partial date keeps the precision its source gives it.
"""

import datetime
import json
import re
from typing import Any

from django.utils import timezone

from ..dates import PartialDate
from ..models import Agreement
from ..rules.coverage import Commitment

REGISTER = "moctracker"
REGISTER_TITLE = (
    "moctracker: register of international cooperation agreements between health-product regulators"
)
_BIBTEX = {
    "\\": r"\textbackslash{}",
    # Spelled out: a brace that is only escaped still counts as one when BibTeX pairs them.
    "{": r"\textbraceleft{}",
    "}": r"\textbraceright{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{char: "\\" + char for char in "&%$#_"},
}
_NOT_PRINTABLE = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]+")


def version(agreement: Agreement) -> datetime.date:
    """The day of the record's last change."""
    return timezone.localdate(agreement.updated_at)


def participants(agreement: Agreement) -> list[str]:
    """The names of the participants in the instrument's order; comes with them prefetched."""
    return [part.agency.name for part in agreement.participations.all()]


def plain_citation(agreement: Agreement, url: str, accessed: datetime.date) -> str:
    """One line that names the record; ``url`` is its permanent address."""
    signed_on = agreement.signed_on
    sentences = [
        f"{REGISTER} register, “{agreement.title}”",
        f"Participants: {'; '.join(participants(agreement)) or 'not stated'}",
        f"Signed: {signed_on or 'date not stated'}",
        f"Record as changed on {_words(version(agreement))}",
        f"{url} (accessed {_words(accessed)})",
    ]
    return _line(". ".join(sentences)) + "."


def bibtex(agreement: Agreement, url: str, accessed: datetime.date) -> str:
    """The record as one BibTeX entry; ``origdate`` and ``urldate`` are for BibLaTeX."""
    signed_on = agreement.signed_on
    changed = version(agreement)
    fields = {
        "author": f"{{{REGISTER}}}",
        # Inner braces: the title keeps its capitals.
        "title": f"{{{_escaped(agreement.title)}}}",
        "howpublished": _escaped(REGISTER_TITLE),
        "year": str(changed.year),
        "month": str(changed.month),
        "origdate": signed_on.iso if signed_on else "",
        "note": _escaped(
            f"Participants: {'; '.join(participants(agreement)) or 'not stated'}. "
            f"Signed: {signed_on or 'date not stated'}. Record as changed on {_words(changed)}"
        ),
        "url": url,
        "urldate": accessed.isoformat(),
    }
    lines = (f"  {name} = {{{value}}},\n" for name, value in fields.items() if value)
    return f"@misc{{{agreement.slug},\n{''.join(lines)}}}\n"


def csl(agreement: Agreement, url: str, accessed: datetime.date) -> dict[str, Any]:
    """The record as one CSL-JSON item: an entry of a database, about an older original."""
    signed_on = agreement.signed_on
    item: dict[str, Any] = {
        "id": agreement.slug,
        "type": "entry",
        "title": _line(agreement.title),
        "author": [{"literal": REGISTER}],
        "original-author": [{"literal": _line(name)} for name in participants(agreement)],
        "container-title": REGISTER_TITLE,
        "issued": _date_parts(_as_partial(version(agreement))),
        "accessed": _date_parts(_as_partial(accessed)),
        "URL": url,
    }
    if signed_on:
        item["original-date"] = _date_parts(signed_on)
    return item


def csl_json(agreement: Agreement, url: str, accessed: datetime.date) -> str:
    """The CSL-JSON document of one record: a list of one item, a variable a line."""
    variables = csl(agreement, url, accessed).items()
    lines = (f"  {json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}" for k, v in variables)
    return "[\n {\n" + ",\n".join(lines) + "\n }\n]\n"


def linked_data(agreement: Agreement, url: str, site_url: str) -> dict[str, Any]:
    """The instrument as schema.org data. A CreativeWork: the type that claims nothing about its
    legal force."""
    signed_on = agreement.signed_on
    reaching = [p for p in agreement.provisions.all() if p.commitment != Commitment.EXCLUDED]
    work: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "CreativeWork",
        "@id": url,
        "url": url,
        "identifier": agreement.slug,
        "name": agreement.title,
        "contributor": [
            {"@type": "Organization", "name": part.agency.name}
            for part in agreement.participations.all()
        ],
        "about": list(dict.fromkeys(p.area.name for p in reaching)),
        "dateModified": version(agreement).isoformat(),
        "isPartOf": {"@type": "DataCatalog", "name": REGISTER_TITLE, "url": site_url},
    }
    if agreement.summary:
        work["description"] = agreement.summary
    if agreement.original_title:
        work["alternateName"] = agreement.original_title
    if agreement.original_language:
        work["inLanguage"] = agreement.original_language
    if signed_on and signed_on.precision == "day":
        work["dateCreated"] = signed_on.iso
    return work


def _line(text: str) -> str:
    return _NOT_PRINTABLE.sub(" ", text)


def _words(day: datetime.date) -> str:
    return str(_as_partial(day))


def _as_partial(day: datetime.date) -> PartialDate:
    return PartialDate(day.year, day.month, day.day)


def _escaped(text: str) -> str:
    return "".join(_BIBTEX.get(char, char) for char in _line(text))


def _date_parts(date: PartialDate) -> dict[str, list[list[int]]]:
    return {"date-parts": [[part for part in (date.year, date.month, date.day) if part]]}
