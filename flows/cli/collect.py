"""The command ``gc``: retention. It starts no server."""

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import AsJson, StorePlace, WorkspaceFolder, open_site


def gc(
    policy: Annotated[
        Path | None,
        typer.Option("--policy", metavar="POLICY.yaml", help="What stays; else the defaults."),
    ] = None,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Remove nothing; say what would go.")
    ] = False,
    workspace: WorkspaceFolder = None,
    store: StorePlace = None,
    as_json: AsJson = False,
) -> None:
    """Remove versions, runs and files that nothing needs any more.

    What an alias or the ledger names stays, with all that it needs.

    Example: mixmatch gc --policy retention.yaml --dry-run
    """
    from tasks.retention.policy_file import load_retention  # noqa: PLC0415  pydantic is slow

    # Before the workspace is opened, so that wrong input creates nothing.
    parsed = load_retention(policy)
    from flows.cli.collect_table import print_collection  # noqa: PLC0415  needs rich
    from flows.cli.output import print_json, reader_console  # noqa: PLC0415  needs rich
    from tasks.retention import collect  # noqa: PLC0415  MLflow takes seconds to load

    found = collect(open_site(workspace, store), parsed, dry_run=dry_run)
    print_collection(reader_console(as_json=as_json), found)
    if as_json:
        print_json(found)
