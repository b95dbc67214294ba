"""Promotions whose ledger and files lie in a bucket of a real server, and the audit of them."""

import pytest

from mixmatch.errors import LedgerError
from tasks.audit import audit_model
from tasks.ledger import read_ledger
from tasks.promotion import alias_state, rollback
from tasks.site import Site
from tests.swift import BUCKET
from tests.tasks.promotion.shop import BY, NAME, Shop

pytestmark = pytest.mark.service


@pytest.fixture
def shop(s3_place, tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    shop = Shop(tmp_path / "workspace", s3_place)
    for seed, pruned in ((1, 0.2), (2, 0.9)):
        shop.register(seed=seed, pruned=pruned)
    return shop


def history(site):
    """Return what the audit says of ledger and alias: by link, whether it holds and why not."""
    (found,) = audit_model(site, f"{NAME}@champion").versions
    names = ("registry/ledger", "registry/alias champion")
    return {x.name: (x.ok, x.why) for x in found.links if x.name in names}


def test_the_ledger_is_in_the_bucket_and_the_audit_compares_the_alias_with_it(shop, swift):
    shop.promote()
    shop.tag(2, "drop.mean", "0.5")
    shop.promote(largest_drop={"drop": 0.0, "of": "mean"})
    rollback(shop.site, NAME, "champion", by=BY, why="a test")
    names = [f"ledger/00000000{number}.json" for number in (1, 2, 3)]
    assert shop.store.names("ledger/") == tuple(names)
    assert not (shop.site.open_workspace().store / "ledger").exists()
    entries = read_ledger(shop.store).entries
    assert [(x.action, x.version) for x in entries] == [
        *(("promotion", 2), ("promotion", 1), ("rollback", 2)),
    ]
    holds = (True, None)
    assert history(shop.site) == {"registry/ledger": holds, "registry/alias champion": holds}

    shop.aliases.point("champion", 1)  # behind the ledger's back
    ok, why = history(shop.site)["registry/alias champion"]
    assert (ok, "must be at version 2 by entry 3 of the ledger, and is at version 1" in why) == (
        *(False, True),
    )
    shop.aliases.point("champion", 2)

    swift.client.delete_object(Bucket=BUCKET, Key=f"{shop.store.prefix}/{names[2]}")
    ok, why = history(shop.site)["registry/alias champion"]
    assert (ok, "must hold entry 3 on the alias champion of shapes" in why) == (False, True)


def test_without_naming_the_store_nothing_is_decided(shop):
    """The workspace's own store has no ledger; the version is marked by the one in the bucket."""
    shop.promote()
    beside = Site.at(shop.site.open_workspace())
    sentence = r"The ledger in .*/store must hold entry 1 on the alias champion of shapes, with"
    with pytest.raises(LedgerError, match=sentence):
        alias_state(beside.open_store(), shop.aliases, "champion")
    assert history(beside)["registry/alias champion"][0] is False
