import pytest
import torch

from mixmatch.config import parse_run_config
from mixmatch.packed import save_packed_state
from mixmatch.records import Artifact
from tasks.estimate import expected_bytes, plan_cost

RUN = {"data": {"name": "digits"}, "model": {"architecture": "tiny"}}


def test_equal_strategies_are_counted_once(tiny_data, tiny_plan):
    fine_tune = {"max_epochs": 3}
    wanted = {"criteria": ["magnitude", "product"], "seeds": [0, 1, 2], "fine_tune": fine_tune}
    cost = plan_cost(parse_run_config(RUN | wanted, "r"), tiny_data, tiny_plan)
    assert (cost.trainings, cost.images, cost.epochs) == (2 * 2 * 3, 1000, 3)
    assert cost.image_passes == 36_000


def test_rivals_are_counted_at_every_sparsity_and_the_control_once(tiny_data, tiny_plan):
    wanted = {"compare": ["dense", "MAG", "LAMP"], "seeds": [0, 1], "fine_tune": {"max_epochs": 3}}
    cost = plan_cost(parse_run_config(RUN | wanted, "r"), tiny_data, tiny_plan)
    assert cost.trainings == 2 * (2 + 1 + 2 * 1)
    more = wanted | {"compare_sparsities": [0.5, 0.7, 0.9]}
    assert plan_cost(parse_run_config(RUN | more, "r"), tiny_data, tiny_plan).trainings == 18


def test_a_budget_is_what_the_family_costs(tiny_data, tiny_plan):
    wanted = {"fine_tune": {"budget": {"epochs": 7}}, "seeds": [0, 1]}
    cost = plan_cost(parse_run_config(RUN | wanted, "r"), tiny_data, tiny_plan)
    assert cost.image_passes == 2 * 7 * 1000


def test_an_instant_family_is_one_for_all_seeds(tiny_data, tiny_plan):
    wanted = {"fine_tune": {"max_epochs": 0}, "seeds": [0, 1]}
    cost = plan_cost(parse_run_config(RUN | wanted, "r"), tiny_data, tiny_plan)
    assert (cost.trainings, cost.image_passes) == (2, 0)


def test_a_dense_network_is_expected_to_keep_all_values(tiny_plan, tiny_base):
    values = 26.54 / 8 * 2000  # of normally distributed weights: 24 bits and 2.54 of the exponent
    assert expected_bytes(tiny_plan.strategies[0], tiny_plan, tiny_base) == round(300 + values)


def test_a_half_sparse_network_pays_one_bit_per_weight_for_its_mask(tiny_plan, tiny_base):
    values, mask = 25.25 / 8 * 1000, 2000 / 8
    found = expected_bytes(tiny_plan.strategies[1], tiny_plan, tiny_base)
    assert found == round(300 + values + mask)


@pytest.mark.parametrize("sparsity", [0.0, 0.05, 0.3, 0.6, 0.9, 0.99])
@pytest.mark.parametrize("scale", [0.01, 0.014])
def test_the_saved_file_is_within_3_percent_of_what_was_expected(
    tiny_plan, tiny_base, tmp_path, sparsity, scale
):
    torch.manual_seed(0)
    num_pruned = round(sparsity * 2**20)
    state = {f"{name}.weight": torch.randn(2**10, 2**10) * scale for name in ("conv", "fc")}
    for weight in state.values():
        weight.view(-1)[weight.abs().flatten().argsort()[:num_pruned]] = 0
    save_packed_state(tmp_path / "net", state, tiny_base.spec, [*state])

    layers = tuple(x.model_copy(update={"num_weights": 2**20}) for x in tiny_plan.layers)
    plan = tiny_plan.model_copy(update={"layers": layers})
    counts = {"conv": num_pruned, "fc": num_pruned}
    strategy = tiny_plan.strategies[0].model_copy(update={"num_pruned": counts})
    dense = Artifact(digest="b" * 64, size_bytes=4 * 2**21)
    base = tiny_base.model_copy(update={"artifact": dense, "num_weights": 2**21})
    expected = expected_bytes(strategy, plan, base)
    assert (tmp_path / "net").stat().st_size == pytest.approx(expected, rel=0.03)


def test_more_sparsity_is_never_larger(tiny_plan, tiny_base):
    sizes = []
    for num_pruned in range(0, 1001, 100):
        counts = {"conv": num_pruned, "fc": num_pruned}
        strategy = tiny_plan.strategies[0].model_copy(update={"num_pruned": counts})
        sizes.append(expected_bytes(strategy, tiny_plan, tiny_base))
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == pytest.approx(300)


def test_a_target_sparsity_is_a_training_of_its_own_unless_a_strategy_prunes_equally(
    tiny_data, tiny_plan
):
    balanced = tiny_plan.strategies[1]
    same = balanced.model_copy(update={"name": "target_0.50"})
    other = balanced.model_copy(update={"name": "target_0.60", "digest": "rho 0.6"})
    plan = tiny_plan.model_copy(update={"strategies": (*tiny_plan.strategies, same, other)})
    config = parse_run_config(RUN | {"target_sparsity": [0.5, 0.6]}, "r")
    assert plan_cost(config, tiny_data, tiny_plan).trainings == 2
    assert plan_cost(config, tiny_data, plan).trainings == 3
