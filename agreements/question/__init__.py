"""What is asked of the register, and the one engine that answers."""

from .asked import CHOICES_SHOWN, MAX_SIDES, Choice, Question, shown
from .entry import Entry, as_text
from .fields import DayFilter, MomentField
from .filters import AgreementFilterSet
from .partners import CoverageFilterSet
from .present import current
from .register import Register, Tombstone, changed_first

__all__ = [
    "CHOICES_SHOWN",
    "MAX_SIDES",
    "AgreementFilterSet",
    "Choice",
    "CoverageFilterSet",
    "DayFilter",
    "Entry",
    "MomentField",
    "Question",
    "Register",
    "Tombstone",
    "as_text",
    "changed_first",
    "current",
    "shown",
]
