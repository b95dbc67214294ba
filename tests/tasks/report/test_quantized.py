import pytest

from tasks.report.quantized import quantized_series


def test_draws_nothing_without_int8_files(family):
    assert quantized_series(family.results, "test") == []


@pytest.mark.parametrize("split", ["test", "validation"])
def test_every_int8_file_stands_at_its_own_bytes_and_accuracy(deployed, split):
    _, *series = quantized_series(deployed.results, split)

    drawn = [point for trace in series for point in zip(trace["x"], trace["y"], strict=True)]
    int8 = [x.int8 for x in deployed.results if x.int8]
    assert drawn == [(x.artifact.size_bytes / 1e6, getattr(x, split).value) for x in int8]
    assert len(drawn) == 5


def test_each_int8_file_is_joined_to_its_sibling_and_to_no_other(deployed):
    joins, *_ = quantized_series(deployed.results, "test")

    pairs = [(x.member, x.int8) for x in deployed.results if x.int8]
    sizes = [(a.artifact.size_bytes / 1e6, b.artifact.size_bytes / 1e6, None) for a, b in pairs]
    accuracies = [(a.test.value, b.test.value, None) for a, b in pairs]
    assert joins["x"] == [x for one in sizes for x in one]
    assert joins["y"] == [y for one in accuracies for y in one]
    assert joins["showlegend"] is False


def test_a_criterion_keeps_its_mark_and_colour_with_a_dot_in_it(deployed):
    product = tuple(x for x in deployed.results if x.criterion == "product" or not x.int8)
    _, series = quantized_series(product, "test")
    assert series["name"] == "product, int8"
    assert series["marker"]["symbol"] == "square-open-dot"
    assert series["meta"] == {"part": "int8", "number": 1}


def test_hovering_names_the_file_and_what_it_lost(deployed):
    _, series, _ = quantized_series(deployed.results, "test")
    assert series["hovertext"][0].split("<br>") == [
        "<b>percentile_70</b>",
        "int8 of magnitude, seed 0",
        "sparsity 62.74 %",
        "validation 98.50 % (97.75 to 99.25 %)",
        "test 97.85 % (97.21 to 98.49 %)",
        "4.85 MB (4,850,761 bytes)",
        "lost on test -0.05 points (-0.45 to +0.35)",
    ]
