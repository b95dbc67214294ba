import pytest

from tasks.report.axes import SIZE, SPARSITY
from tasks.report.rivals import control_level, rival_series


def test_every_pruning_rival_is_one_series_of_open_marks(rivals):
    series = rival_series(rivals, SPARSITY, "test")

    names = ["MAG", "SNIP", "GraSP", "PROD", "LAMP", "uniform", "random"]
    assert [trace["name"] for trace in series] == names
    symbols = [trace["marker"]["symbol"] for trace in series]
    assert len(set(symbols)) == 7
    assert all(symbol.endswith("-open") for symbol in symbols)


def test_a_series_holds_what_was_reached_on_the_split(rivals):
    for split, accuracies in (("test", [0.975, 0.9605]), ("validation", [0.978, 0.968])):
        magnitude = rival_series(rivals, SPARSITY, split)[0]
        assert (magnitude["x"], magnitude["y"]) == ([0.5, 0.7], accuracies)


def test_over_the_size_a_rival_stands_at_its_bytes_on_disk(rivals):
    assert rival_series(rivals, SIZE, "test")[0]["x"] == [9.000001, 9.000002]


def test_a_rival_keeps_its_mark_whoever_else_is_there(rivals):
    together = rival_series(rivals, SPARSITY, "test")[4]
    (alone,) = rival_series([x for x in rivals if x.rival == "LAMP"], SPARSITY, "test")
    assert alone == together


def test_hovering_names_everything_about_a_rival(rivals):
    assert rival_series(rivals, SPARSITY, "test")[0]["hovertext"][0].split("<br>") == [
        "<b>MAG</b>",
        "rival at 50.00 %, seed 0",
        "sparsity 50.00 %",
        "validation 97.80 % (96.89 to 98.71 %)",
        "test 97.50 % (96.82 to 98.18 %)",
        "9.00 MB (9,000,001 bytes)",
    ]


def test_the_control_has_no_marks_but_a_level(rivals):
    assert rival_series(rivals[:1], SPARSITY, "test") == []
    assert control_level(rivals, "test") == 0.986
    assert control_level(rivals[1:], "test") is None


def test_the_level_is_the_mean_over_seeds(rivals):
    dense, other, *_ = rivals
    second = dense.model_copy(update={"seed": 1, "member": other.member})
    assert control_level([dense, second], "test") == pytest.approx((0.986 + 0.975) / 2)
