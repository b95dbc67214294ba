import json

import pytest

from tasks.report.axes import SIZE, SPARSITY
from tasks.report.trade_off import front_points, trade_off


def with_accuracy(result, split, value):
    accuracy = getattr(result.member, split).model_copy(update={"value": value})
    member = result.member.model_copy(update={split: accuracy})
    return result.model_copy(update={"member": member})


def with_sparsity(result, sparsity):
    member = result.member.model_copy(update={"sparsity": sparsity})
    return result.model_copy(update={"member": member})


def with_size(result, size_bytes):
    artifact = result.member.artifact.model_copy(update={"size_bytes": size_bytes})
    member = result.member.model_copy(update={"artifact": artifact})
    return result.model_copy(update={"member": member})


def sizes_over_sparsity(family):
    return trade_off(family, SPARSITY, "validation", {})["data"][1]["marker"]["size"]


@pytest.mark.parametrize("split", ["test", "validation"])
def test_draws_one_series_per_criterion_with_every_result(family, split):
    _, *series = trade_off(family, SPARSITY, split, {})["data"]

    assert [trace["name"] for trace in series] == ["magnitude", "product"]
    drawn = [point for trace in series for point in zip(trace["x"], trace["y"], strict=True)]
    expected = [(r.member.sparsity, getattr(r.member, split).value) for r in family.results]
    assert drawn == expected


def test_error_bars_reach_to_the_ends_of_the_interval(family):
    series = trade_off(family, SPARSITY, "test", {})["data"][1]

    first, error = family.results[0].member.test, series["error_y"]
    assert first.value + error["array"][0] == pytest.approx(first.high)
    assert first.value - error["arrayminus"][0] == pytest.approx(first.low)
    assert not error["symmetric"]


def test_criteria_differ_in_shape_not_only_in_colour(family):
    _, *series = trade_off(family, SPARSITY, "test", {})["data"]
    assert len({trace["marker"]["symbol"] for trace in series}) == 2


def test_marks_of_the_front_are_larger(family):
    series = trade_off(family, SPARSITY, "test", {})["data"][1]
    magnitude = [x for x in family.results if x.criterion == "magnitude"]

    sizes = dict(zip([x.on_front for x in magnitude], series["marker"]["size"], strict=True))
    assert sizes[True] > sizes[False]


def test_front_is_a_staircase_on_the_axis_that_decided_it(family):
    shapes = [
        trade_off(family, SPARSITY, x, {})["data"][0]["line"]["shape"]
        for x in ("validation", "test")
    ]
    assert shapes == ["vh", "linear"]


def test_front_goes_from_the_least_to_the_most_sparse(family):
    front = front_points(family.results, SPARSITY, "validation")

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
    assert front_points(seeds, SPARSITY, "validation") == [(0.75, 0.5)]


def test_base_and_references_are_horizontal_lines(family):
    shapes = trade_off(family, SPARSITY, "test", {"MAG": 0.951})["layout"]["shapes"]

    lines = [shape for shape in shapes if shape["type"] == "line"]
    assert [line["label"]["text"] for line in lines] == ["base 98.15 %", "MAG 95.10 %"]
    assert [(line["y0"], line["y1"]) for line in lines] == [(0.9815, 0.9815), (0.951, 0.951)]


def test_rivals_follow_the_family_and_the_control_is_a_line(family, rivals):
    family = family.model_copy(update={"rivals": rivals})

    chart = trade_off(family, SPARSITY, "validation", {"MAG at 0.9": 0.951})

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
        changed = family.model_copy(update={**one, "rivals": tuple(found)})
        chart = trade_off(changed, SPARSITY, "test", {})
        return chart["layout"]["yaxis"]["range"]

    assert span() == pytest.approx([0.8625, 1.0125])
    assert span((0.6, 0.5), (0.1, 0.1)) == pytest.approx([0.8625, 1.0125])  # below 0.625
    assert span((0.75, 0.75)) == pytest.approx([0.725, 1.025])
    assert span((0.65, 0.5)) == pytest.approx([0.625 - 0.0375, 1.0375])


def test_hovering_names_everything_about_a_result(family):
    index = next(n for n, x in enumerate(family.results) if x.strategy == "balanced")
    hover = trade_off(family, SPARSITY, "test", {})["data"][1]["hovertext"][index]

    assert hover.split("<br>") == [
        "<b>balanced</b> (also percentile_50)",
        "magnitude, seed 0",
        "sparsity 52.94 %",
        "validation 98.40 % (97.62 to 99.18 %)",
        "test 97.80 % (97.16 to 98.44 %)",
        "20.70 MB (20,697,584 bytes)",
    ]


def test_hovering_names_the_fronts_that_a_result_is_on(family):
    result = family.results[0].model_copy(update={"on_front": True, "on_size_front": True})
    family = family.model_copy(update={"results": (result,)})
    (hover,) = trade_off(family, SIZE, "test", {})["data"][1]["hovertext"]
    assert hover.endswith("<br>on the front<br>on the size front")


def test_over_the_size_every_result_stands_at_its_bytes_on_disk(family):
    chart = trade_off(family, SIZE, "test", {})

    _, *series = chart["data"]
    drawn = [point for trace in series for point in zip(trace["x"], trace["y"], strict=True)]
    assert drawn == [
        (r.member.artifact.size_bytes / 1e6, r.member.test.value) for r in family.results
    ]
    assert chart["layout"]["xaxis"]["title"] == {"text": "file on disk, MB"}


def test_over_the_size_the_size_front_is_marked_and_drawn_from_the_smallest_file(family):
    first, *_ = family.results
    small = first.model_copy(update={"on_front": False, "on_size_front": True})
    large = with_size(first, 9_000_000).model_copy(update={"on_front": True})
    larger = with_size(small, 20_000_000).model_copy(update={"strategy": "other"})
    family = family.model_copy(update={"results": (larger, large, with_size(small, 1_500_000))})

    front, series = trade_off(family, SIZE, "validation", {})["data"]

    assert (front["name"], front["x"]) == ("size front, float32", [1.5, 20.0])
    assert front["line"]["shape"] == "hv"
    assert [size > 10 for size in series["marker"]["size"]] == [True, False, True]
    assert [size > 10 for size in sizes_over_sparsity(family)] == [False, True, False]


def test_seeds_are_one_point_of_the_size_front_at_their_mean(family):
    result = family.results[0].model_copy(update={"on_size_front": True})
    seeds = [
        with_size(with_accuracy(result, "test", value), size_bytes)
        for value, size_bytes in ((0.25, 1_000_000), (0.75, 2_000_000))
    ]
    assert front_points(seeds, SIZE, "test") == [(1.5, 0.5)]


def test_int8_files_are_marks_over_the_size_alone(deployed):
    names = [
        [trace.get("name") for trace in trade_off(deployed, axis, "test", {})["data"]]
        for axis in (SPARSITY, SIZE)
    ]
    assert names == [
        ["Pareto front", "magnitude", "product"],
        [
            "size front, float32",
            "magnitude",
            "product",
            None,
            "magnitude, int8",
            "product, int8",
        ],
    ]


def test_the_accuracy_axis_over_the_size_holds_the_int8_files_too(deployed):
    result = deployed.results[0]
    low = result.member.test.model_copy(update={"value": 0.5, "low": 0.4, "high": 0.6})
    (int8,) = [x.int8 for x in deployed.results if x.int8][:1]
    worse = result.model_copy(update={"int8": int8.model_copy(update={"test": low})})
    family = deployed.model_copy(update={"results": (worse,)})

    spans = [
        trade_off(family, axis, "test", {})["layout"]["yaxis"]["range"] for axis in (SPARSITY, SIZE)
    ]

    assert spans[0][0] > 0.9
    assert spans[1][0] < 0.4


def test_names_are_escaped_for_plotly_which_reads_tags(deployed):
    bad = "<img src=x>"
    result = next(x for x in deployed.results if x.int8)
    result = result.model_copy(update={"strategy": bad, "also": (bad,), "criterion": bad})
    family = deployed.model_copy(update={"results": (result,)})

    text = json.dumps(trade_off(family, SIZE, "test", {bad: 0.5}))

    assert "<img" not in text
    # Both names of series, both hover texts with their criterion, the other name, the line.
    assert text.count("&lt;img src=x&gt;") == 8
