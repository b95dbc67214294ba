import io

from rich.console import Console

from flows.cli.plan_table import print_plan


def rows(summary):
    console = Console(file=io.StringIO(), width=120, highlight=False, markup=False)
    print_plan(console, summary)
    return [" ".join(line.split()) for line in console.file.getvalue().splitlines()]


def test_shows_layers_with_their_ranges(plan_summary):
    assert "conv1 convolution 1,728 25.0 to 90.0 0.0 to 10.0" in rows(plan_summary)


def test_ranges_of_a_preset_were_never_observed(plan_summary):
    layer = plan_summary.layers[0].model_copy(update={"observed": None})
    summary = plan_summary.model_copy(update={"layers": (layer,)})
    assert "conv1 convolution 1,728 preset 0.0 to 10.0" in rows(summary)


def test_shows_strategies_and_which_are_equal(plan_summary):
    lines = rows(plan_summary)
    assert "balanced 75.00 10.0 to 80.0 9.87" in lines
    assert "percentile_50 balanced 75.00 10.0 to 80.0 9.87" in lines


def test_shows_the_cost_and_says_what_is_estimated(plan_summary):
    lines = rows(plan_summary)
    assert (
        "Work: at most 9 trainings of 1,220 images, 20 epochs each; 219,600 image passes in all. "
        "Equal strategies are trained once." in lines
    )
    assert "Sizes are estimates; those of a run are bytes on disk." in lines
    assert any(line.startswith("Normalization mean 0.3061") for line in lines)
