"""The data package as dated releases: each is kept, with what changed since the one before."""

from ..exports import RegisterChanged
from .building import UnderWay, build
from .folder import Release, every, mark, named, newest, withdrawn_since

__all__ = [
    "RegisterChanged",
    "Release",
    "UnderWay",
    "build",
    "every",
    "mark",
    "named",
    "newest",
    "withdrawn_since",
]
