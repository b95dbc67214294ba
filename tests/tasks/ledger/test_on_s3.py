"""The ledger in a bucket of a real server: created only if absent, by whoever comes first."""

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from mixmatch.errors import LedgerError, PromotionError
from tasks.ledger import Ledger, append, read_ledger
from tasks.promotion.taking import take
from tasks.store import open_store
from tests.swift import BUCKET

pytestmark = pytest.mark.service

NUM = 8


@pytest.fixture
def stores(s3_place, tmp_path):
    """Return the store as so many machines see it, each with a cache of its own."""
    return [open_store(s3_place, tmp_path / f"cache{number}") for number in range(NUM)]


def at_once(work):
    """Call ``work(number)`` in as many threads, all at the same moment."""
    barrier = Barrier(NUM)

    def begin(number):
        barrier.wait()
        return work(number)

    with ThreadPoolExecutor(NUM) as pool:
        return list(pool.map(begin, range(NUM)))


def test_an_entry_is_one_object_below_the_stores_prefix(stores, draft, swift):
    written = append(stores[0], Ledger(), draft())
    key = f"{stores[0].prefix}/ledger/000000001.json"
    content = swift.client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    assert json.loads(content)["entry"]["who"] == "ada@host"
    assert read_ledger(stores[1]) == written


def test_of_many_that_take_one_entry_at_once_one_gets_it(stores, draft):
    taken = at_once(lambda n: append(stores[n], Ledger(), draft(version=n + 1)))
    (won,) = [x for x in taken if x is not None]
    assert [read_ledger(store) for store in stores] == [won] * NUM


def test_entries_on_other_aliases_follow_each_other_without_a_gap(stores, draft):
    at_once(lambda n: take(stores[n], Ledger(), draft(alias=f"alias{n}")))
    ledger = read_ledger(stores[0])
    assert [x.number for x in ledger.entries] == [*range(1, NUM + 1)]
    assert {x.alias for x in ledger.entries} == {f"alias{n}" for n in range(NUM)}


def test_of_two_on_one_alias_the_later_is_told_who_was_first(stores, draft):
    take(stores[0], Ledger(), draft(who="eve@host"))
    with pytest.raises(PromotionError, match=r"eve@host was first with entry 1 of the ledger"):
        take(stores[1], Ledger(), draft())


def test_an_object_that_was_removed_or_replaced_is_noticed(stores, draft, swift):
    ledger = Ledger()
    for number in (1, 2, 3):
        one = draft(version=number, held_before=number - 1 or None)
        ledger = append(stores[0], ledger, one)
    key = f"{stores[0].prefix}/ledger/000000002.json"
    content = swift.client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    forged = content.replace(b"ada@host", b"eve@host")
    swift.client.put_object(Bucket=BUCKET, Key=key, Body=forged)
    with pytest.raises(LedgerError, match=r"Entry 3 of the ledger must name"):
        read_ledger(stores[0])
    swift.client.delete_object(Bucket=BUCKET, Key=key)
    with pytest.raises(LedgerError, match=r"entry 2 is missing and ledger/000000003.json is there"):
        read_ledger(stores[0])
