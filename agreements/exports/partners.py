"""The table of partners: what stands between a subject and each of its partners."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ..rules.coverage import Stage
from ..rules.partners import Partner
from .cells import BYTE_ORDER_MARK, csv_text
from .tables import Column

_OF_STAGE = (
    Column(
        "depth",
        "The deepest that stands at this stage; it need not hold for every product.",
        "code",
    ),
    Column("commitment", "The commitment of that depth.", "code"),
    Column(
        "excluded",
        "yes where an agreement says of something at this stage that it does not cover it.",
    ),
    Column(
        "agreements",
        "How many agreements count at this stage. An exclusion never counts.",
        "number",
    ),
    Column("agreement_ids", "The id of each of them.", listed=True),
)
#: The columns of the table of partners, for ever: new ones go to the end.
PARTNERS = (
    Column("subject", "The agency key or country code asked for."),
    Column("status_day", "The day it is told for.", "date"),
    Column("partner", "Agency key or country code of the partner."),
    Column("partner_name", "The partner's name."),
    Column("partner_jurisdiction", "ISO 3166-1 code, or EU, of the partner."),
    Column("agreements", "How many agreements answer.", "number"),
    Column("agreement_ids", "The id of each of them.", listed=True),
    *(
        replace(each, name=f"{stage.value}_{each.name}", meaning=f"{stage.label}. {each.meaning}")
        for stage in Stage
        for each in _OF_STAGE
    ),
    Column("no_stage_agreements", "How many of them state no stage.", "number"),
    Column("no_stage_agreement_ids", "The id of each of those.", listed=True),
)
PARTNER_COLUMNS = tuple(column.name for column in PARTNERS)


def partner_row(partner: Partner) -> dict[str, Any]:
    """What stands with one partner, as the columns of ``PARTNER_COLUMNS`` that follow from it."""
    row: dict[str, Any] = {"partner": partner.key} | _counted("", partner.agreements)
    for cell in partner.cells:
        stage, deepest = cell.whole.stage.value, cell.whole.deepest
        row |= {
            f"{stage}_depth": deepest.depth.value if deepest else "",
            f"{stage}_commitment": deepest.commitment.value if deepest else "",
            f"{stage}_excluded": "yes" if cell.whole.excluded else "",
        }
        row |= _counted(f"{stage}_", cell.agreements)
    return row | _counted("no_stage_", partner.without_stage)


def _counted(prefix: str, slugs: tuple[str, ...]) -> dict[str, Any]:
    return {
        f"{prefix}agreements": len(slugs),
        f"{prefix}agreement_ids": slugs,
    }


def partners_csv(rows: Iterable[dict[str, Any]]) -> str:
    """The table of partners as RFC 4180 text with a byte order mark."""
    cells = ([column.cell(row[column.name]) for column in PARTNERS] for row in rows)
    return BYTE_ORDER_MARK + csv_text([PARTNER_COLUMNS, *cells])
