"""Small files made to exhaust the machine are refused at little cost: counted, not timed."""

import io
import struct
import tracemalloc
import zipfile

import pytest

from agreements.exports import TABLES
from agreements.importer import ImportRefused, document, read


class Counted(str):
    """A name; the class counts how often any was compared with another."""

    compared = 0
    __hash__ = str.__hash__

    def __eq__(self, other):
        Counted.compared += 1
        return str.__eq__(self, other)


def zipped(content, compression=zipfile.ZIP_DEFLATED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        archive.writestr("areas.csv", content)
    return file.getvalue()


def refused(content):
    with pytest.raises(ImportRefused) as refusal:
        read("file", io.BytesIO(content))
    return refusal.value.faults


@pytest.mark.parametrize(
    "take",
    [
        lambda names: document._refuse_repeated([(name, 1) for name in names]),
        lambda names: document._Tables("file").table(TABLES["areas"], "file", names, iter([])),
    ],
    ids=["keys of an object", "columns of a table"],
)
def test_what_is_given_twice_is_found_without_comparing_each_name_with_each(take):
    names = [Counted(f"name {number}") for number in range(2000)]
    names += [Counted(name) for name in names[-2:]]
    Counted.compared = 0
    with pytest.raises((ValueError, ImportRefused), match="“name 1998” is given twice"):
        take(names)
    assert Counted.compared < 10 * len(names)


def test_a_package_that_unpacks_to_more_than_it_says_takes_no_more_memory_than_it_says():
    size = 50_000_000
    honest = zipped(b"\0" * size)
    lying = honest.replace(struct.pack("<L", size), struct.pack("<L", 10))
    assert lying != honest
    tracemalloc.start()
    try:
        faults = refused(lying)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "cannot be unpacked, it is damaged or cut short" in faults[0]
    assert most < 3_000_000


@pytest.mark.parametrize("compression", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_a_package_that_cannot_be_unpacked_piece_by_piece_is_refused(compression):
    assert refused(zipped(b"x" * 1000, compression)) == [
        "file: is packed in an unusual way. Pack the files as an ordinary ZIP (Deflate)."
    ]
