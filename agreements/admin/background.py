"""Work that takes a while, told line by line to whoever waits for the page."""

import queue
import threading
import time
from collections.abc import Callable, Generator
from typing import Generic, TypeVar

from django.db import connections
from django.template.defaultfilters import pluralize

T = TypeVar("T")

#: Seconds between two lines that only count: a page of them helps nobody.
BETWEEN_COUNTS = 0.5


class Stopped(Exception):
    """Nobody waits any more. Raised inside the work, so that its transaction is rolled back."""


class Teller:
    """What the work is given to say how far it is."""

    def __init__(self) -> None:
        self.lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self.nobody_waits = threading.Event()

    def line(self, words: str) -> None:
        """Say this. Raises Stopped if nobody waits any more."""
        if self.nobody_waits.is_set():
            raise Stopped
        self.lines.put(words)

    def counting(self, verb: str) -> Callable[[int, int], None]:
        """A function that takes a number and of how many, and says so now and then: "Checked 1,000
        of 5,000 agreements". It raises Stopped if nobody waits any more."""
        said = time.monotonic()

        def count(number: int, most: int) -> None:
            nonlocal said
            if self.nobody_waits.is_set():
                raise Stopped
            if number == most or time.monotonic() - said >= BETWEEN_COUNTS:
                said = time.monotonic()
                self.line(f"{verb} {number:,} of {most:,} agreement{pluralize(most)}.")

        return count


class Outcome(Generic[T]):
    """How the work ended: with a result or with an error."""

    result: T
    error: Exception | None = None


def in_background(work: Callable[[Teller], T]) -> Generator[str, None, Outcome[T]]:
    """Do the work in a thread of its own, yield its lines as they come, and return its Outcome.

    The thread has its own connection to the database. Whoever closes this generator stops the work
    at its next line, and waits until it has been rolled back.
    """
    teller, outcome = Teller(), Outcome[T]()

    def run() -> None:
        try:
            outcome.result = work(teller)
        except Exception as error:
            outcome.error = error
        finally:
            connections.close_all()
            teller.lines.put(None)

    thread = threading.Thread(target=run, name="import")
    thread.start()
    try:
        while (line := teller.lines.get()) is not None:
            yield line
    finally:
        teller.nobody_waits.set()
        thread.join()
    return outcome
