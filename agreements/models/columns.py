"""Columns that keep out what one of the databases, or a web page, could not hold; and what a field
means to whoever reads the data."""

from typing import Any

from django.core.validators import (
    MaxValueValidator,
    ProhibitNullCharactersValidator,
    URLValidator,
)
from django.db import models
from django.db.models.lookups import In
from django_countries.fields import Country, CountryField


class Line(models.CharField):
    """One line of text, empty where nothing is stated."""

    default_validators = [*models.CharField.default_validators, ProhibitNullCharactersValidator()]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 500)
        super().__init__(*args, **kwargs)


class Prose(models.TextField):
    """Text of any length, empty where nothing is stated."""

    default_validators = [*models.TextField.default_validators, ProhibitNullCharactersValidator()]


class SmallNumber(models.PositiveSmallIntegerField):
    """A whole number from 0 to 32767 on both databases; SQLite alone would take any."""

    default_validators = [MaxValueValidator(32767)]


@models.IntegerField.register_lookup
class InRange(In):
    """Whether a whole number is among others. Those that no column holds are left out, as Django
    does for one alone; SQLite's driver would raise OverflowError."""

    def get_prep_lookup(self) -> Any:
        values: Any = super().get_prep_lookup()
        if not self.rhs_is_direct_value():
            return values
        most = models.BigIntegerField.MAX_BIGINT
        return [n for n in values if not isinstance(n, int) or -most <= n <= most]


class WebAddress(models.URLField):
    """An http or https address."""

    default_validators = [URLValidator(schemes=["http", "https"])]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 2000)
        super().__init__(*args, **kwargs)

    def formfield(self, **kwargs: Any) -> Any:
        """A bare host is taken for https."""
        return super().formfield(**{"assume_scheme": "https"} | kwargs)


class Jurisdiction(CountryField):
    """An ISO 3166-1 code, or EU; reads as django-countries' Country."""

    # What django-stubs takes the attribute to hold: no text, as the base class says.
    _pyi_private_get_type: Country  # type: ignore[assignment]


def meaning(noun: type[models.Model], name: str) -> str:
    """What the field ``name`` means to whoever reads the data.

    That stands in ``MEANINGS`` of the model, or of a model it inherits from, where the help text
    tells whoever types what to do; elsewhere the help text says the same to both. Raises
    FieldDoesNotExist for a name that is no field.
    """
    field: Any = noun._meta.get_field(name)
    for each in noun.__mro__:
        if known := vars(each).get("MEANINGS", {}).get(name):
            return str(known)
    return str(field.help_text)
