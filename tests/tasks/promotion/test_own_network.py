"""A network of the user's own: its code comes from the caller, and only to evaluate it again."""

import pytest

from mixmatch.errors import ConfigError
from tasks.factory import code_digest
from tasks.ledger import read_ledger
from tasks.promotion import approve, rollback
from tests.tasks.promotion.shop import BY, NAME, SPEC, Shop

OWN = "tests.flows.own_network:build"


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        own = {"architecture": OWN, "arguments": {"width": 4}, "code_digest": code_digest(OWN)}
        spec = SPEC.model_copy(update=own)
        shop = Shop(tmp_path_factory.mktemp("own") / "workspace", spec=spec)
        for seed, pruned in ((1, 0.2), (2, 0.9)):
            shop.register(seed=seed, pruned=pruned)
        yield shop


@pytest.mark.parametrize("given", [None, "tests.flows.own_network:other", "os:system"])
def test_nothing_but_its_own_factory_is_imported_for_it(shop, given):
    with pytest.raises(ConfigError, match=rf"--factory must be {OWN}, .*; got {given!r}\."):
        shop.promote(factory=given)
    assert (shop.champion(), read_ledger(shop.store).entries) == (None, ())


def test_its_factory_evaluates_it_again_and_the_way_back_needs_none(shop):
    again = shop.promote(factory=OWN).reevaluated
    assert str(again.accuracy) == shop.aliases.tags_of(2)["accuracy"]
    shop.tag(2, "drop.mean", "0.5")
    ask = {"largest_drop": {"drop": 0.0, "of": "mean"}, "needs_approval": True}
    assert shop.promote(factory=OWN, **ask).outcome == "requested"
    assert approve(shop.site, NAME, "champion", by=BY, why="a test").version == 1
    assert rollback(shop.site, NAME, "champion", by=BY, why="a test").version == 2
    assert shop.champion() == 2
