"""No public answer changes unnoticed, and the tool that says what changed says it in words."""

import json
import os
import subprocess
import sys

import pytest

from tests import golden


@pytest.mark.slow
@pytest.mark.shipped
def test_every_public_answer_is_the_one_in_the_golden_file():
    tool = [sys.executable, "-m", "tests.golden", "check"]
    done = subprocess.run(tool, cwd=golden.PROJECT, env=os.environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-10_000:]


@pytest.fixture
def told(tmp_path):
    """What the tool tells of two editions, each address -> body of a page."""

    def tell(before, after):
        for name, answers in (("before", before), ("after", after)):
            folder = tmp_path / name
            folder.mkdir()
            index = {}
            for address, body in answers.items():
                file = address.replace("/", "-")
                (folder / file).write_text(f"Content-Type: text/html\n\n{body}")
                index[address] = ["a kind", 200, file]
            (folder / "index.json").write_text(json.dumps(index))
        return list(golden.differences(tmp_path / "before", tmp_path / "after"))

    return tell


def test_what_a_reader_sees_differently_is_told_once_for_all_pages_alike(told):
    before = {f"/{page}/": f"<p>Page {page}</p><p>3 agreements</p>" for page in "abc"}
    after = {page: body.replace("3", "4") for page, body in before.items()}
    assert told(before, after) == [
        "\n## a kind: 3 of 3 differ",
        "\n/a/ and 2 others, alike",
        "    -3 agreements",
        "    +4 agreements",
    ]


def test_a_change_that_nobody_sees_is_told_as_one_of_the_markup(told):
    lines = told({"/": "<p class='a'>Same</p>"}, {"/": "<p class='b'>Same</p>"})
    assert lines[2:] == [
        "    (in the markup only)",
        "    -<p class='a'>Same</p>",
        "    +<p class='b'>Same</p>",
    ]


def test_an_address_that_is_new_or_gone_is_told(told):
    lines = told({"/a/": "", "/b/": ""}, {"/b/": "", "/c/": ""})
    assert lines[1:] == [
        "\n/a/",
        "    no longer asked",
        "\n/c/",
        "    asked for the first time",
    ]


def test_nothing_is_told_of_answers_that_are_the_same(told):
    assert told({"/": "same"}, {"/": "same"}) == ["All answers are the same."]


def test_a_text_without_headers_that_speaks_of_json_is_read_line_by_line():
    assert golden.visible("One file, datapackage.json.\n\nMore.") == [
        "One file, datapackage.json.",
        "More.",
    ]
