"""Commands on single networks as files: ``inspect`` and ``export``. They start no server."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import AsJson, WorkspaceFolder, open_site

if TYPE_CHECKING:
    from rich.console import Console

    from tasks.export_summary import ExportSummary


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
            help="packed: the registered bytes. torch: dense weights, .safetensors or .pt. onnx: "
            "for other runtimes. onnx-int8: the same, quantized on calibration images.",
        ),
    ],
    *,
    values: Annotated[
        str | None,
        typer.Option(
            "--values",
            metavar="KIND",
            help="Pack anew, with float32, bfloat16, float16 or int8 values.",
        ),
    ] = None,
    factory: Annotated[
        str | None,
        typer.Option(
            "--factory",
            metavar="PACKAGE.MODULE:NAME",
            help="For ONNX of your own network: what builds it. Its module is imported.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace FILE where it exists.")] = False,
    workspace: WorkspaceFolder = None,
    as_json: AsJson = False,
) -> None:
    """Write a registered network to a file.

    Without alias or version, the newest. ONNX files are compared with PyTorch on validation images.

    Example: mixmatch export digits-demo@smallest --format onnx --to net.onnx
    """
    from flows.cli.live import show_progress  # noqa: PLC0415  needs rich
    from flows.cli.output import print_json, reader_console  # noqa: PLC0415  needs rich
    from tasks.export import check_destination, export_model  # noqa: PLC0415  pydantic is slow

    # Before the workspace is opened, so that a wrong destination creates nothing.
    check_destination(to, file_format=file_format, force=force, values=values, factory=factory)
    site = open_site(workspace)
    with show_progress() as watch:
        watch.on_stage("export", f"{model} as {file_format}")
        summary = export_model(
            site,
            model,
            to,
            file_format=file_format,
            force=force,
            values=values,
            factory=factory,
        )
    _print_export(reader_console(as_json=as_json), summary)
    if as_json:
        print_json(summary)


def _print_export(console: "Console", summary: "ExportSummary") -> None:
    from flows.cli.facts_table import print_facts  # noqa: PLC0415  next to its user
    from flows.cli.output import megabytes, percent  # noqa: PLC0415  likewise

    kind = f"{summary.format}, {summary.values} values" if summary.values else summary.format
    facts = {
        "Model": f"{summary.name}, version {summary.version}",
        "File": f"{summary.file}, {kind}, {megabytes(summary.bytes)} MB",
        "Digest": summary.digest,
    }
    if found := summary.agreement:
        facts["Agreement"] = (
            f"the same class as PyTorch for {percent(found.same_class)} % of {found.num_images:,} "
            f"validation images; logits deviate by at most {found.deviation:.1e} of the largest"
        )
        ours, theirs = percent(found.accuracy_torch), percent(found.accuracy_onnx)
        facts["Accuracy"] = f"validation {theirs} %, PyTorch {ours} %"
    print_facts(console, facts)
