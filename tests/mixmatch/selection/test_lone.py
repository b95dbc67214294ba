"""A lone mask of few scores gives, bit for bit, what the selection of many gives."""

import pytest
import torch

from mixmatch.masks import keep_mask, keep_masks_of
from mixmatch.selection import MOST_SCORES, lone_mask


@pytest.mark.parametrize(
    ("num_lowest", "expected"),
    [(1, [1, 0, 1, 1, 1, 1]), (3, [1, 0, 1, 0, 1, 0]), (4, [1, 0, 0, 0, 1, 0])],
)
def test_the_lowest_go_and_of_equal_ones_the_first(num_lowest, expected):
    scores = torch.tensor([2.0, -0.0, 1.0, 0.0, 2.0, 0.0])
    assert lone_mask(scores, num_lowest).int().tolist() == expected


def test_of_two_equal_scores_at_the_cut_the_first_goes():
    assert lone_mask(torch.tensor([2.0, 2.0, 1.0]), 2).tolist() == [False, True, False]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("size", [7, MOST_SCORES, MOST_SCORES + 1])
def test_a_mask_selected_alone_is_the_one_selected_with_others(dtype, size):
    scores = torch.randint(-50, 50, (size,), generator=torch.Generator().manual_seed(size))
    layer = {"layer": scores.to(dtype)}
    together = keep_masks_of(layer, {str(n): {"layer": n} for n in (1, size // 2, size - 1)})
    for count, masks in together.items():
        assert torch.equal(keep_mask(layer["layer"], int(count)), masks["layer"])
