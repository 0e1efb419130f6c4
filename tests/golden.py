"""Every public answer for the shipped register, as a golden file of digests.

    make golden                     write tests/data/golden.txt anew
    make golden ARGS=check          name the addresses that answer otherwise than the file says
    make golden ARGS=diff           show in words what differs from the last commit
    make golden ARGS="diff REV"     from another revision

A line of the file is an address, the status and a digest of headers and body. ``diff`` has the
whole answers made by the code of the other revision, in a worktree that is thrown away, and by
this one. The register is the shipped one in a database that is thrown away, on SQLite or on
DATABASE_URL; the clock stands still from before it is loaded. ``check`` leaves out the agreements
that have been added since the file was written, so that adding one is no difference.
"""

import argparse
import contextlib
import datetime
import difflib
import gc
import hashlib
import html.parser
import io
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

PROJECT = Path(__file__).parents[1]
GOLDEN = PROJECT / "tests" / "data" / "golden.txt"
#: When the register was loaded, and all questions are asked: noon in Singapore.
NOW = datetime.datetime(2026, 11, 27, 4, tzinfo=datetime.UTC)
#: Days to ask about, from before most agreements to after the ends that are known today.
DAYS = ("2003-06-30", "2011-01-31", "2018-11-01", "2024-10-07", "2031-01-01")
#: What is asked of a filter that offers no choices: by the class of its form field.
SAMPLES = {
    "CharField": ("inspection", "mutual recognition", "厚生", "zyxwvut", "pharma*"),
    "PartialDateFormField": ("2004", "2011-05", "2016-11-24", "1999"),
    "DateField": DAYS,
    "MomentField": ("2026-11-27", "2026-11-28T00:00:00Z", "2020-01-01"),
}
#: Questions for each filter, which each have a few others beside it.
QUESTIONS_A_FILTER = 11
#: They follow from the code or from the body, or are told in an order that means nothing.
_HEADERS_LEFT_OUT = {"ETag", "Content-Length", "Content-Security-Policy"}
#: The page of an agreement, in a line of the file.
_RECORD = re.compile(r"/agreements/([^/. ]+)/ 200 ")
#: Of what differs, so many groups of each kind are shown, and so many lines of each.
GROUPS_SHOWN, LINES_SHOWN = 4, 40


# --- What is asked -----------------------------------------------------------------------------


def addresses() -> Iterator[tuple[str, str]]:
    """The kind of page (its route) and the address, for every public answer.

    Raises LookupError for a route of which it is not known what to ask.
    """
    from django.urls import reverse

    from agreements.urls import urlpatterns

    arguments = _arguments()
    for route in urlpatterns:
        name = route.name
        if not route.pattern.converters:
            yield name, reverse(name)
        elif name not in arguments:
            raise LookupError(f"tests/golden.py does not know what to ask of the route {name!r}.")
        for given in arguments.get(name, ()):
            yield name, reverse(name, args=given)
        for query in _queries(name):
            yield name, f"{reverse(name)}?{query}"
    # A day costs as much as today does: one agency and one pair in five is asked about one.
    for key, day in zip(_agency_keys()[::5], itertools.cycle(DAYS)):
        yield "agency-detail", f"{reverse('agency-detail', args=[key])}?as_of={day}"
    for pair, day in zip(_pairs()[::5], itertools.cycle(DAYS)):
        yield "coverage-pair", f"{reverse('coverage-pair', args=pair)}?as_of={day}"
    yield "nothing", "/nowhere/"


def _arguments() -> dict[str, list[tuple[str, ...]]]:
    """What stands in the addresses of each route that takes something."""
    from agreements.models import Agreement

    slugs = Agreement.objects.register().order_by("slug").values_list("slug", flat=True)
    records = [*((slug,) for slug in slugs), ("nowhere",)]
    agencies = [*((key,) for key in _agency_keys()), ("nowhere",)]
    release = [("2026-11-27",)]
    return {
        "agreement-detail": records,
        "agreement-changes": records,
        "record-json": records,
        "record-bib": records,
        "record-csl": records,
        "agency-detail": agencies,
        "agency-record-json": agencies,
        "coverage-pair": [*_pairs(), ("hsa", "nowhere")],
        "release-detail": release,
        "release-json": release,
        "release-zip": release,
    }


def _agency_keys() -> list[str]:
    from agreements.models import Agency

    return sorted(Agency.objects.register().values_list("key", flat=True))


def _pairs() -> list[tuple[str, ...]]:
    """Each two agencies that take part in one agreement."""
    from agreements.models import Agreement, Participation

    members = defaultdict(set)
    rows = Participation.objects.filter(agreement__in=Agreement.objects.register())
    for agreement, key in rows.values_list("agreement", "agency__key"):
        members[agreement].add(key)
    return sorted(
        {two for keys in members.values() for two in itertools.combinations(sorted(keys), 2)}
    )


#: The faces of the list that are asked a part of the questions only: each costs much.
_OTHER_FACES = (
    "agreement-json",
    "agreement-csv",
    "agreement-atom",
    "agreement-ics",
    "provisions-csv",
)


def _queries(name: str) -> Iterator[str]:
    """The query strings for one route, if it takes any."""
    from agreements.exports import TABLES
    from agreements.question import AgreementFilterSet, CoverageFilterSet

    tables = {f"{table.replace('_', '-')}-csv" for table in TABLES}
    lists = tables | {
        f"agreement-{face}" for face in ("list", "json", "csv", "xlsx", "atom", "ics")
    }
    if name in ("coverage", "coverage-csv"):
        values = _values(CoverageFilterSet)
        for subject in ("agency", "country"):
            yield from (urlencode({subject: value}) for value in values[subject])
        narrower = [f"as_of={day}" for day in DAYS * 5]
        narrower += _questions(CoverageFilterSet, leave_out=("agency", "country"))
        for subject, asked in zip(itertools.cycle(values["agency"]), narrower):
            yield f"{urlencode({'agency': subject})}&{asked}"
    if name in lists:
        yield from (f"as_of={day}" for day in DAYS)
        yield from ("nonsense=1", "as_of=nonsense", "page=99")
    if name in ("agreement-list", "agreement-json"):
        yield from (f"page={page}" for page in range(2, 8))
    if name == "agreement-list":
        yield from _questions(AgreementFilterSet)
    if name in _OTHER_FACES:
        place = _OTHER_FACES.index(name)
        yield from list(_questions(AgreementFilterSet))[place :: len(_OTHER_FACES)]


def _values(filters: Any) -> dict[str, list[str]]:
    """What can be asked of each filter."""
    from django.http import QueryDict

    from agreements.models import Agreement

    form = filters(QueryDict(), Agreement.objects.register()).form
    found = {}
    for name in filters.base_filters:
        field = form.fields[name]
        choices = sorted({str(each) for each in _chosen(getattr(field, "choices", ())) if each})
        found[name] = choices or list(SAMPLES[type(field).__name__])
    return found


def _chosen(choices: Any) -> Iterator[Any]:
    """The values of a field's choices, those in groups too."""
    for value, label in choices:
        if isinstance(label, list | tuple):
            yield from _chosen(label)
        else:
            yield value


def _questions(filters: Any, leave_out: tuple[str, ...] = ()) -> Iterator[str]:
    """Query strings that use every filter, alone and together with others.

    Which others and which values is drawn by digest, each by itself: a new filter or value leaves
    most questions as they are.
    """
    values = {name: each for name, each in _values(filters).items() if name not in leave_out}
    for name in values:
        for number in range(QUESTIONS_A_FILTER):
            seed = f"{name} {number}"
            # The first two ask one thing.
            others = [
                other
                for other in values
                if other != name and number > 1 and _drawn(seed, other) < 0.08
            ]
            pairs = [
                (each, value)
                for each in sorted([name, *others])
                for value in _some(f"{seed} {each}", values[each], several=_several(filters, each))
            ]
            yield urlencode(pairs)


def _several(filters: Any, name: str) -> bool:
    from django_filters import MultipleChoiceFilter

    return isinstance(filters.base_filters[name], MultipleChoiceFilter)


def _some(seed: str, values: list[str], several: bool) -> list[str]:
    """One of the values, or two where the filter takes several and the draw says so."""
    drawn = sorted(values, key=lambda value: _drawn(seed, value))
    return sorted(drawn[: 2 if several and _drawn(seed, "several") < 0.4 else 1])


def _drawn(*seed: str) -> float:
    """A number from 0 to 1 that follows from the seed."""
    return int(hashlib.sha256(" ".join(seed).encode()).hexdigest()[:8], 16) / 2**32


# --- What is answered --------------------------------------------------------------------------


class Answer(NamedTuple):
    """What one address answers; ``text`` has headers and body."""

    kind: str
    address: str
    status: int
    text: str

    @property
    def line(self) -> str:
        """As it stands in the golden file."""
        return f"{self.address} {self.status} {hashlib.sha256(self.text.encode()).hexdigest()[:12]}"


def answers(slugs: Collection[str] | None = None) -> Iterator[Answer]:
    """Every public answer, each address once; the database is there while they are read.

    With ``slugs``, the register has these agreements only.
    """
    with _register(slugs) as client:
        for address, kind in {address: kind for kind, address in addresses()}.items():
            response = client.get(address)
            body = b"".join(response.streaming_content if response.streaming else response)
            headers = [
                f"{name}: {value}"
                for name, value in sorted(response.items())
                if name not in _HEADERS_LEFT_OUT
            ]
            text = "\n".join([*headers, "", _written(body)])
            yield Answer(kind, address, response.status_code, text)
        yield from _package()


def _package() -> Iterator[Answer]:
    """The files of the data package, as a release would hold them."""
    from agreements.exports import package
    from agreements.models import Agreement

    file = io.BytesIO()
    package(Agreement.objects.register(), NOW.date(), "http://localhost", file)
    for name, content in _parts(file.getvalue()).items():
        yield Answer("package", f"package:{name}", 200, content)


def _parts(content: bytes) -> dict[str, str]:
    """The files in a ZIP: how they are packed depends on the machine."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {
            name: archive.read(name).decode(errors="backslashreplace")
            for name in archive.namelist()
        }


def _written(body: bytes) -> str:
    if body.startswith(b"PK"):
        return "\n".join(f"== {name}\n{part}" for name, part in _parts(body).items())
    return body.decode(errors="backslashreplace")


class _register:
    """The shipped register in a database that is thrown away; gives a client to ask with."""

    def __init__(self, slugs: Collection[str] | None) -> None:
        self.slugs = slugs

    def __enter__(self) -> Any:
        self.folder = tempfile.mkdtemp(prefix="moctracker-golden-")
        for name in [n for n in os.environ if n.startswith("MOCTRACKER_") or n == "PORT"]:
            del os.environ[name]
        os.environ["MOCTRACKER_VAR"] = self.folder
        os.environ["DJANGO_SETTINGS_MODULE"] = "moctracker.settings"
        from django.utils import feedgenerator, timezone

        # Before the models are read: they keep the function itself as a default.
        timezone.now = lambda: NOW
        # Django dates a feed without entries by a clock of its own.
        dated = feedgenerator.SyndicationFeed.latest_post_date
        feedgenerator.SyndicationFeed.latest_post_date = lambda feed: (
            dated(feed) if feed.items else NOW
        )

        import django

        django.setup()
        from django.conf import settings
        from django.db import connection
        from django.test import Client

        from agreements.importer import plan
        from agreements.importer.document import from_json
        from agreements.management.commands.import_register import SHIPPED

        storage = "django.contrib.staticfiles.storage.StaticFilesStorage"
        settings.STORAGES = settings.STORAGES | {"staticfiles": {"BACKEND": storage}}
        settings.STATIC_ROOT.mkdir()
        self.connection = connection
        self.name = connection.settings_dict["NAME"]
        if connection.vendor == "postgresql":
            connection.settings_dict["TEST"]["NAME"] = f"moctracker_golden_{os.getpid()}"
        quiet = io.StringIO()
        with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
            connection.creation.create_test_db(verbosity=0, serialize=False)
        document = json.loads(SHIPPED.read_text())
        if self.slugs is not None:
            # Not above: an earlier revision, which is asked whole, has no such module.
            from tests.registers import cut

            document = cut(self.slugs)
        plan(from_json(document)).apply(reason="Imported for the golden file", name="golden")
        # What is loaded now is never garbage; looking for some was a part of each answer's time.
        gc.freeze()
        gc.set_threshold(50_000)
        return Client(headers={"host": "localhost"})

    def __exit__(self, *error: object) -> None:
        self.connection.creation.destroy_test_db(self.name, verbosity=0)
        shutil.rmtree(self.folder)


# --- The file, and what differs from it --------------------------------------------------------


def write_golden() -> None:
    """Write the golden file anew."""
    lines = sorted(answer.line for answer in answers())
    GOLDEN.write_text("\n".join(lines) + "\n")
    print(f"{len(lines):,} answers, {GOLDEN.stat().st_size:,} bytes")


def check() -> None:
    """Exits with the addresses that answer otherwise than the golden file says, if any do."""
    was = set(GOLDEN.read_text().splitlines())
    now, kinds = set(), {}
    covered = {found[1] for line in was if (found := _RECORD.match(line))}
    for answer in answers(covered):
        now.add(answer.line)
        kinds[answer.address] = answer.kind
    differing = sorted({line.split()[0] for line in was ^ now})
    if not differing:
        return
    counts = Counter(kinds.get(address, "no longer asked") for address in differing)
    told = [f"{len(differing):,} answers differ from tests/data/golden.txt:"]
    told += [f"  {count:,} {kind}" for kind, count in counts.most_common()]
    told += ["", *differing[:100], *(["..."] if len(differing) > 100 else [])]
    told += ["", 'See:    make golden ARGS="diff"', "Accept: make golden"]
    raise SystemExit("\n".join(told))


def write_answers(folder: Path) -> None:
    """Write every whole answer into a folder, and ``index.json``: address -> kind, status, file."""
    index = {}
    folder.mkdir(parents=True, exist_ok=True)
    for answer in answers():
        name = hashlib.sha256(answer.address.encode()).hexdigest()[:24]
        (folder / name).write_text(answer.text)
        index[answer.address] = [answer.kind, answer.status, name]
    (folder / "index.json").write_text(json.dumps(index))


def diff(revision: str) -> None:
    """Print in words how the answers of this code differ from those of a revision."""
    with tempfile.TemporaryDirectory(prefix="moctracker-golden-") as folder:
        tree, before, after = (Path(folder) / name for name in ("tree", "before", "after"))
        git = ["git", "-C", str(PROJECT), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", tree, revision], check=True)
        try:
            if not (tree / "tests" / "golden.py").exists():
                shutil.copy(__file__, tree / "tests")
            for place, answers in ((tree, before), (PROJECT, after)):
                tool = [sys.executable, "-m", "tests.golden", "write", str(answers)]
                subprocess.run(tool, cwd=place, check=True)
        finally:
            subprocess.run([*git, "remove", "--force", tree], check=True)
        print("\n".join(differences(before, after)))


def differences(before: Path, after: Path) -> Iterator[str]:
    """What differs between two folders of answers, by kind of page: how many answers, and the
    differences in the visible text, those that are alike once."""
    was, now = (json.loads((folder / "index.json").read_text()) for folder in (before, after))
    totals: Counter[str] = Counter(kind for kind, *_ in now.values())
    groups: dict[str, dict[tuple[str, ...], list[str]]] = defaultdict(lambda: defaultdict(list))
    for address in sorted(was.keys() | now.keys()):
        kind = (now.get(address) or was[address])[0]
        if address not in now or address not in was:
            change = "asked for the first time" if address in now else "no longer asked"
            groups[kind][change,].append(address)
            continue
        (_, old_status, name), (_, new_status, _) = was[address], now[address]
        old, new = ((folder / name).read_text() for folder in (before, after))
        status = [f"status {old_status} is now {new_status}"] if old_status != new_status else []
        if status or old != new:
            groups[kind][(*status, *_changed(old, new))].append(address)
    if not groups:
        yield "All answers are the same."
    for kind, alike in sorted(groups.items()):
        yield f"\n## {kind}: {sum(map(len, alike.values())):,} of {totals[kind]:,} differ"
        most_first = sorted(alike.items(), key=lambda group: -len(group[1]))
        for change, where in most_first[:GROUPS_SHOWN]:
            others = f" and {len(where) - 1:,} others, alike" if where[1:] else ""
            yield f"\n{where[0]}{others}"
            yield from (f"    {line}" for line in change[:LINES_SHOWN])
            if len(change) > LINES_SHOWN:
                yield f"    ... {len(change) - LINES_SHOWN:,} more lines"
        if rest := most_first[GROUPS_SHOWN:]:
            yield f"\n... {len(rest):,} more groups, of {sum(len(w) for _, w in rest):,} answers"


def _changed(old: str, new: str) -> list[str]:
    """The lines that went (-) and came (+), of the visible text if that differs."""
    told = _line_by_line(visible(old), visible(new))
    return told or ["(in the markup only)", *_line_by_line(_lines(old), _lines(new))]


def _line_by_line(old: list[str], new: list[str]) -> list[str]:
    lines = difflib.unified_diff(old, new, lineterm="", n=0)
    return [line[:300] for line in lines if not line.startswith(("---", "+++", "@@"))]


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.replace("><", ">\n<").splitlines() if line.strip()]


def visible(text: str) -> list[str]:
    """The headers and what a reader sees of the body, as lines."""
    headers, _, body = text.partition("\n\n")
    # A file of the package has none, and may speak of any type in its first lines.
    kind = re.search(r"^Content-Type: (.*)$", headers, re.MULTILINE)
    if kind and "text/html" in kind[1]:
        page = _Page()
        page.feed(body)
        lines = " ".join(page.words).split("\n")
    elif kind and "json" in kind[1]:
        lines = json.dumps(json.loads(body), ensure_ascii=False, indent=1).splitlines()
    else:
        lines = _lines(body)
    return [*headers.splitlines(), *filter(None, (" ".join(line.split()) for line in lines))]


class _Page(html.parser.HTMLParser):
    """The words of a page: what follows a block begins on a new line."""

    _WITHIN = {"a", "abbr", "b", "bdi", "cite", "code", "em", "i", "mark", "small", "span"}
    _WITHIN |= {"strong", "sub", "sup", "time"}

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attributes: Any) -> None:
        if tag not in self._WITHIN:
            self.words.append("\n")
        # Where a link leads, and what a form would send, is read too.
        for name, value in attributes:
            if name in ("href", "value", "content") and value:
                self.words.append(f"[{value}]")

    def handle_endtag(self, tag: str) -> None:
        if tag not in self._WITHIN:
            self.words.append("\n")

    def handle_data(self, data: str) -> None:
        self.words.append(" ".join(data.split()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("check", help="name the addresses that answer otherwise than the file says")
    compare = commands.add_parser("diff", help="show in words what differs from a revision")
    compare.add_argument("revision", nargs="?", default="HEAD")
    whole = commands.add_parser("write", help="write the whole answers into a folder")
    whole.add_argument("folder", type=Path)
    given = parser.parse_args()
    if given.command == "check":
        check()
    elif given.command == "diff":
        diff(given.revision)
    elif given.command == "write":
        write_answers(given.folder)
    else:
        write_golden()


if __name__ == "__main__":
    main()
