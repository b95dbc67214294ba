"""Commands that are killed between ledger, alias and tag; and what others do to an alias."""

import pytest

from mixmatch.errors import LedgerError
from tasks.ledger import append, read_ledger
from tasks.promotion import alias_state, marked_digest, rollback, settle
from tests.tasks.promotion.shop import BY


class KilledError(BaseException):
    """Ends a command where no handler of ours may catch it."""


def die(*args, **kwargs):
    raise KilledError


def state(shop):
    found = alias_state(shop.store, shop.aliases, "champion")
    return found.state, found.held, found.found


@pytest.fixture
def killed_before_the_alias(shop, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("tasks.promotion.promoting.settle", die)
        with pytest.raises(KilledError):
            shop.promote()
    return shop


@pytest.fixture
def killed_before_the_tag(shop, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("tasks.tracking.aliases.Aliases.tag", die)
        with pytest.raises(KilledError):
            shop.promote()
    return shop


def test_the_ledger_comes_first_and_the_alias_after_it(killed_before_the_alias):
    shop = killed_before_the_alias
    assert [x.version for x in read_ledger(shop.store).entries] == [2]
    assert (state(shop), shop.champion()) == (("behind", 2, None), None)
    assert alias_state(shop.store, shop.aliases, "champion").sentence("shapes", "champion") == (
        "The alias champion of shapes must be at version 2 by entry 1 of the ledger, and is at no "
        "version: it was not carried out yet."
    )


def test_the_next_promotion_completes_what_was_killed(killed_before_the_alias):
    shop = killed_before_the_alias
    summary = shop.promote()
    assert (summary.outcome, summary.version, shop.champion()) == ("unchanged", 2, 2)
    assert summary.warnings[0].endswith("it was not carried out yet. It was completed now.")
    assert state(shop) == ("agrees", 2, 2)
    assert len(read_ledger(shop.store).entries) == 1


def test_a_dry_run_tells_of_it_and_leaves_it(killed_before_the_alias):
    shop = killed_before_the_alias
    summary = shop.promote(dry_run=True)
    assert summary.warnings[0].endswith("it was not carried out yet.")
    assert state(shop) == ("behind", 2, None)


def test_a_rollback_completes_it_too_by_going_on_from_the_ledger(shop, monkeypatch):
    shop.promote()
    with monkeypatch.context() as patch:
        patch.setattr("tasks.promotion.promoting.settle", die)
        with pytest.raises(KilledError):
            shop.promote(largest_bytes=10**9, prefer="most-accurate", smallest_sparsity=0.0)
    winner = read_ledger(shop.store).entries[-1].version
    assert (winner != 2, state(shop)) == (True, ("behind", winner, 2))
    summary = rollback(shop.site, "shapes", "champion", by=BY, why="wrong at night")
    assert (summary.version, summary.held_before, shop.champion()) == (2, winner, 2)
    assert state(shop) == ("agrees", 2, 2)


def test_what_lacks_only_its_tag_gets_it_without_a_word(killed_before_the_tag):
    shop = killed_before_the_tag
    assert (state(shop), shop.champion()) == (("behind", 2, 2), 2)
    summary = shop.promote()
    assert (summary.outcome, summary.warnings) == ("unchanged", ())
    assert shop.mark(2)["entry"] == 1


def test_an_alias_that_was_moved_past_the_ledger_is_told_from_one_that_lags(shop):
    shop.promote()
    shop.client.set_registered_model_alias("shapes", "champion", "4")
    assert state(shop) == ("moved", 2, 4)
    shop.client.delete_registered_model_alias("shapes", "champion")
    assert state(shop) == ("moved", 2, None)


def test_a_holder_that_was_deleted_is_told(shop):
    shop.promote()
    shop.client.delete_registered_model_alias("shapes", "champion")
    shop.client.delete_model_version("shapes", "2")
    assert state(shop) == ("moved", 2, None)
    assert shop.promote().version == 4


def test_settling_puts_the_alias_where_the_last_entry_says(shop):
    shop.promote()
    shop.client.set_registered_model_alias("shapes", "champion", "4")
    settle(shop.store, shop.aliases, "champion")
    assert shop.champion() == 2


def test_settling_follows_an_entry_that_comes_meanwhile(shop, monkeypatch):
    shop.promote()
    shop.client.set_registered_model_alias("shapes", "champion", "4")
    point, ledger = shop.aliases.__class__.point, read_ledger(shop.store)

    def overtaken(self, alias, version):
        if version == 2:
            last = ledger.entries[-1]
            append(shop.store, ledger, last.model_copy(update={"version": 3, "held_before": 2}))
        point(self, alias, version)

    monkeypatch.setattr("tasks.tracking.aliases.Aliases.point", overtaken)
    settle(shop.store, shop.aliases, "champion")
    assert (shop.champion(), shop.mark(3)["entry"]) == (3, 2)


@pytest.mark.parametrize("damage", ["changed", "cut off"])
def test_a_last_entry_that_was_changed_or_cut_off_is_noticed_by_the_tag(shop, damage):
    shop.promote()
    shop.promote(largest_bytes=10**9, prefer="most-accurate", may_return=True)
    last = read_ledger(shop.store).entries[-1]
    place = shop.store.root / f"ledger/{last.number:09d}.json"
    if damage == "changed":
        place.write_text(place.read_text().replace(BY, "eve@host"))
    else:
        shop.promote()  # back to version 2, whose tag then names entry 3
        place.with_name("000000003.json").unlink()
        place.unlink()
    with pytest.raises(LedgerError, match=r"marked with .*: the ledger was changed or cut off"):
        shop.promote()


def test_a_tag_that_names_no_entry_is_refused():
    assert marked_digest({}, "champion") is None
    assert marked_digest({"ledger.champion": '{"entry": 3, "digest": "ab"}'}, "champion") == (
        3,
        "ab",
    )
    with pytest.raises(LedgerError, match=r"tag ledger.champion .* got 'x'"):
        marked_digest({"ledger.champion": "x"}, "champion")
