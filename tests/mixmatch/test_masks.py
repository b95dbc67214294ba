"""Masks: exact counts, ties, global ranking, application, digests."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from mixmatch.errors import LayerError, ScoreError, SparsityError, TrainingError
from mixmatch.layers import prunable_layers
from mixmatch.masks import (
    apply_masks_,
    check_masked,
    count_nonzero,
    global_num_pruned,
    keep_mask,
    keep_masks,
    keep_masks_of,
    mask_digest,
)

# Few distinct values, so that most examples have ties; one is denormal.
SCORES = st.lists(st.sampled_from([-1.0, -0.0, 0.0, 2.0**-149, 0.5, 2.0]), min_size=1, max_size=40)


def two_layers():
    model = nn.Sequential(nn.Conv2d(1, 2, 2), nn.Flatten(), nn.Linear(2, 3))
    with torch.no_grad():
        model[0].weight.copy_(torch.arange(-4.0, 4.0).view(2, 1, 2, 2))
        model[2].weight.copy_(torch.arange(1.0, 7.0).view(3, 2))
    return model


def lowest_by_stable_sort(scores, num_pruned):
    keep = torch.ones(scores.numel(), dtype=torch.bool)
    keep[scores.argsort(stable=True)[:num_pruned]] = False
    return keep


@pytest.mark.parametrize(
    ("num_pruned", "num_lost"), [(0, 0), (29, 29), (70, 70), (99, 99), (100, 99)]
)
def test_prunes_the_exact_number_even_when_all_scores_tie(num_pruned, num_lost):
    assert (~keep_mask(torch.ones(10, 10), num_pruned)).sum() == num_lost


@pytest.mark.parametrize(
    ("num_pruned", "expected"),
    [
        (0, [1, 1, 1, 1, 1, 1]),
        (1, [1, 1, 0, 1, 1, 1]),
        (2, [1, 0, 0, 1, 1, 1]),  # of the three at 2.0 the first goes first
        (3, [1, 0, 0, 0, 1, 1]),
        (4, [1, 0, 0, 0, 1, 0]),
        (5, [0, 0, 0, 0, 1, 0]),
        (6, [0, 0, 0, 0, 1, 0]),  # one weight stays
    ],
)
def test_the_lowest_scores_go_and_ties_go_by_position(num_pruned, expected):
    scores = torch.tensor([[3.0, 2.0, 1.0], [2.0, 4.0, 2.0]])
    assert keep_mask(scores, num_pruned).int().flatten().tolist() == expected


def test_a_mask_has_shape_of_its_scores_whatever_their_memory_format():
    scores = torch.arange(24.0).view(2, 3, 2, 2)
    mask = keep_mask(scores.to(memory_format=torch.channels_last), 12)
    assert mask.dtype == torch.bool
    assert torch.equal(mask, torch.arange(24).view(2, 3, 2, 2) >= 12)


def test_half_precision_scores_are_ranked_too():
    scores = torch.tensor([0.5, 0.25, 1.0], dtype=torch.bfloat16)
    assert keep_mask(scores, 1).tolist() == [True, False, True]


@settings(deadline=None)
@given(values=SCORES, share=st.floats(0, 1))
def test_equals_a_stable_sort(values, share):
    scores, num_pruned = torch.tensor(values), int(share * (len(values) - 1))
    assert torch.equal(keep_mask(scores, num_pruned), lowest_by_stable_sort(scores, num_pruned))


@settings(deadline=None)
@given(values=SCORES)
def test_masks_for_growing_counts_are_nested(values):
    scores = torch.tensor(values)
    masks = [keep_mask(scores, count) for count in range(len(values))]
    for larger, smaller in itertools.pairwise(masks):
        assert (smaller <= larger).all()
        assert larger.sum() - smaller.sum() == 1


@pytest.mark.parametrize("num_pruned", [-1, 5])
def test_refuses_to_prune_more_weights_than_there_are(num_pruned):
    message = r"share of weights to prune must be a fraction in \[0.0, 1.0\], got (-0.25|1.25)"
    with pytest.raises(SparsityError, match=message):
        keep_mask(torch.ones(4), num_pruned)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_refuses_scores_that_cannot_be_ranked(bad):
    scores = torch.tensor([[1.0, bad]])
    with pytest.raises(ScoreError, match=r"scores must be finite .* tensor of shape \(1, 2\)"):
        keep_mask(scores, 1)
    with pytest.raises(ScoreError, match="scores of layer conv1 must be finite"):
        keep_masks({"conv1": scores}, {"conv1": 1})
    with pytest.raises(ScoreError, match="scores of layer conv1 must be finite"):
        global_num_pruned({"conv1": scores}, [0.5])


def test_masks_cover_the_layers_that_are_asked_for():
    scores = {"a": torch.tensor([2.0, 1.0]), "b": torch.tensor([1.0, 2.0, 3.0])}
    masks = keep_masks(scores, {"b": 2})
    assert {name: mask.tolist() for name, mask in masks.items()} == {"b": [False, False, True]}


@settings(deadline=None)
@given(values=SCORES, shares=st.lists(st.floats(0, 1), max_size=5))
def test_masks_selected_together_equal_those_selected_alone(values, shares):
    scores = {"a": torch.tensor(values)}
    plans = {str(share): {"a": int(share * len(values))} for share in shares}
    masks = keep_masks_of(scores, plans)
    assert list(masks) == list(plans)
    for name, by_layer in plans.items():
        assert torch.equal(masks[name]["a"], keep_masks(scores, by_layer)["a"])


def test_every_strategy_gets_masks_of_its_own_layers():
    scores = {"a": torch.tensor([2.0, 1.0]), "b": torch.tensor([1.0, 2.0, 3.0])}
    masks = keep_masks_of(scores, {"low": {"b": 1, "a": 1}, "high": {"b": 2}, "none": {}})
    assert {strategy: list(by_layer) for strategy, by_layer in masks.items()} == {
        "low": ["b", "a"],
        "high": ["b"],
        "none": [],
    }
    assert masks["low"]["b"].tolist() == [False, True, True]
    assert masks["high"]["b"].tolist() == [False, False, True]


def test_more_strategies_than_a_byte_can_count():
    scores = {"a": torch.arange(400.0).flip(0)}
    masks = keep_masks_of(scores, {str(count): {"a": count} for count in range(400)})
    assert [int(by_layer["a"].sum()) for by_layer in masks.values()] == list(range(400, 0, -1))
    assert not masks["399"]["a"][1:].any()


def test_masks_do_not_change_from_one_release_to_the_next():
    scores = ((torch.arange(20_000) * 7919) % 1013).float().sub(500).view(20, 10, 10, 10)
    digest = mask_digest(keep_masks({"conv": scores}, {"conv": 13_000}))
    assert digest == "78e039b51a3ce27e0b1c41452195d37e2239de63989ed48ebc47dbe886e62cef"


def test_global_ranking_counts_by_layer():
    scores = {"a": torch.tensor([[1.0, 5.0], [2.0, 6.0]]), "b": torch.tensor([3.0, 4.0, 0.0, 7.0])}
    assert global_num_pruned(scores, [0.0, 0.25, 0.5, 0.75, 1.0]) == {
        0.0: {"a": 0, "b": 0},
        0.25: {"a": 1, "b": 1},
        0.5: {"a": 2, "b": 2},
        0.75: {"a": 3, "b": 3},
        1.0: {"a": 4, "b": 4},
    }


def test_global_ties_go_by_layer_order():
    scores = {"b": torch.ones(4), "a": torch.tensor([1.0, 0.0, 1.0, 1.0])}
    assert global_num_pruned(scores, [0.25, 0.625, 0.75]) == {
        0.25: {"b": 1, "a": 1},
        0.625: {"b": 4, "a": 1},
        0.75: {"b": 4, "a": 2},
    }


def test_global_counts_are_rounded_half_to_even():
    scores = {"a": torch.arange(10.0)}
    assert global_num_pruned(scores, [0.25, 0.35]) == {0.25: {"a": 2}, 0.35: {"a": 4}}


@settings(deadline=None)
@given(layers=st.lists(SCORES, min_size=1, max_size=4), targets=st.lists(st.floats(0, 1)))
def test_global_ranking_equals_a_stable_sort_of_all_scores(layers, targets):
    scores = {f"layer{i}": torch.tensor(values) for i, values in enumerate(layers)}
    flat = torch.cat(list(scores.values()))
    for target, counts in global_num_pruned(scores, targets).items():
        keep = lowest_by_stable_sort(flat, round(target * len(flat)))
        parts = keep.split([len(values) for values in layers])
        assert list(counts.values()) == [int((~part).sum()) for part in parts]


def test_refuses_a_global_percent():
    with pytest.raises(SparsityError, match=r"target must be a fraction in \[0.0, 1.0\], got 70"):
        global_num_pruned({"a": torch.ones(4)}, [70])


MASKS = {
    "0": torch.tensor([[[[0, 1], [0, 1]]], [[[1, 1], [0, 0]]]], dtype=torch.bool),
    "2": torch.ones(3, 2, dtype=torch.bool),
}


def test_applying_masks_zeroes_pruned_weights_and_nothing_else():
    model = two_layers()
    bias = model[0].bias.clone()
    apply_masks_(model, MASKS)
    assert model[0].weight.flatten().tolist() == [0.0, -3.0, 0.0, -1.0, 0.0, 1.0, 0.0, 0.0]
    assert model[2].weight.flatten().tolist() == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert torch.equal(model[0].bias, bias)


def test_applying_masks_leaves_no_minus_sign_and_no_nan():
    model = two_layers()
    with torch.no_grad():
        model[0].weight[0, 0, 1, 0] = math.nan
    apply_masks_(model, MASKS)
    assert not torch.signbit(model[0].weight[~MASKS["0"]]).any()
    assert torch.isfinite(model[0].weight).all()


def test_a_mask_for_a_layer_that_is_not_there_is_an_error():
    with pytest.raises(LayerError, match="conv9"):
        apply_masks_(two_layers(), {"conv9": MASKS["0"]})


def test_the_check_names_the_layer_and_how_many_weights_were_revived():
    model = two_layers()
    apply_masks_(model, MASKS)
    check_masked(model, MASKS)
    with torch.no_grad():
        model[0].weight[0, 0, 0, 0] = 1e-30
    message = "Layer 0 must keep its 4 pruned weights at zero, but 1 of them are not"
    with pytest.raises(TrainingError, match=message):
        check_masked(model, MASKS)


def test_the_check_accepts_a_kept_weight_that_is_zero_by_chance():
    model = two_layers()
    apply_masks_(model, MASKS)
    with torch.no_grad():
        model[0].weight[0, 0, 0, 1] = 0.0
    check_masked(model, MASKS)


def test_both_zeros_count_as_zero():
    model = two_layers()
    with torch.no_grad():
        model[0].weight[0].fill_(-0.0)
    assert count_nonzero(model, prunable_layers(model)) == {"0": 3, "2": 6}


def test_the_digest_depends_on_bits_names_and_shapes_but_not_on_order():
    mask = torch.tensor([True, False, True, True])
    reference = mask_digest({"a": mask, "b": ~mask})
    assert reference == mask_digest({"b": ~mask, "a": mask.clone()})
    others = [
        {"a": ~mask, "b": mask},
        {"a": mask, "c": ~mask},
        {"a": mask.view(2, 2), "b": ~mask},
        {"a": mask},
    ]
    assert reference not in {mask_digest(other) for other in others}
    assert len(reference) == 64
