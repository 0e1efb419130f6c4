"""Which countries were members of the European Union on a given day.

From the treaties of accession and, for the United Kingdom, the withdrawal agreement; a founding
member counts from the entry into force of the Treaty of Rome, whose community the Union continues.
"""

import datetime

EU = "EU"

_JOINED = {
    datetime.date(1958, 1, 1): "BE DE FR IT LU NL",
    datetime.date(1973, 1, 1): "DK GB IE",
    datetime.date(1981, 1, 1): "GR",
    datetime.date(1986, 1, 1): "ES PT",
    datetime.date(1995, 1, 1): "AT FI SE",
    datetime.date(2004, 5, 1): "CY CZ EE HU LT LV MT PL SI SK",
    datetime.date(2007, 1, 1): "BG RO",
    datetime.date(2013, 7, 1): "HR",
}
#: The first day on which a former member was none.
_LEFT = {"GB": datetime.date(2020, 2, 1)}


def eu_members(day: datetime.date) -> set[str]:
    """The ISO 3166-1 codes of the members of the European Union on ``day``."""
    joined = {code for since, codes in _JOINED.items() if since <= day for code in codes.split()}
    return joined - {code for code, left in _LEFT.items() if left <= day}
