"""What every store must do, a folder or a bucket."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tasks.store import FolderStore

ENTRY = "ledger/000000001.json"


@pytest.fixture
def store(tmp_path):
    return FolderStore(tmp_path / "store")


def test_a_name_is_created_once(store):
    assert store.create(ENTRY, b"first") is True
    assert store.create(ENTRY, b"second") is False
    assert store.read(ENTRY) == b"first"


def test_equal_content_is_not_created_twice_either(store):
    assert [store.create(ENTRY, b"same") for _ in range(2)] == [True, False]


def test_of_many_at_once_one_creates_and_its_content_stands(store):
    contents = [f"writer {number}".encode() * 100 for number in range(16)]
    with ThreadPoolExecutor(16) as threads:
        created = list(threads.map(lambda content: store.create(ENTRY, content), contents))
    assert created.count(True) == 1
    assert store.read(ENTRY) == contents[created.index(True)]


def test_what_was_never_created_reads_as_none(store):
    assert store.read(ENTRY) is None
    assert store.names("ledger/") == ()


def test_names_are_sorted_and_begin_with_the_prefix(store):
    for name in ("ledger/000000010.json", ENTRY, "ledger/notes/a", "ledgers/x", "other/y"):
        store.create(name, b"{}")
    assert store.names("ledger/") == (ENTRY, "ledger/000000010.json", "ledger/notes/a")
    assert store.names("ledger/00000000") == (ENTRY,)
    assert store.names("ledger") == (*store.names("ledger/"), "ledgers/x")


@pytest.mark.parametrize(
    "name", ["", "/etc/passwd", "../x", "ledger/../../x", "a//b", "a/", ".hidden", "a\\b", "a b"]
)
def test_a_name_that_leads_outside_is_refused(store, name):
    for use in (lambda: store.create(name, b""), lambda: store.read(name)):
        with pytest.raises(ValueError, match=r"^A name in the store must be parts of letters"):
            use()


@pytest.mark.parametrize("prefix", ["/", "../", "ledger/../", "a//"])
def test_a_prefix_that_leads_outside_is_refused(store, prefix):
    with pytest.raises(ValueError, match=r"^A name in the store must be parts of letters"):
        store.names(prefix)
