"""The kinds of filter of the list: what each filter does besides taking a value."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import django_filters

if TYPE_CHECKING:
    from .filters import AgreementFilterSet


class Narrowing:
    """What a filter does besides taking a value. It is asked only where a value was chosen."""

    field_name: str
    #: Its turn in the sentence, and what stands before its words there.
    turn: int
    joint: str = ", "

    @property
    def group(self) -> str:
        """Filters of one group ask one thing together: a value is counted without them all."""
        return self.field_name

    def limit(self, question: "AgreementFilterSet", chosen: Any) -> int | None:
        """The agreements that meet it; None where it leaves none out."""
        return None

    def counted(
        self, question: "AgreementFilterSet", others: int, found: int
    ) -> dict[str, int] | None:
        """Value -> how many agreements there are with it, of those that ``others`` leave (all that
        is asked but this group), or of those ``found``; None where none are counted."""
        return None

    def words(self, question: "AgreementFilterSet", chosen: Any) -> str:
        """What the sentence says of it; empty where another filter says it."""
        return ""


class Several(Narrowing, django_filters.MultipleChoiceFilter):
    """Takes several values. ``saying`` puts their ``labels`` into words."""

    #: Whether the page offers its values as boxes to tick, and what stands above these.
    boxes = True
    above = ""

    def __init__(self, *, saying: str = "", **kwargs: Any) -> None:
        self.saying = saying
        super().__init__(**kwargs)

    def words(self, question: "AgreementFilterSet", chosen: list[str]) -> str:
        labels = question.labels(self.field_name)
        return self.saying.format(labels=either(labels), lower=either(map(str.lower, labels)))


class Coded(Several):
    """One of the agreement's own codes (``entry.CODED``)."""

    turn = 2

    def __init__(self, *, field: str, **kwargs: Any) -> None:
        self.field_of_agreement = field
        super().__init__(**kwargs)

    def limit(self, question: "AgreementFilterSet", chosen: list[str]) -> int:
        return question.register.coded.any((self.field_of_agreement, code) for code in chosen)

    def counted(self, question: "AgreementFilterSet", others: int, found: int) -> dict[str, int]:
        coded = question.register.coded.counted(others)
        return {code: n for (name, code), n in coded.items() if name == self.field_of_agreement}


class Modifier(Narrowing, django_filters.ChoiceFilter):
    """Says how another filter is meant."""

    turn = 0


def either(words: Iterable[str], joint: str = "or") -> str:
    """One phrase that offers each of the words; empty where there are none."""
    *first, last = [*words] or [""]
    return f"{', '.join(first)} {joint} {last}" if first else last


def every(words: Iterable[str]) -> str:
    """One phrase that demands all of the words."""
    return either(words, "and")
