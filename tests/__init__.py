"""The tests, and what several of them share: its asserts tell what they compared, too."""

import pytest

pytest.register_assert_rewrite(
    "tests.desk", "tests.moving", "tests.questions", "tests.signing_in", "tests.walk"
)
