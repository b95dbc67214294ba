import hashlib
import json

import pytest

from mixmatch.errors import LedgerError
from tasks.ledger import Ledger, append, read_ledger

ROOT = "ledger/%09d.json"


def test_a_store_without_entries_has_an_empty_ledger(store):
    assert read_ledger(store) == Ledger((), ())
    assert read_ledger(store).head is None


def test_entries_come_back_in_their_order_with_the_digests_of_their_bytes(store, write):
    written = write(("promotion", 1), ("promotion", 2))
    assert read_ledger(store) == written
    first, second = (store.read(ROOT % number) for number in (1, 2))
    assert written.digests == tuple(hashlib.sha256(x).hexdigest() for x in (first, second))
    assert [(x.number, x.before, x.held_before) for x in written.entries] == [
        (1, None, None),
        (2, written.digests[0], 1),
    ]


def test_an_entry_lies_under_its_number_as_plain_json(store, write):
    write(("promotion", 7))
    stored = json.loads(store.read("ledger/000000001.json"))
    assert stored["schema"] == 1
    assert (stored["entry"]["version"], stored["entry"]["who"]) == (7, "ada@host")


def test_of_two_that_follow_the_same_entry_one_is_written(store, write, draft):
    seen = write(("promotion", 1))
    assert append(store, seen, draft(version=2, held_before=1)) is not None
    assert append(store, seen, draft(version=3, held_before=1)) is None
    assert [x.version for x in read_ledger(store).entries] == [1, 2]


def change(store, number, old, new):
    place = store.root / (ROOT % number)
    content = place.read_text()
    assert old in content
    place.write_text(content.replace(old, new, 1))


def test_an_entry_that_was_changed_is_noticed_by_the_next(store, write):
    write(("promotion", 1), ("promotion", 2))
    change(store, 1, "ada@host", "eve@host")
    with pytest.raises(LedgerError, match=r"Entry 2 of the ledger must name [0-9a-f]{64} as the"):
        read_ledger(store)


def test_an_entry_that_is_missing_is_noticed(store, write):
    write(("promotion", 1), ("promotion", 2), ("promotion", 3))
    (store.root / (ROOT % 2)).unlink()
    with pytest.raises(LedgerError, match=r"entry 2 is missing and ledger/000000003.json is there"):
        read_ledger(store)


def test_an_entry_under_another_number_is_noticed(store, write):
    write(("promotion", 1))
    change(store, 1, '"number":1', '"number":2')
    with pytest.raises(LedgerError, match=r"be entry 1; it names None and is entry 2"):
        read_ledger(store)


def test_an_entry_that_contradicts_who_held_before_is_noticed(store, write):
    write(("promotion", 1), ("promotion", 2))
    change(store, 2, '"held_before":1', '"held_before":9')
    with pytest.raises(LedgerError, match=r"Entry 2 .* version 1 as the holder .*, got 9"):
        read_ledger(store)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("{", "", r"Entry 1 of the ledger must be an entry in JSON, and is damaged \(JSON"),
        ('"who":', '"whom":', r"damaged \(ValidationError\)"),
        ('"schema":1', '"schema":2', r"must have schema 1, got 2"),
        ('"schema"', '"shema"', r"damaged \(KeyError\)"),
    ],
)
def test_an_entry_that_cannot_be_read_is_refused(store, write, old, new, sentence):
    write(("promotion", 1))
    change(store, 1, old, new)
    with pytest.raises(LedgerError, match=sentence):
        read_ledger(store)
