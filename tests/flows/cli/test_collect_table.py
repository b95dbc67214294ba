import io

from rich.console import Console

from flows.cli.collect_table import print_collection
from mixmatch.records import Collection, Removal, Stay


def written(**changes):
    found = Collection(
        dry_run=False,
        removals=(
            Removal(kind="version", name="shapes/1", why="no rule keeps it"),
            Removal(kind="model", name="m-1", why="its version goes", bytes=1_500_000),
            Removal(kind="model", name="m-2", why="it has no version", bytes=500_000),
            Removal(kind="run", name="f00d", why="no rule keeps it", bytes=20_000),
            Removal(kind="object", name="objects/ab/abc", why="nothing needs it", bytes=30_000_000),
        ),
        stays=(Stay(kind="version", name="shapes/2", why="holds champion"),),
        notes=("DVC's remote is left alone.",),
        bytes_freed=32_020_000,
    )
    console = Console(file=io.StringIO(), width=90, highlight=False, markup=False)
    print_collection(console, found.model_copy(update=changes))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_versions_and_runs_stand_one_by_one_and_files_by_kind():
    assert written() == [
        "",
        "  what                   why                                            MB",
        " ──────────────────────────────────────────────────────────────────────────",
        "  version shapes/1       gone: no rule keeps it                       0.00",
        "  run f00d               gone: no rule keeps it                       0.02",
        "  2 models in MLflow     gone: its version goes; it has no version    2.00",
        "  1 files of the store   gone: nothing needs it                      30.00",
        "  version shapes/2       stays: holds champion                           -",
        "",
        "32.02 MB freed, 5 things",
        "NOTE: DVC's remote is left alone.",
    ]


def test_of_a_dry_run_it_says_what_would_be():
    lines = written(dry_run=True)
    assert "  version shapes/1       would go: no rule keeps it                       0.00" in lines
    assert "  version shapes/2       stays: holds champion                               -" in lines
    assert "32.02 MB would be freed, 5 things" in lines


def test_where_nothing_goes_it_says_so():
    assert written(removals=(), stays=(), notes=(), bytes_freed=0)[-1] == "0.00 MB freed, 0 things"
