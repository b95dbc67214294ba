from tasks.report.layer_map import layer_map


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


def test_map_escapes_names_for_plotly_which_reads_tags(plan):
    bad = "<img src=x>"
    layer = plan.layers[0].model_copy(update={"name": bad})
    strategy = plan.strategies[0].model_copy(update={"name": bad, "num_pruned": {bad: 1}})

    text = str(layer_map(plan.model_copy(update={"layers": (layer,), "strategies": (strategy,)})))

    assert "<img" not in text
    assert text.count("&lt;img src=x&gt;") == 4
