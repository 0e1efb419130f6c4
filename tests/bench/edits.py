"""What an edit costs whoever reads: the first page after it, and pages while staff save."""

import random
import statistics
import subprocess
import sys
import threading
import time

from django.db import transaction

from agreements.models import Agreement
from agreements.record.after_change import record_change

from . import register
from .pages import tell_memory
from .server import Server

#: Milliseconds: of processor time more than without an edit; of 95 in 100 readers' pages.
AFTER, P95 = 40, 50
READERS, BETWEEN_SAVES = 4, 2


def save(pk: int, **fields: object) -> None:
    """Write a record as the desk does."""
    with transaction.atomic():
        made = Agreement.objects.select_for_update().get(pk=pk)
        for name, value in fields.items():
            setattr(made, name, value)
        made.save()
        record_change([pk], reason="Made up.", name="bench")


def text_changed(pk: int, draw: random.Random) -> None:
    save(pk, summary=" ".join(draw.choices(register.WORDS, k=30)))


def re_dated(pk: int, draw: random.Random) -> None:
    save(pk, signed_on=f"{draw.randint(register.FIRST_YEAR, 2025)}-{draw.randint(1, 12):02}")


def added(pk: int, draw: random.Random) -> None:
    with transaction.atomic():
        numbers = [10**6 + draw.randrange(10**6)]
        record_change(register.add(numbers, draw), reason="Made up.", name="bench")


EDITS = {"a changed text": text_changed, "a re-dated record": re_dated, "a new record": added}


def first_pages(server: Server, repeats: int) -> None:
    """The first list page after an edit, and another list page after that, which needs no more
    than any: the difference is what the edit costs."""
    draw = random.Random(2)  # noqa: S311
    ids = list(Agreement.objects.filter(slug__startswith="bench-").values_list("pk", flat=True))
    for name, edit in EDITS.items():
        more = []
        for _ in range(repeats):
            edit(draw.choice(ids), draw)
            first, second = (server.cost(f"/agreements/?page={page}") for page in (2, 3))
            more.append(first.processor - second.processor)
        told = f"{statistics.median(more):>8.1f} ms of processor time more, at most {max(more):.1f}"
        print(f"{'after ' + name:<28}{told:<52}aim <= {AFTER}")


def readers(server: Server, seconds: int) -> None:
    """Readers who ask one page after another, without and with somebody who saves."""
    paths = [f"/agreements/?page={page}" for page in range(2, 22)]
    paths += [f"/agreements/bench-{n}/" for n in range(1, 21)]
    paths += [f"/agencies/bench-{n}/" for n in range(1, 11)]
    paths += [f"/coverage/bench-{n}/bench-{n + 1}/" for n in range(1, 11)]
    for path in paths:
        server.get(path)
    for saving in (False, True):
        writer = None
        if saving:
            command = (
                "import django; django.setup(); "
                "from tests.bench.edits import save_for_ever; save_for_ever()"
            )
            writer = subprocess.Popen(
                [sys.executable, "-c", command], stdout=subprocess.PIPE, text=True
            )
            writer.stdout.readline()
        taken: list[float] = []
        until = time.perf_counter() + seconds

        def read(seed: int, taken: list[float] = taken, until: float = until) -> None:
            draw = random.Random(seed)  # noqa: S311
            while time.perf_counter() < until:
                taken.append(server.get(draw.choice(paths)).total * 1000)

        threads = [threading.Thread(target=read, args=(seed,)) for seed in range(READERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        saves = ""
        if writer:
            writer.terminate()
            saves = f", {writer.communicate()[0].count('saved')} saves"
        taken.sort()
        half, most = (taken[int(len(taken) * part)] for part in (0.5, 0.95))
        told = f"p50 {half:.1f} ms, p95 {most:.1f} ms, {len(taken) / seconds:.0f} answers/s{saves}"
        case = f"{READERS} readers" + (f", a save in {BETWEEN_SAVES} s" if saving else "")
        print(f"{case:<28}{told:<52}" + (f"aim p95 <= {P95}" if saving else ""))
    tell_memory(server, "after edits")


def save_for_ever() -> None:
    """The writer, in a process of its own."""
    draw = random.Random(3)  # noqa: S311
    ids = list(Agreement.objects.filter(slug__startswith="bench-").values_list("pk", flat=True))
    print("ready", flush=True)
    while True:
        text_changed(draw.choice(ids), draw)
        print("saved", flush=True)
        time.sleep(BETWEEN_SAVES)
