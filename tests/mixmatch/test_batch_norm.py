"""Batch-norm statistics measured anew."""

import pytest
import torch
from torch import nn

from mixmatch.batch_norm import reestimate_batch_norm_
from mixmatch.errors import DataError


def passing(*values):
    """Return batches whose images are columns of the given numbers."""
    images = [torch.tensor(column).view(-1, 1) for column in values]
    return lambda: [(x, torch.zeros(len(x), dtype=torch.int64)) for x in images]


def test_statistics_become_the_plain_average_over_batches():
    norm = nn.BatchNorm1d(1)
    norm.running_mean.fill_(99.0)
    reestimate_batch_norm_(nn.Sequential(norm), passing([1.0, 3.0], [5.0, 9.0], [0.0, 0.0]))
    assert norm.running_mean.item() == pytest.approx(3.0)  # of 2, 7 and 0, float32
    assert norm.running_var.item() == pytest.approx(10 / 3)  # of 2, 8 and 0, unbiased
    assert norm.num_batches_tracked.item() == 3


def test_a_module_that_a_pass_calls_twice_averages_over_its_calls():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.BatchNorm1d(1)

        def forward(self, x):
            self.norm(x)
            return self.norm(x + 10)

    model = Twice()
    reestimate_batch_norm_(model, passing([1.0, 3.0]))
    assert model.norm.running_mean.item() == pytest.approx(7.0)  # of 2 and 12
    reestimate_batch_norm_(model, passing([1.0, 3.0], [1.0, 3.0]))
    assert model.norm.running_mean.item() == pytest.approx(7.0)
    assert not model.norm._forward_pre_hooks


def test_a_small_last_batch_counts_by_its_images():
    norm = nn.BatchNorm1d(1)
    reestimate_batch_norm_(nn.Sequential(norm), passing([0.0, 0.0, 6.0, 6.0], [3.0, 5.0]))
    assert norm.running_mean.item() == pytest.approx((4 * 3 + 2 * 4) / 6)  # float32
    assert norm.running_var.item() == pytest.approx((4 * 12 + 2 * 2) / 6)  # of 12 and 2, unbiased


def test_batches_of_one_size_give_bit_for_bit_the_cumulative_average_of_torch():
    norm, expected = nn.BatchNorm1d(1), nn.BatchNorm1d(1, momentum=None)
    columns = [[0.1, 0.3], [0.7, 0.2], [0.9, 0.4], [0.6, 0.8], [0.5, 0.1]]
    for column in columns:
        expected(torch.tensor(column).view(-1, 1))
    reestimate_batch_norm_(nn.Sequential(norm), passing(*columns))
    assert torch.equal(norm.running_mean, expected.running_mean)
    assert torch.equal(norm.running_var, expected.running_var)


def test_the_autocast_context_surrounds_the_forward_passes():
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.BatchNorm1d(1))
    with torch.no_grad():
        model[0].weight.fill_(1.0)
    images = passing([1.0, 257.0])  # in bfloat16, 257 is 256
    reestimate_batch_norm_(model, images)
    assert model[1].running_mean.item() == 129.0
    reestimate_batch_norm_(
        model, images, autocast=lambda: torch.autocast("cpu", dtype=torch.bfloat16)
    )
    assert model[1].running_mean.item() == 128.5


def test_momentum_modes_weights_and_gradients_are_left_as_they_were():
    norm, frozen = nn.BatchNorm1d(1, momentum=0.3), nn.BatchNorm1d(1)
    model = nn.Sequential(norm, frozen)
    model.train()
    frozen.eval()
    reestimate_batch_norm_(model, passing([1.0, 3.0]))
    assert (norm.momentum, frozen.momentum) == (0.3, 0.1)
    assert (model.training, norm.training, frozen.training) == (True, True, False)
    assert (norm.weight.item(), norm.bias.item(), norm.weight.grad) == (1.0, 0.0, None)


def test_the_momentum_comes_back_even_when_the_network_fails():
    norm = nn.BatchNorm1d(7, momentum=0.3)
    with pytest.raises(RuntimeError, match="running_mean"):
        reestimate_batch_norm_(nn.Sequential(norm), passing([1.0, 3.0]))
    assert norm.momentum == 0.3


def test_dropout_does_not_disturb_the_statistics():
    model = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm1d(1))
    reestimate_batch_norm_(model, passing([4.0, 4.0]))
    assert (model[1].running_mean.item(), model[1].running_var.item()) == (4.0, 0.0)


def test_a_later_layer_sees_the_output_of_a_renormalized_one():
    model = nn.Sequential(nn.BatchNorm1d(1), nn.BatchNorm1d(1))
    reestimate_batch_norm_(model, passing([100.0, 102.0]))
    assert model[1].running_mean.item() == pytest.approx(0.0, abs=1e-5)
    assert model[1].running_var.item() == pytest.approx(2.0, rel=1e-4)  # of about -1 and 1


def test_a_batch_of_one_image_is_passed_over():
    norm = nn.BatchNorm1d(1)
    reestimate_batch_norm_(nn.Sequential(norm), passing([7.0], [1.0, 3.0], [50.0]))
    assert norm.running_mean.item() == 2.0


def test_without_a_usable_batch_it_raises_and_changes_nothing():
    norm = nn.BatchNorm1d(1)
    norm.running_mean.fill_(99.0)
    with pytest.raises(DataError, match="batches of at least 2 images, got none"):
        reestimate_batch_norm_(nn.Sequential(norm), passing([7.0]))
    assert norm.running_mean.item() == 99.0


@pytest.mark.parametrize(
    "module", [nn.Identity(), nn.LayerNorm(1), nn.BatchNorm1d(1, track_running_stats=False)]
)
def test_reads_no_image_where_no_statistics_are_kept(module):
    def batches():
        raise AssertionError

    reestimate_batch_norm_(nn.Sequential(module), batches)
