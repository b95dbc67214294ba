from mixmatch.config import parse_run_config
from tasks.plan_summary import DataSummary, PlanSummary

RUN = {"data": {"name": "digits", "channels": 1}, "model": {"architecture": "tiny"}}


def test_holds_every_key_of_the_contract(tiny_plan, tiny_data, tiny_base):
    config = parse_run_config(RUN, "r")
    summary = PlanSummary.of(tiny_plan, config=config, data=tiny_data, base=tiny_base)
    printed = summary.model_dump(mode="json")
    assert printed["layers"][0] == {
        "name": "conv",
        "role": "convolution",
        "num_weights": 1000,
        "observed": [0.2, 0.9],
        "range": [0.0, 1.0],
    }
    assert list(printed["strategies"]) == ["dense", "balanced", "percentile_50"]
    balanced = printed["strategies"]["balanced"]
    assert balanced["sparsity"] == 0.5
    assert balanced["digest"] == "rho 0.5"
    assert balanced["layers"] == {"conv": 0.5, "fc": 0.5}
    assert balanced["expected_bytes"] == 3706  # 300 + 25.25 / 8 * 1000 + 2000 / 8


def test_the_data_is_described_as_the_network_gets_it(tiny_data, tiny_base):
    config = parse_run_config(RUN, "r")
    assert DataSummary.of(config, tiny_data, tiny_base).mean == (0.5,)
    assert DataSummary.of(config, tiny_data, None).mean == (0.3,)
    assert DataSummary.of(config, tiny_data, None).augmentation == "crop"


def test_settings_win_over_what_suits_the_data(tiny_data):
    data = {**RUN["data"], "augmentation": "none", "normalization": [[0.0], [1.0]]}
    summary = DataSummary.of(parse_run_config({**RUN, "data": data}, "r"), tiny_data, None)
    assert (summary.augmentation, summary.mean, summary.std) == ("none", (0.0,), (1.0,))


def test_ranges_that_were_never_observed_are_null(tiny_plan, tiny_data, tiny_base):
    layers = tuple(x.model_copy(update={"observed": None}) for x in tiny_plan.layers)
    plan = tiny_plan.model_copy(update={"layers": layers})
    config = parse_run_config(RUN, "r")
    summary = PlanSummary.of(plan, config=config, data=tiny_data, base=tiny_base)
    printed = summary.model_dump(mode="json")
    assert [layer["observed"] for layer in printed["layers"]] == [None, None]
