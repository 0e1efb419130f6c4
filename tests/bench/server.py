"""The production server, and what the processors spend on what it is asked."""

import glob
import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from django.db import connection

FIRST_LIST = "/agreements/"


class Answer(NamedTuple):
    """An answer as its reader had it: seconds to its first byte and in all, and its bytes."""

    status: int
    first: float
    total: float
    bytes: int


class Cost(NamedTuple):
    """What one request took, in milliseconds, and the bytes of its answer."""

    clock: float
    processor: float
    bytes: int


def get(
    port: int, path: str, *, session: str = "", meanwhile: Callable[[], object] | None = None
) -> Answer:
    """Ask and read all; ``meanwhile`` is called after each piece. The client takes no gzip."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    start = time.perf_counter()
    connection.request("GET", path, headers={"Cookie": f"sessionid={session}"} if session else {})
    response = connection.getresponse()
    size = len(response.read(1))
    first = time.perf_counter() - start
    while chunk := response.read(65536):
        size += len(chunk)
        if meanwhile:
            meanwhile()
    total = time.perf_counter() - start
    connection.close()
    return Answer(response.status, first, total, size)


def processor(pids: Iterable[int]) -> float:
    """Seconds that the threads of these processes have had of the processors."""
    threads = [Path(file) for pid in pids for file in glob.glob(f"/proc/{pid}/task/*/schedstat")]
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


def own_processor() -> float:
    """The same of this process and, on PostgreSQL, of the one that answers it there."""
    pids = [os.getpid()]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            pids += cursor.fetchone()
    return processor(pids)


class Server(NamedTuple):
    """A running server; ``start`` are the seconds from its start to its first list page."""

    pid: int
    port: int
    start: float

    def get(self, path: str, **more: object) -> Answer:
        """An answer, which must be a good one."""
        answer = get(self.port, path, **more)
        assert answer.status == 200, (path, answer.status)
        return answer

    def processes(self) -> list[int]:
        """Its processes, and on PostgreSQL those that answer it, if they are on this machine.
        What PostgreSQL starts for one question and ends after it is not among them."""
        found = list(_tree(self.pid))
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pid FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid != pg_backend_pid()"
                )
                found += [row[0] for row in cursor]
        return found

    def cost(self, path: str, *, wanted: int = 200, session: str = "") -> Cost:
        """What it costs to answer."""
        before = processor(self.processes())
        answer = get(self.port, path, session=session)
        assert answer.status == wanted, (path, answer.status)
        spent = processor(self.processes()) - before
        return Cost(answer.total * 1000, spent * 1000, answer.bytes)

    def memory(self) -> float:
        """Memory of the largest of its processes in MiB, without the files that it maps: the system
        keeps those anyway and takes them back when it likes."""
        states = [Path(f"/proc/{pid}/status").read_text() for pid in _tree(self.pid)]
        return max(int(each.partition("RssAnon:")[2].split()[0]) for each in states) / 1024


def _tree(pid: int) -> Iterator[int]:
    yield pid
    for file in glob.glob(f"/proc/{pid}/task/*/children"):
        for child in Path(file).read_text().split():
            yield from _tree(int(child))


@contextmanager
def served() -> Iterator[Server]:
    """The production server on the present database."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    gunicorn = [sys.executable, "-m", "gunicorn", "moctracker.wsgi", "--log-level", "error"]
    begun = time.perf_counter()
    process = subprocess.Popen([*gunicorn, "--bind", f"127.0.0.1:{port}", "--threads", "16"])
    try:
        while True:
            try:
                get(port, FIRST_LIST)
                break
            except OSError:
                assert process.poll() is None, "the server does not start"
                time.sleep(0.05)
        yield Server(process.pid, port, time.perf_counter() - begun)
    finally:
        process.terminate()
        process.wait()
