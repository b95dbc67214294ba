"""Promotion and rollback as flows that a schedule may run."""

import pytest

from flows.promotion import promote_flow, rollback_flow
from mixmatch.errors import ConfigError, PromotionError
from tasks.ledger import read_ledger
from tests.tasks.promotion.shop import Shop

pytestmark = pytest.mark.service

POLICY = {"passes_audit": False, "on_front": False}


@pytest.fixture(scope="module")
def shop(server_site, tmp_path_factory):
    shop = Shop(tmp_path_factory.mktemp("promotion") / "workspace")
    for seed, pruned in ((1, 0.2), (2, 0.9)):
        shop.register(seed=seed, pruned=pruned)
    return shop


def test_both_directions_are_flows_with_plain_parameters(shop):
    place = {"name": "shapes", "workspace": shop.site.workspace, "by": "a schedule"}
    first = promote_flow(policy=POLICY | {"smallest_sparsity": 0.0}, **place)
    assert (first["outcome"], first["version"]) == ("promoted", 2)
    shop.tag(2, "sparsity", "0.0")
    second = promote_flow(policy=POLICY | {"prefer": "smallest", "smallest_sparsity": 0.1}, **place)
    assert second["version"] == 1
    back = rollback_flow(why="wrong at night", **place)
    assert (back["outcome"], back["version"], shop.champion()) == ("rolled_back", 2, 2)
    entries = read_ledger(shop.store).entries
    assert [x.who for x in entries] == ["a schedule"] * 3


def test_a_night_in_which_nothing_passes_ends_as_failed(shop):
    with pytest.raises(PromotionError, match=r"None of 2 versions of shapes passes .* version \d:"):
        promote_flow("shapes", POLICY | {"largest_bytes": 1}, shop.site.workspace)


def test_a_wrong_policy_is_refused_before_anything_is_opened(server_site, tmp_path):
    with pytest.raises(ConfigError, match=r"policy: prefer must be"):
        promote_flow("shapes", {"prefer": "best"}, str(tmp_path / "absent"))
    assert not (tmp_path / "absent").exists()
