"""What the pages of the staff desk need to say."""

from typing import Any

from django import template
from django.utils import timezone

from ..admin.worklists import counted_for

register = template.Library()


@register.inclusion_tag("admin/_worklists.html", takes_context=True)
def worklists(context: template.Context) -> dict[str, Any]:
    """The worklists of whoever has signed in, each with its number of records."""
    return {"worklists": counted_for(context["request"].user, timezone.localdate())}
