"""Courses of an alias as literal tables."""

import pytest

from tasks.ledger import (
    history,
    holder_of,
    last_move,
    named_versions,
    open_request,
    previous_holder,
    returned,
)

P, R, ASK, NO = "promotion", "rollback", "request", "refusal"


@pytest.mark.parametrize(
    ("course", "holder", "previous"),
    [
        ([], None, None),
        ([(P, 1)], 1, None),
        ([(P, 1), (P, 2)], 2, 1),
        ([(P, 1), (P, 2), (R, 1)], 1, None),
        ([(P, 1), (P, 2), (P, 3), (R, 2)], 2, 1),
        ([(P, 1), (P, 2), (P, 3), (R, 2), (R, 1)], 1, None),
        ([(P, 1), (P, 2), (R, 1), (P, 3)], 3, 1),
        ([(P, 1), (P, 1)], 1, None),  # put back after it was moved past the ledger
        ([(P, 1), (ASK, 2)], 1, None),
        ([(P, 1), (ASK, 2), (NO, 2)], 1, None),
        ([(P, 1), (ASK, 2), (P, 2)], 2, 1),
        ([(P, 1), (P, 2), (P, 1)], 1, 2),
    ],
)
def test_who_holds_it_and_who_did_before(write, course, holder, previous):
    ledger = write(*course)
    assert holder_of(ledger, "shapes", "champion") == holder
    assert previous_holder(ledger, "shapes", "champion") == previous


def test_a_holder_from_before_the_ledger_can_be_returned_to(write, draft):
    ledger = write(draft(version=5, found_before=4))
    assert previous_holder(ledger, "shapes", "champion") == 4


def test_other_models_and_aliases_are_apart(write, draft):
    ledger = write((P, 1), draft(version=8, name="signs"), draft(version=9, alias="beta"))
    assert [holder_of(ledger, *x) for x in (("shapes", "champion"), ("signs", "champion"))] == [
        1,
        8,
    ]
    assert [x.version for x in history(ledger, "shapes", "beta")] == [9]
    assert last_move(ledger, "signs", "beta") is None


@pytest.mark.parametrize(
    ("course", "waiting"),
    [
        ([(ASK, 2)], 2),
        ([(ASK, 2), (ASK, 3)], 3),
        ([(ASK, 2), (NO, 2)], None),
        ([(ASK, 2), (P, 2)], None),
        ([(P, 1), (P, 2), (ASK, 3), (R, 1)], None),
    ],
)
def test_a_request_waits_until_anything_else_happens(write, course, waiting):
    found = open_request(write(*course), "shapes", "champion")
    assert (found.version if found else None) == waiting


@pytest.mark.parametrize(
    ("course", "expected"),
    [
        ([(P, 1), (P, 2), (R, 1)], {2: "rolled back by entry 3"}),
        ([(ASK, 2), (NO, 2)], {2: "refused by entry 2"}),
        ([(P, 1), (P, 2), (R, 1), (P, 2)], {}),
    ],
)
def test_what_was_sent_back_stays_so_until_it_is_promoted_again(write, course, expected):
    assert returned(write(*course), "shapes", "champion") == expected


def test_all_that_ever_held_or_was_to_hold_an_alias_are_named(write, draft):
    ledger = write(
        (P, 1), draft(version=3, found_before=7), (ASK, 5), draft(version=8, name="signs")
    )
    assert named_versions(ledger, "shapes") == {1, 3, 5, 7}
