"""The table of partners: what stands between a subject and each of its partners."""

from collections.abc import Iterable
from typing import Any

from ..coverage import Partner, Stage
from .cells import LIST_SEPARATOR, csv_pieces, guard

#: The columns of the table of partners, for ever: new ones go to the end.
PARTNER_COLUMNS = (
    "subject",
    "status_day",
    "partner",
    "partner_name",
    "partner_jurisdiction",
    "agreements",
    "agreement_ids",
    *(
        f"{stage}_{column}"
        for stage in Stage.values
        for column in ("depth", "commitment", "excluded", "agreements", "agreement_ids")
    ),
    "no_stage_agreements",
    "no_stage_agreement_ids",
)


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
        f"{prefix}agreement_ids": LIST_SEPARATOR.join(slugs),
    }


def partners_csv(rows: Iterable[dict[str, Any]]) -> str:
    """The table of partners as RFC 4180 text with a byte order mark."""
    cells = ([guard(row[name]) for name in PARTNER_COLUMNS] for row in rows)
    return "".join(csv_pieces(PARTNER_COLUMNS, [cells]))
