import json

import pytest

from tasks.report.charts import front_points, layer_map, trade_off


def with_accuracy(result, split, value):
    accuracy = getattr(result.member, split).model_copy(update={"value": value})
    member = result.member.model_copy(update={split: accuracy})
    return result.model_copy(update={"member": member})


def with_sparsity(result, sparsity):
    member = result.member.model_copy(update={"sparsity": sparsity})
    return result.model_copy(update={"member": member})


@pytest.mark.parametrize("split", ["test", "validation"])
def test_draws_one_series_per_criterion_with_every_result(family, split):
    _, *series = trade_off(family, split, {})["data"]

    assert [trace["name"] for trace in series] == ["magnitude", "product"]
    drawn = [point for trace in series for point in zip(trace["x"], trace["y"], strict=True)]
    expected = [(r.member.sparsity, getattr(r.member, split).value) for r in family.results]
    assert drawn == expected


def test_error_bars_reach_to_the_ends_of_the_interval(family):
    series = trade_off(family, "test", {})["data"][1]

    first, error = family.results[0].member.test, series["error_y"]
    assert first.value + error["array"][0] == pytest.approx(first.high)
    assert first.value - error["arrayminus"][0] == pytest.approx(first.low)
    assert not error["symmetric"]


def test_criteria_differ_in_shape_not_only_in_colour(family):
    _, *series = trade_off(family, "test", {})["data"]
    assert len({trace["marker"]["symbol"] for trace in series}) == 2


def test_marks_of_the_front_are_larger(family):
    series = trade_off(family, "test", {})["data"][1]
    magnitude = [x for x in family.results if x.criterion == "magnitude"]

    sizes = dict(zip([x.on_front for x in magnitude], series["marker"]["size"], strict=True))
    assert sizes[True] > sizes[False]


def test_front_is_a_staircase_on_the_axis_that_decided_it(family):
    shapes = [trade_off(family, x, {})["data"][0]["line"]["shape"] for x in ("validation", "test")]
    assert shapes == ["vh", "linear"]


def test_front_goes_from_the_least_to_the_most_sparse(family):
    front = front_points(family.results, "validation")

    expected = {
        (r.member.sparsity, r.member.validation.value) for r in family.results if r.on_front
    }
    assert set(front) == expected
    assert front == sorted(front)
    assert [y for _, y in front] == sorted((y for _, y in front), reverse=True)


def test_seeds_are_one_point_of_the_front_at_their_mean(family):
    result = next(x for x in family.results if x.on_front)
    seeds = [
        with_sparsity(with_accuracy(result, "validation", value), 0.75).model_copy(
            update={"seed": seed}
        )
        for seed, value in enumerate((0.25, 0.75))
    ]
    assert front_points(seeds, "validation") == [(0.75, 0.5)]


def test_base_and_references_are_horizontal_lines(family):
    shapes = trade_off(family, "test", {"MAG": 0.951})["layout"]["shapes"]

    lines = [shape for shape in shapes if shape["type"] == "line"]
    assert [line["label"]["text"] for line in lines] == ["base 98.15 %", "MAG 95.10 %"]
    assert [(line["y0"], line["y1"]) for line in lines] == [(0.9815, 0.9815), (0.951, 0.951)]


def test_rivals_follow_the_family_and_the_control_is_a_line(family, rivals):
    family = family.model_copy(update={"rivals": rivals})

    chart = trade_off(family, "validation", {"MAG at 0.9": 0.951})

    names = [trace["name"] for trace in chart["data"]]
    assert names[:5] == ["Pareto front", "magnitude", "product", "MAG", "SNIP"]
    labels = [shape["label"]["text"] for shape in chart["layout"]["shapes"][1:]]
    assert labels == ["base 98.60 %", "dense control 99.10 %", "MAG at 0.9 95.10 %"]


def test_the_axis_holds_rivals_near_the_family_and_not_those_that_collapsed(family, rivals):
    result = family.results[0]
    values = result.member.test.model_copy(update={"value": 0.9, "low": 0.875, "high": 1.0})
    member = result.member.model_copy(update={"test": values})
    base = family.base.model_copy(update={"test": values})

    def span(*tests):
        found = []
        for value, low in tests:
            test = values.model_copy(update={"value": value, "low": low, "high": value})
            near = rivals[1].member.model_copy(update={"test": test})
            found.append(rivals[1].model_copy(update={"member": near}))
        one = {"results": (result.model_copy(update={"member": member}),), "base": base}
        chart = trade_off(family.model_copy(update={**one, "rivals": tuple(found)}), "test", {})
        return chart["layout"]["yaxis"]["range"]

    assert span() == pytest.approx([0.8625, 1.0125])
    assert span((0.6, 0.5), (0.1, 0.1)) == pytest.approx([0.8625, 1.0125])  # below 0.625
    assert span((0.75, 0.75)) == pytest.approx([0.725, 1.025])
    assert span((0.65, 0.5)) == pytest.approx([0.625 - 0.0375, 1.0375])


def test_hovering_names_everything_about_a_result(family):
    index = next(n for n, x in enumerate(family.results) if x.strategy == "balanced")
    hover = trade_off(family, "test", {})["data"][1]["hovertext"][index]

    assert hover.split("<br>") == [
        "<b>balanced</b> (also percentile_50)",
        "magnitude, seed 0",
        "sparsity 52.94 %",
        "validation 98.40 % (97.62 to 99.18 %)",
        "test 97.80 % (97.16 to 98.44 %)",
        "20.70 MB (20,697,584 bytes)",
    ]


def test_map_holds_the_exact_sparsity_of_every_layer_and_strategy(plan):
    figure = layer_map(plan)

    (heat,) = figure["data"]
    for layer, row in zip(plan.layers, heat["z"], strict=True):
        counts = [x.num_pruned[layer.name] / layer.num_weights for x in plan.strategies]
        assert row == counts
    assert (heat["zmin"], heat["zmax"]) == (0, 1)


def test_map_says_where_a_range_comes_from(plan):
    layer = plan.layers[0].model_copy(update={"observed": None, "range": (0.25, 0.5)})
    preset = plan.model_copy(update={"layers": (layer,)})

    (observed,) = layer_map(plan)["data"]
    assert "observed " in observed["hovertext"][0][0]
    (stated,) = layer_map(preset)["data"]
    assert stated["hovertext"][0][0].endswith("range 25.00 % to 50.00 %<br>range of a preset")


def test_map_names_layers_roles_and_strategies(plan):
    layout = layer_map(plan)["layout"]

    assert layout["yaxis"]["ticktext"][0] == "conv1  <i>stem</i>"
    assert layout["yaxis"]["autorange"] == "reversed"
    assert layout["xaxis"]["ticktext"][0] == "conservative 29%"
    assert len(layout["xaxis"]["ticktext"]) == 10


def test_names_are_escaped_for_plotly_which_reads_tags(family, plan):
    bad = "<img src=x>"
    family = family.model_copy(
        update={
            "results": (family.results[0].model_copy(update={"strategy": bad, "also": (bad,)}),)
        }
    )
    layer = plan.layers[0].model_copy(update={"name": bad})
    strategy = plan.strategies[0].model_copy(update={"name": bad, "num_pruned": {bad: 1}})
    plan = plan.model_copy(update={"layers": (layer,), "strategies": (strategy,)})

    text = json.dumps([trade_off(family, "test", {bad: 0.5}), layer_map(plan)])

    assert "<img" not in text
    assert text.count("&lt;img src=x&gt;") == 7
