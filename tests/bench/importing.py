"""The data package, and its way into an empty, an unchanged and a changed register. Each step is a
process of its own, so that its memory is its own too."""

import subprocess
import sys
import time
from pathlib import Path

from django.core.management import call_command

from agreements.importer import plan, read
from agreements.models import Agreement

from .database import Databases, empty
from .server import own_processor

#: Of an import into an empty register; to plan an unchanged one. Seconds of processor time, MiB.
IMPORT, MEMORY, UNCHANGED = 40, 400, 12


def measure(databases: Databases, folder: str) -> None:
    """The package of the present database; then, in another one, the steps in turn."""
    path = Path(folder) / "package.zip"
    _in_process("package", path)
    print(f"{path.stat().st_size / 2**20:.1f} MiB")
    with empty(databases):
        _in_process("load", path)
        print(f"{'aim at 20,000:':<28}whole <= {IMPORT} s of processor time, <= {MEMORY} MiB")
        _in_process("load", path)
        print(f"{'aim at 20,000:':<28}plan <= {UNCHANGED} s of processor time")
        Agreement.objects.update(summary="Changed.")
        _in_process("load", path)


def _in_process(step: str, path: Path) -> None:
    command = f"from tests.bench.importing import {step}; {step}({str(path)!r})"
    command = f"import django; django.setup(); {command}"
    subprocess.run([sys.executable, "-c", command], check=True)


class Timed:
    """Says how long a step took, in seconds by the clock and of the processor, and the most memory
    the process has had so far."""

    def __init__(self, step: str) -> None:
        self.step = step

    def __enter__(self) -> None:
        self.clock, self.processor = time.perf_counter(), own_processor()

    def __exit__(self, *_: object) -> None:
        clock, processor = time.perf_counter() - self.clock, own_processor() - self.processor
        # Not of getrusage: that has the memory of whoever started this process.
        state = Path("/proc/self/status").read_text()
        most = int(state.partition("VmHWM:")[2].split()[0]) / 1024
        print(
            f"{self.step:<28}{clock:>11.1f} s{processor:>11.1f} s of processor time"
            f"{most:>8,.0f} MiB at most",
            flush=True,
        )


def package(path: str) -> None:
    with Timed("export_register --package"):
        call_command("export_register", package=Path(path), base_url="https://example.org")


def load(path: str) -> None:
    """What ``manage.py import_register`` does, step by step."""
    with Timed("import, whole"):
        with Timed("  read"), open(path, "rb") as file:
            document = read("package.zip", file)
        with Timed("  plan"):
            planned = plan(document)
        with Timed("  apply"):
            result = planned.apply(reason="bench", name="bench")
    print(result)
