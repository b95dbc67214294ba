import io

import pytest
from rich.console import Console

from flows.cli.family_table import print_family
from tasks.compare import RivalRow
from tasks.deployment_summary import LatencySummary

RIVAL = {
    "rival": "SNIP",
    "sparsity_asked": 0.81,
    "seed": 1,
    "sparsity": 0.8099,
    "validation_accuracy": 0.955,
    "accuracy": 0.95,
    "accuracy_interval": (0.925, 0.97),
    "accuracy_drop": 0.02,
    "num_nonzero": 2_100_000,
    "bytes": 9_100_000,
    "digest": "e" * 64,
    "cached": False,
}
DENSE = RIVAL | {
    "rival": "dense",
    "sparsity_asked": 0.0,
    "sparsity": 0.0,
    "validation_accuracy": 0.99,
    "accuracy": 0.975,
    "accuracy_drop": -0.005,
}


@pytest.fixture
def printed():
    def show(summary):
        console = Console(file=io.StringIO(), width=120, highlight=False, markup=False)
        print_family(console, summary, "digits-demo")
        return console.file.getvalue()

    return show


def test_each_result_is_a_row_with_the_front_marked(printed, run_summary):
    lines = printed(run_summary).splitlines()
    (front,) = [line for line in lines if "balanced" in line]
    cells = "* balanced magnitude 0 81.23 97.50 96.25 (94.1-97.6) 0.75 8.90 2"
    assert " ".join(front.split()) == cells
    (other,) = [line for line in lines if "aggressive" in line]
    assert other.split()[0] == "aggressive"
    assert other.split()[-1] == "-"


INT8 = {
    "bytes": 2_490_000,
    "accuracy": 0.9612,
    "validation_accuracy": 0.97,
    "accuracy_loss": 0.0013,
    "accuracy_loss_interval": (-0.001, 0.004),
    "sparsity": 0.82,
    "digest": "8" * 64,
}


def with_first(summary, **changes):
    """Change the first result."""
    first, *others = summary.results
    changed = type(first).model_validate(first.model_dump() | changes)
    return summary.model_copy(update={"results": (changed, *others)})


def test_int8_files_have_their_columns(printed, run_summary):
    lines = printed(with_first(run_summary, int8=INT8)).splitlines()
    (front,) = [line for line in lines if "balanced" in line]
    assert front.split()[-3:] == ["2.49", "0.13", "2"]
    (other,) = [line for line in lines if "aggressive" in line]
    assert other.split()[-3:] == ["-", "-", "-"]
    upper, lower = (" ".join(x.split()) for x in lines if "loss," in x or "seed" in x)
    assert upper == "sparsity valid. test drop, int8 loss,"
    assert lower == "strategy criterion seed % % % (95 %) pts MB MB pts ver."


def test_without_int8_files_there_are_no_columns_for_them(printed, run_summary):
    assert "int8" not in printed(run_summary)


def test_each_front_has_its_mark(printed, run_summary):
    def marks(**changes):
        text = printed(with_first(run_summary, **changes))
        (row,) = [line for line in text.splitlines() if "balanced" in line]
        return row.partition("balanced")[0].strip(), text

    assert marks(on_front=True, on_size_front=False)[0] == "*"
    assert marks(on_front=False, on_size_front=False)[0] == ""
    assert marks(on_front=True, on_size_front=True)[0] == "*+"
    mark, text = marks(on_front=False, on_size_front=True)
    assert mark == "+"
    assert "* on the Pareto front of validation accuracy and sparsity: 0 of 2 results\n" in text
    assert "+ on the Pareto front of validation accuracy and size on disk: 1 of 2 results\n" in text


def test_the_widest_family_fits_the_line(printed, run_summary):
    widest = {
        "strategy": "parameter_proportional",
        "accuracy": 1.0,
        "accuracy_interval": (0.991, 1.0),
        "accuracy_drop": -0.0123,
        "bytes": 112_500_000,
        "int8": INT8 | {"bytes": 16_490_000, "accuracy_loss": -0.0123},
        "on_size_front": True,
        "model_version": 999,
    }
    text = printed(with_first(run_summary, **widest))
    assert max(map(len, text.splitlines())) <= 120
    (row,) = [line for line in text.splitlines() if "parameter_" in line]
    assert " ".join(row.split()) == (
        "*+ parameter_proportional magnitude 0 81.23 97.50 100.00 (99.1-100.0) -1.23 112.50 16.49 "
        "-1.23 999"
    )


LATENCY = {
    "host": {
        "processor": "Example CPU",
        "num_processors": 4,
        "system": "Linux x86_64",
        "versions": {},
    },
    "threads": 1,
    "rows": (),
}


def test_latencies_follow_the_family(printed, run_summary):
    latency = LatencySummary.model_validate(LATENCY)
    text = printed(run_summary.model_copy(update={"latency": latency}))
    assert text.index("balanced") < text.index("Example CPU") < text.index("Report")
    assert "Milliseconds" not in printed(run_summary)


def test_further_names_of_a_result_stand_below_it(printed, run_summary):
    lines = printed(run_summary).splitlines()
    row = next(number for number, line in enumerate(lines) if "balanced" in line)
    assert lines[row + 1].strip() == "= percentile_50"


def with_rivals(summary, *rows):
    return summary.model_copy(update={"compare": tuple(map(RivalRow.model_validate, rows))})


def test_rivals_stand_in_a_second_table(printed, run_summary):
    lines = printed(with_rivals(run_summary, RIVAL, DENSE)).splitlines()
    headings, rival, control = (
        next(" ".join(x.split()) for x in lines if x.split()[:1] == [name])
        for name in ("rival", "SNIP", "dense")
    )
    assert headings == "rival asked % seed sparsity % valid. % test % (95 %) drop, pts MB"
    assert rival == "SNIP 81.00 1 80.99 95.50 95.00 (92.5-97.0) 2.00 9.10"
    assert control == "dense - 1 0.00 99.00 97.50 (92.5-97.0) -0.50 9.10"
    family = next(number for number, line in enumerate(lines) if "balanced" in line)
    assert family < next(number for number, line in enumerate(lines) if "SNIP" in line)


def test_with_a_control_one_line_says_what_drops_count_against(printed, run_summary):
    text = printed(with_rivals(run_summary, RIVAL, DENSE))
    assert (
        "A drop in a claim counts against the better of base and dense control by validation "
        "accuracy; here that is the dense control, mean over seeds, with 97.50 % on test.\n"
    ) in text


def test_without_a_control_or_rivals_nothing_is_said_of_them(printed, run_summary):
    assert "control" not in printed(with_rivals(run_summary, RIVAL))
    assert "rival" not in printed(run_summary)


def test_says_where_everything_is(printed, run_summary):
    text = printed(run_summary)
    assert "1 of 2 results" in text
    for line in (
        "Report         /somewhere/ws/runs/f00d/report.html",
        "Workspace      /somewhere/ws",
        "MLflow run     f00d",
        "Model          mixmatch show digits-demo@most-accurate --workspace /somewhere/ws",
        "Pages          mixmatch ui --workspace /somewhere/ws",
        "Cache          1 of 6 steps were there already",
        "Time           61.5 s (base 20.2 s, members 40.5 s)",
    ):
        assert f"{line}\n" in text


def test_the_usual_workspace_needs_no_option(printed, run_summary, monkeypatch):
    monkeypatch.setenv("MIXMATCH_HOME", "/somewhere/ws")
    assert "Pages          mixmatch ui\n" in printed(run_summary)


def test_a_workspace_with_a_blank_is_quoted(printed, run_summary):
    summary = run_summary.model_copy(update={"workspace": "/some where"})
    assert "mixmatch ui --workspace '/some where'\n" in printed(summary)


def test_a_long_path_stays_in_one_piece(printed, run_summary):
    path = "/" + "x" * 300
    assert path in printed(run_summary.model_copy(update={"report": path}))


def test_a_warning_about_the_base_and_failures_stand_out(printed, run_summary):
    base = run_summary.base.model_copy(update={"warnings": ("The base guesses.",)})
    changes = {"base": base, "failed": {"aggressive/magnitude/0": "it diverged"}}
    text = printed(run_summary.model_copy(update=changes))
    assert "WARNING: The base guesses.\n" in text
    assert "FAILED: aggressive/magnitude/0: it diverged\n" in text


def test_what_is_not_registered_is_not_shown_as_a_model(printed, run_summary):
    rows = tuple(row.model_copy(update={"model_version": None}) for row in run_summary.results)
    assert "mixmatch show" not in printed(run_summary.model_copy(update={"results": rows}))
