"""The one app."""

from django.apps import AppConfig


class AgreementsConfig(AppConfig):
    """Everything the register is."""

    name = "agreements"
    verbose_name = "Register of agreements"
    default_auto_field = "django.db.models.BigAutoField"
