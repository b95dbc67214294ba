import matplotlib as mpl
import pytest

from tasks.study.figures import write_figures
from tasks.study.tables import make_tables

NAMES = ("accuracy.svg", "accuracy.png", "layers.svg", "layers.png")


@pytest.fixture
def tables(study_rows):
    return make_tables(study_rows, wants_dense=True)


def test_figures_are_the_same_bytes_when_written_again(tables, study_plan, tmp_path):
    write_figures(tmp_path, tables, study_plan)
    before = {name: (tmp_path / name).read_bytes() for name in NAMES}
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(NAMES)
    write_figures(tmp_path, tables, study_plan)
    assert {name: (tmp_path / name).read_bytes() for name in NAMES} == before


def test_they_name_no_date_and_leave_no_trace_in_the_process(tables, tmp_path):
    settings = dict(mpl.rcParams)
    write_figures(tmp_path, tables, None)
    assert dict(mpl.rcParams) == settings
    text = (tmp_path / "accuracy.svg").read_text()
    assert "<dc:date>" not in text
    assert (tmp_path / "accuracy.png").read_bytes()[:4] == b"\x89PNG"


def test_without_a_plan_there_is_no_map_of_layers(tables, tmp_path):
    write_figures(tmp_path, tables, None)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["accuracy.png", "accuracy.svg"]


def test_a_rival_far_below_gets_a_second_panel(tables, study_rows, tmp_path):
    def width():
        write_figures(tmp_path, make_tables(rows, wants_dense=True), None)
        return (tmp_path / "accuracy.svg").read_text().split('width="')[1].split("pt")[0]

    rows = study_rows
    narrow = width()
    rows = [row for row in study_rows if row.name != "aggressive"]
    assert float(width()) == 2 * float(narrow)


def test_one_strategy_of_long_layers_has_room_for_its_map(tables, study_plan, tmp_path):
    # Without it matplotlib warns, which fails here, and lays out nothing.
    long = [
        x.model_copy(update={"name": f"stages.1.blocks.0.attention.projection.{x.name}"})
        for x in study_plan.layers
    ]
    one = study_plan.strategies[0]
    counts = {x.name: 0 for x in long}
    plan = study_plan.model_copy(
        update={
            "layers": tuple(long),
            "strategies": (one.model_copy(update={"num_pruned": counts}),),
        }
    )
    write_figures(tmp_path, tables, plan)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(NAMES)
