"""Every gate as a table of literal figures."""

import pytest

from mixmatch.config import LargestDrop, LargestLatency, Policy
from mixmatch.gates import candidate, gates_of, nearest_miss
from mixmatch.records import Gate, VersionFacts

FACTS = VersionFacts(
    version=3,
    digest="c" * 64,
    bytes=2_000_000,
    sparsity=0.9,
    validation_accuracy=0.95,
    accuracy=0.94,
    data_digest="d" * 64,
    drop_mean=0.01,
    drop_high=0.02,
    fronts=("sparsity", "bytes"),
    processor="Example CPU",
    median_s={"onnx": {"1": 0.004}, "torch": {"32": 0.1}},
)
HOLDER = FACTS.model_copy(update={"version": 2, "validation_accuracy": 0.96})


def latency(**changes):
    return LargestLatency(**{"seconds": 0.005, "processor": "Example CPU"} | changes)


def only(policy, facts=FACTS, **given):
    """Return the one gate of a policy that demands nothing else."""
    quiet = policy.model_copy(update={"on_front": "on_front" in policy.model_fields_set})
    (gate,) = gates_of(quiet, facts, **{"holder": None} | given)
    return gate


@pytest.mark.parametrize(
    ("policy", "allowed", "found", "ok", "shortfall"),
    [
        (Policy(largest_bytes=2_000_000), "at most 2,000,000 bytes", "2,000,000 bytes", True, 0),
        (
            Policy(largest_bytes=1_600_000),
            "at most 1,600,000 bytes",
            "2,000,000 bytes",
            False,
            0.25,
        ),
        (Policy(smallest_sparsity=0.9), "at least 90 %", "90 %", True, 0),
        (Policy(smallest_sparsity=1.0), "at least 100 %", "90 %", False, 0.1),
        (Policy(smallest_accuracy=0.95), "at least 95 %", "95 %", True, 0),
        (Policy(smallest_accuracy=0.96), "at least 96 %", "95 %", False, 0.01 / 0.96),
        (Policy(largest_drop=LargestDrop(drop=0.02)), "at most 2 points", "2 points", True, 0),
        (Policy(largest_drop=LargestDrop(drop=0.01)), "at most 1 points", "2 points", False, 0.01),
        (
            Policy(largest_drop=LargestDrop(drop=0.01, of="mean")),
            *("at most 1 points", "1 points", True, 0),
        ),
        (Policy(largest_drop=LargestDrop(drop=0)), "at most 0 points", "2 points", False, 0.02),
        (Policy(largest_latency=latency()), "at most 5 ms", "4 ms", True, 0),
        (Policy(largest_latency=latency(seconds=0.002)), "at most 2 ms", "4 ms", False, 1),
        (
            Policy(largest_latency=latency(runtime="torch", batch=32, seconds=0.1)),
            *("at most 100 ms", "100 ms", True, 0),
        ),
        (
            Policy(largest_latency=latency(runtime="onnx-int8")),
            *("at most 5 ms", "not recorded", False, None),
        ),
        (
            Policy(largest_latency=latency(processor="Other CPU")),
            *("at most 5 ms on Other CPU", "measured on Example CPU", False, None),
        ),
        (Policy(on_front=True), "sparsity or bytes", "sparsity and bytes", True, None),
    ],
)
def test_a_gate_compares_one_figure_with_one_demand(policy, allowed, found, ok, shortfall):
    gate = only(policy)
    assert (gate.allowed, gate.found, gate.ok) == (allowed, found, ok)
    assert gate.shortfall == pytest.approx(shortfall, abs=1e-12)


@pytest.mark.parametrize(
    ("changes", "found", "ok"),
    [
        ({"fronts": ("bytes",)}, "bytes", True),
        ({"fronts": ()}, "neither", False),
        ({"fronts": None}, "not recorded", False),
    ],
)
def test_either_front_will_do_but_one_must_be_known(changes, found, ok):
    gate = only(Policy(on_front=True), FACTS.model_copy(update=changes))
    assert (gate.found, gate.ok) == (found, ok)


@pytest.mark.parametrize("of", ["mean", "interval_end"])
def test_a_drop_that_is_not_recorded_fails(of):
    facts = FACTS.model_copy(update={"drop_mean": None, "drop_high": None})
    gate = only(Policy(largest_drop=LargestDrop(drop=0.5, of=of)), facts)
    assert (gate.found, gate.ok, gate.shortfall) == ("not recorded", False, None)


@pytest.mark.parametrize(
    ("limit", "holder", "found", "ok"),
    [
        (0.01, HOLDER, "1 points", True),
        (0.005, HOLDER, "1 points", False),
        (0.0, FACTS, "0 points", True),
        (0.0, FACTS.model_copy(update={"validation_accuracy": 0.9}), "-5 points", True),
        (0.0, None, "nobody holds it", True),
        (1.0, HOLDER.model_copy(update={"data_digest": "e" * 64}), "other data set", False),
        (1.0, HOLDER.model_copy(update={"data_digest": None}), "other data set", False),
    ],
)
def test_the_holder_is_compared_with_on_the_same_images_only(limit, holder, found, ok):
    # Binary fractions, so that the loss is exact.
    exact = FACTS.model_copy(update={"validation_accuracy": 0.95})
    policy = Policy(not_worse_by=limit + (1e-9 if limit == 0.01 else 0))
    gate = only(policy, exact, holder=holder)
    assert (gate.found, gate.ok) == (found, ok)


def test_a_version_that_was_sent_back_wins_no_more_by_itself():
    gate = only(Policy(), returned="rolled back by entry 7")
    assert gate == Gate(
        name="may_return", allowed="never returned", found="rolled back by entry 7", ok=False
    )
    allowing = Policy(may_return=True, on_front=False)
    assert gates_of(allowing, FACTS, holder=None, returned="rolled back by entry 7") == ()


def test_gates_stand_in_the_order_of_the_policy():
    policy = Policy(
        not_worse_by=0.1,
        largest_latency=latency(),
        largest_drop=LargestDrop(drop=0.1),
        smallest_accuracy=0.5,
        smallest_sparsity=0.5,
        largest_bytes=1,
    )
    assert [gate.name for gate in gates_of(policy, FACTS, holder=None)] == [
        "largest_bytes",
        "smallest_sparsity",
        "smallest_accuracy",
        "largest_drop",
        "largest_latency",
        "on_front",
        "not_worse_by",
    ]


def failing(version, *shortfalls):
    gates = [Gate(name="a", allowed="", found="", ok=x == 0, shortfall=x) for x in shortfalls]
    return candidate(FACTS.model_copy(update={"version": version}), gates)


@pytest.mark.parametrize(
    ("candidates", "nearest"),
    [
        ([failing(1, 0.1, 0.1), failing(2, 0.9, 0)], 2),
        ([failing(1, 0.3), failing(2, 0.2), failing(3, 0.2)], 2),
        ([failing(2, None), failing(1, 0.01)], 2),
    ],
)
def test_the_nearest_miss_fails_the_fewest_gates_by_the_least(candidates, nearest):
    assert nearest_miss(candidates).version == nearest
