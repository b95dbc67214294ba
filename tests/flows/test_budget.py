"""What successive halving keeps of its rounds, and what it says that they took."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from flows import budget, family
from flows.members import ComputedMembers
from flows.side_by_side import Computed
from mixmatch.errors import FamilyError
from tasks.members import Member, Spent

# By key of a job: validation images that were got right, and processor time.
ROUNDS = {"a": (50, 1.0), "a+1": (70, 2.0), "a+1+1": (60, 4.0), "b": (55, 1.0), "b+1": (40, None)}


@pytest.fixture
def halved(family_of):
    return {one.strategy: one for one in family_of(seeds=(7,))}


@pytest.fixture
def family_of(monkeypatch):
    """Two configurations with three epochs: one each, then one more for the better."""

    def compute(session, asked):
        found = {one.job.key: record_of(one.job.key) for one in asked}
        return Computed(records=found)

    def continued(one, config, prepared, *, epochs, seed):
        return replace(one, seed=seed, job=SimpleNamespace(key=f"{one.job.key}+{epochs}"))

    def hopeful(members, records, num_survivors):
        return [(x.strategy, x.criterion) for x in members][:num_survivors]

    members = tuple(Member(x, (), "magnitude", 0, SimpleNamespace(key=x)) for x in "ab")
    rungs = tuple(SimpleNamespace(num_survivors=x, epochs=1) for x in (2, 1))
    monkeypatch.setattr(budget, "untrained", lambda *_: members)
    monkeypatch.setattr(budget, "compute", compute)
    monkeypatch.setattr(budget, "continued", continued)
    monkeypatch.setattr(budget, "hopeful", hopeful)
    monkeypatch.setattr(budget, "rungs", lambda *_: rungs)

    def within_budget(*, seeds):
        session = SimpleNamespace(config=SimpleNamespace(seeds=seeds))
        return budget.compute_within_budget(session, None, 3)[0]

    return within_budget


def record_of(key):
    num_correct, cpu_seconds = ROUNDS[key]
    return SimpleNamespace(
        validation=SimpleNamespace(num_correct=num_correct),
        epochs=() if "+" not in key else (None,),
        seconds=10.0,
        cpu_seconds=cpu_seconds,
    )


def test_a_configuration_stands_at_its_best_round_under_the_seed(halved):
    assert {x: (one.job.key, one.seed) for x, one in halved.items()} == {
        "a": ("a+1", 7),
        "b": ("b", 7),
    }


def test_rounds_that_made_it_worse_are_spent_too(halved):
    assert halved["a"].spent == Spent(2, seconds=30.0, cpu_seconds=7.0, untrained=record_of("a"))
    # Where one round was not measured, the sum is not known.
    assert halved["b"].spent == Spent(1, seconds=20.0, cpu_seconds=None, untrained=record_of("b"))


def test_a_family_whose_halving_lost_a_result_is_none(monkeypatch):
    lost = ComputedMembers(records={"a": None}, failed={"b/magnitude/7": "killed"})
    monkeypatch.setattr(family, "rivals", lambda *_: ())
    monkeypatch.setattr(family, "compute_within_budget", lambda *_: ((), lost))
    fine_tune = SimpleNamespace(budget=SimpleNamespace(epochs=3))
    session = SimpleNamespace(config=SimpleNamespace(fine_tune=fine_tune))
    with pytest.raises(FamilyError, match=r"1 results failed, on which the halving .*killed"):
        family.compute_family(session, None)


def test_seeds_share_what_none_of_them_trained(family_of):
    members = family_of(seeds=(7, 8))
    assert [(one.strategy, one.seed, one.job.key) for one in members] == [
        ("a", 7, "a+1"),
        ("b", 7, "b"),
        ("a", 8, "a+1"),
        ("b", 8, "b"),
    ]
