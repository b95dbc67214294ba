"""The commands ``study``, family and rivals into a folder that stays, and ``studies``, several."""

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import AsJson, Overrides, RunFile, WorkspaceFolder, load

ResultsFolder = Annotated[
    Path,
    typer.Option(
        "--results",
        metavar="DIR",
        help="Where rows, tables, figures and page lie; a study that is there is continued.",
    ),
]

ResultsFolders = Annotated[
    list[Path], typer.Argument(metavar="DIR...", help="Results folders that `study` has written.")
]


def study(
    run_file: RunFile,
    results: ResultsFolder,
    overrides: Overrides = None,
    workspace: WorkspaceFolder = None,
    as_json: AsJson = False,
) -> None:
    """Compare the family with its rivals over all seeds.

    Every finished result is kept at once in the results folder, from which alone the study is
    continued after an end of any kind, on any machine.

    Example: mixmatch study params.yaml --results results --set compare=[dense,MAG,SNIP]
    """
    config, site = load(run_file, overrides, workspace)

    from flows.cli.live import show_progress  # noqa: PLC0415  needs rich
    from flows.cli.output import print_json, reader_console  # noqa: PLC0415  needs rich
    from flows.cli.study_table import print_study  # noqa: PLC0415  next to its user
    from flows.failures import listed  # noqa: PLC0415  next to its user
    from mixmatch.errors import FamilyError  # noqa: PLC0415  likewise

    with show_progress() as watch:
        watch.on_stage("start", "loading")
        from flows.study import study as run_study  # noqa: PLC0415  Prefect takes seconds to load

        summary = run_study(config, site, results, watch=watch)
    print_study(reader_console(as_json=as_json), summary)
    if as_json:
        print_json(summary)
    if summary.failed:
        raise FamilyError(
            f"{len(summary.failed)} results failed, the others are kept; the same command tries "
            f"again ({listed(summary.failed)})."
        )


def studies(folders: ResultsFolders, as_json: AsJson = False) -> None:
    """Put studies side by side: what each keeps, whose front is larger.

    Studies of one base network are compared with the first of them that is named.

    Example: mixmatch studies results/fan-out results/chain
    """
    from flows.cli.output import print_json, reader_console  # noqa: PLC0415  needs rich
    from flows.cli.studies_table import print_studies  # noqa: PLC0415  next to its user
    from tasks.study.across import compare_studies  # noqa: PLC0415  torch takes seconds to load
    from tasks.study.folder import StudyFolder  # noqa: PLC0415  likewise

    names = [path.resolve().name for path in folders]
    if len(set(names)) < len(names):
        names = [str(path) for path in folders]
    opened = (StudyFolder.read(path) for path in folders)
    found = compare_studies(dict(zip(names, opened, strict=True)))
    print_studies(reader_console(as_json=as_json), found)
    if as_json:
        print_json(found)
