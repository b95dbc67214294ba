import csv
import json
import os

import pytest

from mixmatch.errors import WorkspaceError
from tasks.figures import check_figures_folder, metrics_of, write_figures
from tasks.summary import RunSummary

BASE = {
    "architecture": "resnet18",
    "source": "trained",
    "validation_accuracy": 0.98,
    "accuracy": 0.97,
    "accuracy_interval": (0.95, 0.98),
    "num_parameters": 11,
    "num_weights": 10,
    "bytes": 4400,
    "digest": "b" * 64,
    "warnings": (),
}
ROW = {
    "strategy": "balanced",
    "also": (),
    "criterion": "magnitude",
    "seed": 0,
    "sparsity": 0.8,
    "validation_accuracy": 0.9,
    "accuracy": 0.96,
    "accuracy_interval": (0.94, 0.97),
    "accuracy_drop": 0.01,
    "num_nonzero": 2,
    "bytes": 900,
    "digest": "c" * 64,
    "cached": False,
    "on_front": True,
    "front_share": 0.8,
    "model_version": 2,
}


RIVAL = {
    "rival": "SNIP",
    "sparsity_asked": 0.8,
    "seed": 1,
    "sparsity": 0.8125,
    "validation_accuracy": 0.875,
    "accuracy": 0.9375,
    "accuracy_interval": (0.9, 0.95),
    "accuracy_drop": 0.03125,
    "num_nonzero": 2,
    "bytes": 950,
    "digest": "e" * 64,
    "cached": False,
}


def summary_of(*rows, compare=()):
    return RunSummary(
        run_id="f00d",
        workspace="ws",
        base=BASE,
        results=rows,
        report="report.html",
        cache={"hits": 1, "misses": 5},
        seconds={},
        failed={},
        compare=compare,
    )


def test_metrics_take_the_best_sparse_result_that_validation_chooses():
    better = ROW | {"validation_accuracy": 0.95, "accuracy": 0.9, "sparsity": 0.85, "bytes": 700}
    dense = ROW | {"validation_accuracy": 0.99, "sparsity": 0.79, "on_front": False}
    assert metrics_of(summary_of(ROW, better, dense)) == {
        "base_accuracy": 0.97,
        "num_results": 3,
        "num_on_front": 2,
        "smallest_bytes": 700,
        "best_sparse_accuracy": 0.9,
        "best_sparse_sparsity": 0.85,
        "best_sparse_drop": 0.01,
    }


def test_without_a_sparse_result_nothing_is_said_about_one():
    metrics = metrics_of(summary_of(ROW | {"sparsity": 0.5}))
    assert not [name for name in metrics if "sparse" in name]


def test_both_files_hold_every_result(tmp_path):
    write_figures(summary_of(ROW, ROW | {"strategy": "aggressive"}), tmp_path / "a" / "b")
    metrics = json.loads((tmp_path / "a" / "b" / "metrics.json").read_text())
    assert metrics["num_results"] == 2
    with (tmp_path / "a" / "b" / "family.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["strategy"] for row in rows] == ["balanced", "aggressive"]
    assert rows[0]["sparsity"] == "0.8"


def test_rivals_have_a_table_of_their_own(tmp_path):
    write_figures(summary_of(ROW, compare=(RIVAL,)), tmp_path)
    assert (tmp_path / "compare.csv").read_text() == (
        "rival,sparsity_asked,seed,sparsity,validation_accuracy,accuracy,accuracy_drop,bytes,"
        f"digest\nSNIP,0.8,1,0.8125,0.875,0.9375,0.03125,950,{'e' * 64}\n"
    )
    with (tmp_path / "family.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 1


def test_rivals_change_no_figure_of_the_family():
    assert metrics_of(summary_of(ROW, compare=(RIVAL,))) == metrics_of(summary_of(ROW))


def test_without_rivals_no_table_of_them_is_left(tmp_path):
    write_figures(summary_of(ROW, compare=(RIVAL,)), tmp_path)
    write_figures(summary_of(ROW), tmp_path)
    assert sorted(x.name for x in tmp_path.iterdir()) == ["family.csv", "metrics.json"]


def test_a_file_in_the_place_of_the_folder_is_refused_when_writing(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match=r"--figures must name a folder .* \(File exists\)"):
        write_figures(summary_of(ROW), tmp_path / "file")


def test_a_folder_that_can_be_made_passes_the_check_and_is_not_made(tmp_path):
    check_figures_folder(tmp_path / "a" / "b")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("below", ["", "/sub/folder"])
def test_a_file_in_the_place_of_the_folder_is_refused_before(tmp_path, below):
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match=r"can be written, got .*file.* is a file\)\.$"):
        check_figures_folder(tmp_path / f"file{below}")


def test_a_folder_without_the_right_to_write_is_refused_before(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *arguments: False)
    with pytest.raises(WorkspaceError, match=r"no right to write in "):
        check_figures_folder(tmp_path / "figures")
