"""Where failed attempts are counted."""

from collections.abc import Callable
from typing import Any

from django.core.cache.backends.db import DatabaseCache
from django.db import OperationalError, connections, router, transaction


class Counts(DatabaseCache):
    """Django's database cache, which raises OperationalError when it cannot write.

    Django's own takes a full disk or a lock for "there already": a person who signs in would be
    told of too many attempts, and a failed one would not be counted.
    """

    def _base_set(self, mode: str, key: str, value: object, timeout: float | None = None) -> Any:
        database = router.db_for_write(self.cache_model_class)
        failed: list[OperationalError] = []

        def noted(execute: Callable[..., object], *args: object) -> object:
            try:
                return execute(*args)
            except OperationalError as error:
                failed.append(error)
                raise

        # Around Django's own transaction, so that the commit is ours and its failure is raised.
        with connections[database].execute_wrapper(noted), transaction.atomic(using=database):
            done = super()._base_set(mode, key, value, timeout)  # type: ignore[misc]
        if failed:
            raise failed[0]
        return done
