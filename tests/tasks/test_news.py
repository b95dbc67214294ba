"""Who is told of a front hears of it once."""

import pytest

from tasks.news import Before, is_new_front


@pytest.mark.parametrize(
    ("before", "versions", "expected"),
    [
        (Before(was_finished=False, newest_version=0), {"a": 1, "b": 2}, True),
        (Before(was_finished=False, newest_version=2), {"a": 1, "b": 3}, True),
        (Before(was_finished=True, newest_version=3), {"a": 1, "b": 3}, False),
        (Before(was_finished=False, newest_version=3), {"a": 1, "b": 3}, False),
        (Before(was_finished=False, newest_version=0), {}, True),
        (Before(was_finished=True, newest_version=0), {}, False),
    ],
)
def test_a_front_is_new_if_it_holds_a_version_that_was_not_there(before, versions, expected):
    assert is_new_front(before, versions) is expected
