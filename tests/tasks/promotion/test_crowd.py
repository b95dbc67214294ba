"""Fifty promotions of one alias at once, from four processes: one holder, no gap, no stranger."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tasks.ledger import holder_of, read_ledger
from tasks.promotion import alias_state
from tests import postgres
from tests.tasks.promotion.shop import Shop

pytestmark = pytest.mark.service

ROOT = Path(__file__).resolve().parents[3]
SHARES = (13, 13, 12, 12)
LOST = re.compile(
    r"The alias champion of shapes must not change while a decision is made, but promotion \d+ was "
    r"first with entry \d+ of the ledger \(promotion, version \d, [^)]+\); nothing was changed by "
    r"this one\."
)


def crowd(shop, folder, **environment):
    """Let all promote at once; return what came of each."""
    gate = folder / "gate"
    command = [sys.executable, "-m", "tests.tasks.promotion.crowd", str(shop.site.workspace)]
    first, processes = 0, []
    for num in SHARES:
        processes.append(
            subprocess.Popen(
                [*command, str(first), str(num), str(gate)],
                cwd=ROOT,
                env=os.environ | environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        first += num
    for process in processes:
        assert process.stdout.readline() == "ready\n", process.stderr.read()
    gate.touch()
    outcomes = []
    for process in processes:
        stdout, stderr = process.communicate(timeout=300)
        assert process.returncode == 0, stderr
        outcomes += json.loads(stdout)
    return outcomes


def check(shop, outcomes):
    """Exactly one holder, a ledger without gaps, and no exception that is not ours."""
    num = Counter(outcome for outcome, _ in outcomes)
    assert num.total() == 50
    assert set(num) <= {"promoted", "lost", "unchanged"}, outcomes
    assert num["promoted"] >= 1
    sentences = [reason for outcome, reason in outcomes if outcome == "lost"]
    assert not [sentence for sentence in sentences if not LOST.fullmatch(sentence)]
    ledger = read_ledger(shop.store)  # which refuses a gap and a broken chain
    written = sorted(entry for outcome, entry in outcomes if outcome == "promoted")
    assert written == [entry.number for entry in ledger.entries] == [*range(1, len(written) + 1)]
    state = alias_state(shop.store, shop.aliases, "champion")
    assert (state.state, state.found) == ("agrees", holder_of(ledger, "shapes", "champion"))
    assert shop.client.get_registered_model("shapes").aliases["champion"] == state.found
    sys.stderr.write(f"{num}")


def test_fifty_promotions_from_four_processes_on_sqlite(shop, tmp_path):
    check(shop, crowd(shop, tmp_path))


@pytest.fixture
def on_postgres(tmp_path, monkeypatch):
    """The same shop with PostgreSQL behind MLflow."""
    with postgres.running(tmp_path) as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        shop = Shop(tmp_path / "on-postgres")
        for seed, pruned in ((1, 0.2), (2, 0.9)):
            shop.register(seed=seed, pruned=pruned)
        yield shop
        _dispose(address)


def _dispose(address):
    """Close what MLflow keeps open, so that the server can end."""
    from mlflow.tracking._model_registry.utils import _get_sqlalchemy_store as registry

    registry(address).engine.dispose()


def test_fifty_promotions_from_four_processes_on_postgresql(on_postgres, tmp_path):
    check(on_postgres, crowd(on_postgres, tmp_path))
