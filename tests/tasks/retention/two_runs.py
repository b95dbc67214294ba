"""Two runs that have ended, each with a version of one model, of which the older may go."""

import pytest

from mixmatch.config import Retention
from tasks.tracking import open_run
from tasks.tracking.holdings import holdings
from tests.tasks.promotion import shop as shops
from tests.tasks.promotion.shop import Shop

NOW = Retention(keep_newest=0, keep_fronts=0, keep_runs=0, keep_days=0, grace_hours=0)


def two_runs(root, store=None):
    """Make them in a workspace, in MLflow wherever the environment says that it is."""
    shop = Shop(root, store)
    with pytest.MonkeyPatch.context() as patch:
        for seed, key in ((1, "a" * 64), (2, "b" * 64)):
            patch.setattr(
                shops,
                "open_run",
                lambda site, own=key, **given: open_run(site, **given | {"key": own}),
            )
            shop.register(seed=seed, pruned=0.5)
    for run in holdings(shop.site).runs:
        shop.client.set_terminated(run.run_id)
    return shop


def state(shop):
    """Say what is there, by names: versions, runs, models, and what the store holds."""
    now = holdings(shop.site)
    return (
        {x.version for x in now.versions},
        {x.run_id for x in now.runs},
        {x.model_id for x in now.models},
        set(shop.store.names("")),
    )
