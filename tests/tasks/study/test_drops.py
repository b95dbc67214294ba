import pytest

from tasks.study.drops import Drops, References


def changed(rows, **update):
    return [row.model_copy(update=update) for row in rows]


@pytest.fixture
def two_bases(study_rows):
    """The rows of the fixture, and a second base with one member but no dense control."""
    base, member = changed([study_rows[0], study_rows[3]], base_digest="c" * 64)
    return [*study_rows, base, member]


def test_without_the_control_that_was_asked_for_no_drop_is_stated(two_bases):
    references = References(two_bases, wants_dense=True)
    assert references.drops(two_bases[-1:]) == Drops(0.0, None, None, None)
    assert references.drops(two_bases[3:4]).reference == "dense"


def test_where_no_control_is_asked_for_the_base_is_the_reference(two_bases):
    references = References(two_bases, wants_dense=False)
    assert references.drops(two_bases[-1:]) == Drops(0.0, None, 0.0, "base")


def test_where_base_and_control_are_equal_the_base_is_the_reference(study_rows):
    base, control = study_rows[0], study_rows[1]
    equal = control.model_copy(update={"validation": base.validation})
    references = References([base, equal], wants_dense=True)
    assert references.drops([base]) == Drops(0.0, pytest.approx(0.1), 0.0, "base")
