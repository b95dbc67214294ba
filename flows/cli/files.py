"""Commands on single networks as files: ``inspect`` and ``export``. They start no server."""

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import AsJson, WorkspaceFolder, open_site


def inspect(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A packed file.")],
    header_only: Annotated[
        bool, typer.Option("--header-only", help="Do not read and verify the stored bytes.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say what a packed file holds, without unpacking it.

    Example: mixmatch inspect network.packed --json
    """
    from flows.cli.inspect_table import print_packed  # noqa: PLC0415  needs rich
    from flows.cli.output import print_json, reader_console  # noqa: PLC0415  needs rich
    from tasks.inspect_packed import inspect_packed  # noqa: PLC0415  numpy is slow to load

    summary = inspect_packed(file, header_only=header_only)
    print_packed(reader_console(as_json=as_json), summary)
    if as_json:
        print_json(summary)


def export(
    model: Annotated[str, typer.Argument(metavar="NAME[@ALIAS|/VERSION]", help="Which model.")],
    to: Annotated[
        Path, typer.Option("--to", metavar="FILE", help="The file to write; its folder exists.")
    ],
    file_format: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="packed: the registered bytes. torch: dense weights, .safetensors or .pt.",
        ),
    ],
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace FILE where it exists.")] = False,
    workspace: WorkspaceFolder = None,
    as_json: AsJson = False,
) -> None:
    """Write a registered network to a file.

    Without alias or version, the newest.

    Example: mixmatch export digits-demo@smallest --format torch --to net.safetensors
    """
    from flows.cli.facts_table import print_facts  # noqa: PLC0415  next to its user
    from flows.cli.output import megabytes, print_json, reader_console  # noqa: PLC0415  needs rich
    from tasks.export import check_destination, export_model  # noqa: PLC0415  pydantic is slow

    # Before the workspace is opened, so that a wrong destination creates nothing.
    check_destination(to, file_format=file_format, force=force)
    summary = export_model(open_site(workspace), model, to, file_format=file_format, force=force)
    facts = {
        "Model": f"{summary.name}, version {summary.version}",
        "File": f"{summary.file}, {summary.format}, {megabytes(summary.bytes)} MB",
        "Digest": summary.digest,
    }
    print_facts(reader_console(as_json=as_json), facts)
    if as_json:
        print_json(summary)
