"""Options and arguments that several commands share, and what they open."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mixmatch.config import RunConfig
    from tasks.site import Site

RunFile = Annotated[Path, typer.Argument(metavar="RUN.yaml", help="The run file.")]

Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change a setting, e.g. fine_tune.max_epochs=2; may be given again.",
    ),
]

WorkspaceFolder = Annotated[
    Path | None,
    typer.Option(
        "--workspace",
        metavar="FOLDER",
        help="Where all state lies; else MIXMATCH_HOME, else ./.mixmatch.",
    ),
]

StorePlace = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="PLACE",
        help="The run files' store, which holds the ledger; else that of the workspace.",
    ),
]

AsJson = Annotated[
    bool,
    typer.Option("--json", help="Print one line of JSON on stdout; text goes to stderr."),
]

ThroughFlow = Annotated[
    bool,
    typer.Option(
        "--through-flow",
        help="Go through the flow even if the run is finished: DVC's remote is looked at, and the "
        "report is written anew.",
    ),
]

FiguresFolder = Annotated[
    Path | None,
    typer.Option(
        "--figures",
        metavar="FOLDER",
        help="Write metrics.json and family.csv there, for DVC or a spreadsheet.",
    ),
]


def load(
    run_file: Path, overrides: list[str] | None, workspace: Path | None
) -> "tuple[RunConfig, Site]":
    """Read the run file first, so that a wrong one creates nothing, then open its workspace."""
    from tasks.run_file import load_run_file  # noqa: PLC0415  pydantic and YAML are slow to load
    from tasks.site import Site  # noqa: PLC0415  likewise
    from tasks.workspace import Workspace  # noqa: PLC0415  next to its user

    config = load_run_file(run_file, overrides or ())
    return config, Site.at(Workspace.open(workspace), config.store)


def open_site(workspace: Path | None, store: str | None = None) -> "Site":
    """Open a workspace without a run file; ``store`` is the one inside it unless it is named."""
    from tasks.site import Site  # noqa: PLC0415  pydantic is slow to load
    from tasks.workspace import Workspace  # noqa: PLC0415  next to its user

    return Site.at(Workspace.open(workspace), store)
