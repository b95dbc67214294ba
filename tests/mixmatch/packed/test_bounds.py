import math

import pytest
import torch

from mixmatch.packed import save_packed_state
from mixmatch.packed.bounds import entropy_bounds
from mixmatch.packed.opened import opened


def bounds_of(path):
    with opened(path) as packed:
        return entropy_bounds(packed)


def half_kept():
    weight = torch.zeros(4, 64)
    weight[:, ::2] = 1.0
    weight[:2, ::2] = -2.0
    return weight


@pytest.mark.parametrize(
    ("values", "bits"),
    [
        ("float32", 1 + 1 + 23),  # either sign, either exponent, a whole mantissa
        ("bfloat16", 1 + 1 + 7),
        ("float16", 1 + 1 + 10),
        ("int8", 1),  # the largest code or its negative: each channel has its own scale
    ],
)
def test_adds_up_mask_and_values(values, bits, tmp_path, spec_of):
    save_packed_state(tmp_path / "net", {"w": half_kept()}, spec_of(), {"w"}, values=values)
    bounds = bounds_of(tmp_path / "net")
    assert (bounds.masks_bits, bounds.values_bits) == (256.0, 128.0 * bits)


def test_adds_up_tensors_and_leaves_out_what_is_not_prunable(tmp_path, spec_of):
    state = {"a": half_kept(), "b": half_kept(), "c": torch.randn(99), "d": torch.zeros(99)}
    save_packed_state(tmp_path / "net", state, spec_of(), {"a", "b", "d"})
    assert bounds_of(tmp_path / "net").masks_bits == 512.0


def test_a_weight_stored_whole_is_bounded_by_what_it_keeps(tmp_path, spec_of):
    weight = torch.ones(1_000)
    weight[7] = 0
    save_packed_state(tmp_path / "net", {"w": weight}, spec_of(), {"w"}, values="int8")
    needed = 1000 * math.log2(1000) - 999 * math.log2(999)
    assert bounds_of(tmp_path / "net").masks_bits == pytest.approx(needed)


@pytest.mark.parametrize("density", [0.02, 0.1, 0.3, 0.55, 0.9])
@pytest.mark.parametrize("values", ["float32", "int8"])
def test_a_random_mask_and_gaussian_values_come_within_3_percent(
    density, values, tmp_path, spec_of
):
    torch.manual_seed(0)
    weight = torch.randn(256, 2048).double().add(1e-9).float()
    weight[torch.rand(256, 2048) >= density] = 0
    path = tmp_path / "net"
    save_packed_state(path, {"w": weight}, spec_of(), {"w"}, values=values)
    with opened(path) as packed:
        (entry,) = packed.header.tensors
        bounds = entropy_bounds(packed)
    stored = sum(part.stored_bytes for part in entry.parts if part.name != "scales")
    assert 8 * stored < 1.03 * (bounds.masks_bits + bounds.values_bits)
