import pytest

from mixmatch.errors import PromotionError
from tasks.ledger import read_ledger
from tasks.promotion import rollback


def back(shop):
    return rollback(shop.site, "shapes", "champion", by="grace", why="wrong at night")


@pytest.fixture
def twice(shop):
    """The champion was 3, then 2."""
    shop.client.set_registered_model_alias("shapes", "champion", "3")
    shop.promote()
    return shop


def test_the_holder_before_holds_it_again_and_that_is_recorded(twice):
    summary = back(twice)
    assert (summary.outcome, summary.version, summary.held_before) == ("rolled_back", 3, 2)
    assert twice.champion() == 3
    entry = read_ledger(twice.store).entries[-1]
    assert (entry.action, entry.version, entry.held_before) == ("rollback", 3, 2)
    assert (entry.who, entry.why, entry.policy) == ("grace", "wrong at night", None)
    assert entry.digest == twice.aliases.tags_of(3)["digest"]
    assert twice.mark(3)["action"] == "rollback"


def test_one_that_was_recorded_but_not_carried_out_is_completed_and_not_repeated(
    twice, monkeypatch
):
    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("tasks.promotion.returning.settle", killed)
        with pytest.raises(KeyboardInterrupt):
            back(twice)
    assert twice.champion() == 2
    recorded = read_ledger(twice.store).entries
    summary = back(twice)
    assert (summary.outcome, summary.version, summary.entry) == ("rolled_back", 3, len(recorded))
    assert summary.warnings[-1].startswith("A rollback that was recorded before was completed")
    assert (twice.champion(), read_ledger(twice.store).entries) == (3, recorded)


def test_beyond_the_first_holder_there_is_no_way_back(twice):
    back(twice)
    with pytest.raises(
        PromotionError, match=r"champion of shapes must have had .* knows of only version 3\."
    ):
        back(twice)


def test_an_alias_that_never_was_promoted_has_no_way_back(shop):
    with pytest.raises(PromotionError, match=r"the ledger knows of none\."):
        back(shop)


def test_what_was_rolled_back_wins_no_more_by_itself(twice):
    back(twice)
    assert twice.promote().version == 4
    back(twice)
    assert twice.promote(may_return=True).version == 2
