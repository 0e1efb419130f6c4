"""Which addresses are the staff desk's."""

from django.http import HttpRequest


def at_the_desk(request: HttpRequest) -> bool:
    """Whether the address is the staff desk's; all others are public."""
    return request.path_info.startswith("/admin/")
