"""Commands that prove a lineage or bring it back: ``audit``, ``restore``. They start no server."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import AsJson, StorePlace, WorkspaceFolder, open_site

if TYPE_CHECKING:
    from tasks.audit import Audit, Extent
    from tasks.site import Site


def audit(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME[@ALIAS|/VERSION]|FILE",
            help="A version; all versions of NAME; or a packed file on disk.",
        ),
    ] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Every version of every model.")] = False,
    deep: Annotated[
        bool, typer.Option("--deep", help="Measure sensitivity and both accuracies again too.")
    ] = False,
    rerun: Annotated[
        bool, typer.Option("--rerun", help="Fine-tune again with the recorded seed and settings.")
    ] = False,
    factory: Annotated[
        str | None,
        typer.Option(
            "--factory",
            metavar="PACKAGE.MODULE:NAME",
            help="For your own network: what builds it. Its module is imported.",
        ),
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page too.")
    ] = None,
    workspace: WorkspaceFolder = None,
    store: StorePlace = None,
    as_json: AsJson = False,
) -> None:
    """Recompute every link of a lineage, and name what does not hold.

    Exit code 1 when a link does not hold; the last lines say which.

    Example: mixmatch audit digits-demo@most-accurate
    """
    from flows.cli.audit_table import print_audit  # noqa: PLC0415  needs rich
    from flows.cli.failures import FAILED  # noqa: PLC0415  next to its user
    from flows.cli.output import print_json, reader_console  # noqa: PLC0415  needs rich
    from tasks.audit import Extent, write_page  # noqa: PLC0415  MLflow takes seconds to load

    extent = Extent(deep=deep, rerun=rerun, factory=factory)
    found = _audit(open_site(workspace, store), model, every=every, extent=extent)
    print_audit(reader_console(as_json=as_json), found)
    if html is not None:
        write_page(found, html)
    if as_json:
        print_json(found)
    if not found.ok:
        raise typer.Exit(FAILED)


def restore(
    model: Annotated[str, typer.Argument(metavar="NAME[@ALIAS|/VERSION]", help="Which model.")],
    to: Annotated[
        Path, typer.Option("--to", metavar="DIR", help="A folder that is absent or empty.")
    ],
    factory: Annotated[
        str | None,
        typer.Option(
            "--factory",
            metavar="PACKAGE.MODULE:NAME",
            help="For your own network: what builds it. A run of the restored file imports it.",
        ),
    ] = None,
    workspace: WorkspaceFolder = None,
    as_json: AsJson = False,
) -> None:
    """Bring back what a version was made from, as it was.

    There, mixmatch run finds every step done. Its run file names no store, no webhook and no other
    machine.

    Example: mixmatch restore digits-demo@most-accurate --to restored
    """
    from flows.cli.facts_table import print_facts  # noqa: PLC0415  needs rich
    from flows.cli.output import print_json, reader_console  # noqa: PLC0415  needs rich
    from tasks.restore import restore_version  # noqa: PLC0415  MLflow takes seconds to load

    found = restore_version(open_site(workspace), model, to, factory=factory)
    facts = {
        "Model": found.reference,
        "Run file": found.run_file,
        "Workspace": found.workspace,
        "Steps": f"{found.num_records} records, {found.num_files} files",
        "Again": f"cd {found.folder} && mixmatch run run.yaml",
    }
    print_facts(reader_console(as_json=as_json), facts)
    if as_json:
        print_json(found)


def _audit(site: "Site", model: str | None, *, every: bool, extent: "Extent") -> "Audit":
    from mixmatch.errors import ConfigError  # noqa: PLC0415  pydantic is slow to load
    from tasks.audit import audit_all, audit_file, audit_model  # noqa: PLC0415  MLflow

    if every == (model is not None):
        raise ConfigError("audit must be given either a model or a file, or --all.")
    if model is None:
        return audit_all(site, extent)
    file = Path(model)
    if file.is_file() or file.suffix in (".packed", ".safetensors"):
        return audit_file(site, file, extent)
    return audit_model(site, model, extent)
