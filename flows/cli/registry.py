"""Commands that read the model registry: ``list`` and ``show``. They start no server."""

from typing import Annotated

import typer

from flows.cli.options import AsJson, WorkspaceFolder, open_site


def list_(workspace: WorkspaceFolder = None, as_json: AsJson = False) -> None:
    """List the registered models, versions and aliases.

    Example: mixmatch list --json
    """
    from flows.cli.output import reader_console  # noqa: PLC0415  needs rich
    from flows.cli.registry_table import print_models  # noqa: PLC0415  needs rich
    from tasks.tracking import list_models  # noqa: PLC0415  MLflow takes seconds to load

    models = list_models(open_site(workspace))
    print_models(reader_console(as_json=as_json), models)
    if as_json:
        typer.echo(f"[{','.join(model.model_dump_json() for model in models)}]")


def show(
    model: Annotated[str, typer.Argument(metavar="NAME[@ALIAS|/VERSION]", help="Which model.")],
    workspace: WorkspaceFolder = None,
    as_json: AsJson = False,
) -> None:
    """Show one registered model in full.

    Without alias or version, the newest.

    Example: mixmatch show digits-demo@most-accurate
    """
    from flows.cli.output import print_json, reader_console  # noqa: PLC0415  needs rich
    from flows.cli.registry_table import print_model  # noqa: PLC0415  needs rich
    from tasks.tracking import show_model  # noqa: PLC0415  MLflow takes seconds to load

    detail = show_model(open_site(workspace), model)
    print_model(reader_console(as_json=as_json), detail)
    if as_json:
        print_json(detail)
