"""The search for global targets, on loss curves whose answers are known."""

import base64

import numpy as np
import pytest

from mixmatch.auto_targets import Trial, choose_targets
from mixmatch.errors import ConfigError
from mixmatch.records import Accuracy


def measured(*correct):
    bits = base64.b64encode(np.packbits(np.array(correct, dtype=bool)).tobytes()).decode()
    return Accuracy(
        num_correct=sum(correct),
        num_images=len(correct),
        value=sum(correct) / len(correct),
        low=0.0,
        high=1.0,
        loss=0.0,
        correct_bits=bits,
    )


def curves(aggressive, conservative, error=0.0):
    """Measure two analytic curves of loss over the target."""
    losses = {"aggressive": aggressive, "conservative": conservative}

    def try_out(target, strategy):
        return Trial(sparsity=target, loss=losses[strategy](target), error=error)

    return try_out


def beyond(knee):
    """Lose nothing up to ``knee``, then one point per point."""
    return lambda target: max(0.0, target - knee)


def test_finds_both_ends_to_two_thousandths_and_their_middle():
    targets, probes = choose_targets(curves(beyond(0.8), beyond(0.7)), largest_loss=0.05)
    low, middle, high = targets
    assert 0.848 <= high <= 0.85
    assert 0.698 <= low <= 0.70
    assert middle == pytest.approx((low + high) / 2, abs=0.0005)
    strategies = [probe.strategy for probe in probes]
    assert strategies.count("aggressive") <= 10
    assert strategies.count("conservative") <= 10


def test_targets_are_thousandths_that_passed_their_own_trial():
    targets, probes = choose_targets(curves(beyond(0.8), beyond(0.7)), largest_loss=0.05)
    passed = {(x.strategy, x.target) for x in probes if x.loss <= 0.05}
    assert ("aggressive", targets[-1]) in passed
    assert ("conservative", targets[0]) in {(x.strategy, x.target) for x in probes if x.loss == 0}
    assert [round(1000 * target) / 1000 for target in targets] == list(targets)


def test_a_family_that_never_loses_gets_the_highest_target_alone():
    targets, probes = choose_targets(curves(beyond(1.0), beyond(1.0)), largest_loss=0.02)
    assert targets == (0.999,)
    assert [(x.strategy, x.target) for x in probes] == [
        ("aggressive", 0.999),
        ("conservative", 0.999),
    ]


def test_the_low_end_is_no_higher_than_the_high_end():
    targets, _ = choose_targets(curves(beyond(0.7), beyond(0.9)), largest_loss=0.02)
    assert len(targets) == 1
    assert 0.718 <= targets[0] <= 0.72


def test_a_family_that_always_loses_something_begins_at_one_half():
    targets, _ = choose_targets(curves(beyond(0.8), lambda target: 0.001), largest_loss=0.05)
    assert targets[0] == 0.5


def test_only_one_half_is_within_reach():
    only_there = curves(lambda target: 0.0 if target == 0.5 else 1.0, lambda target: 1.0)
    assert choose_targets(only_there, largest_loss=0.02)[0] == (0.5,)


def test_half_a_standard_error_is_nothing():
    def loses(loss):
        found, _ = choose_targets(curves(beyond(1.0), lambda target: loss, error=0.01), 0.02)
        return found

    assert loses(0.005) == (0.999,)
    assert loses(0.0051) == (0.5, 0.75, 0.999)


def test_noise_leaves_an_end_that_passed_next_to_one_that_did_not():
    def rugged(target):
        return 0.1 if 0.6 <= target < 0.7 or target > 0.9 else 0.0

    targets, probes = choose_targets(curves(rugged, beyond(0.0)), largest_loss=0.05)
    losses = {x.target: x.loss for x in probes if x.strategy == "aggressive"}
    assert losses[targets[-1]] == 0.0
    assert any(losses.get(targets[-1] + step / 1000, 0.0) == 0.1 for step in (1, 2))


def test_says_what_is_lost_at_least():
    message = (
        r"ranges.largest_loss must be at least 0\.3000 for ranges.targets auto, which is what "
        r"aggressive loses untrained at the lowest target 0\.5, got 0\.02; raise it, or give "
        r"ranges.targets as numbers\."
    )
    with pytest.raises(ConfigError, match=message):
        choose_targets(curves(lambda target: 0.3, lambda target: 0.0), largest_loss=0.02)


def test_two_networks_are_compared_image_by_image():
    base, other = measured(1, 1, 1, 0), measured(1, 0, 0, 1)
    trial = Trial.against(base, other, 0.9)
    # Differences 0, 1, 1, -1: mean 1/4, variance 11/16, over four images.
    assert (trial.sparsity, trial.loss) == (0.9, 0.25)
    assert trial.error == pytest.approx((11 / 16 / 4) ** 0.5)


def test_equal_networks_lose_nothing_for_certain():
    base = measured(1, 0, 1)
    assert Trial.against(base, base, 0.5) == Trial(0.5, 0.0, 0.0)
