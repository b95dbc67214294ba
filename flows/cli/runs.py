"""Commands that compress: ``demo`` and ``run``."""

from pathlib import Path
from typing import TYPE_CHECKING

from flows.cli.options import (
    AsJson,
    FiguresFolder,
    Overrides,
    RunFile,
    ThroughFlow,
    WorkspaceFolder,
    load,
)

if TYPE_CHECKING:
    from mixmatch.config import RunConfig
    from tasks.site import Site

DEMO = Path(__file__).with_name("demo.yaml")


def demo(
    overrides: Overrides = None,
    workspace: WorkspaceFolder = None,
    as_json: AsJson = False,
    through_flow: ThroughFlow = False,
) -> None:
    """Compress the embedded example, offline, in minutes.

    The data set digits, and a real ResNet-18 trained on it.

    Example: mixmatch demo
    """
    config, site = load(DEMO, overrides, workspace)
    _compress(config, site, as_json=as_json, through_flow=through_flow)


def run(
    run_file: RunFile,
    overrides: Overrides = None,
    workspace: WorkspaceFolder = None,
    as_json: AsJson = False,
    *,
    figures: FiguresFolder = None,
    through_flow: ThroughFlow = False,
) -> None:
    """Compress a network into a tracked family of sparse ones.

    The Pareto front is registered. What the workspace already holds is not computed again; a
    finished run is answered from the store, and nothing is started for it.

    Example: mixmatch run params.yaml --set fine_tune.max_epochs=2
    """
    if figures is not None:
        from tasks.figures import check_figures_folder  # noqa: PLC0415  pydantic is slow to load

        check_figures_folder(figures)
    config, site = load(run_file, overrides, workspace)
    _compress(config, site, as_json=as_json, figures=figures, through_flow=through_flow)


def _compress(
    config: "RunConfig",
    site: "Site",
    *,
    as_json: bool,
    figures: Path | None = None,
    through_flow: bool,
) -> None:
    from flows.cli.family_table import print_family  # noqa: PLC0415  needs rich
    from flows.cli.live import show_progress  # noqa: PLC0415  needs rich
    from flows.cli.output import print_json, reader_console  # noqa: PLC0415  needs rich
    from flows.failures import listed  # noqa: PLC0415  next to its user
    from mixmatch.errors import FamilyError  # noqa: PLC0415  likewise
    from tasks.figures import write_figures  # noqa: PLC0415  slow to load

    with show_progress() as watch:
        watch.on_stage("start", "loading")
        from flows.compress import compress  # noqa: PLC0415  Prefect takes seconds to load

        summary = compress(config, site, watch=watch, through_flow=through_flow)
    if figures is not None:
        write_figures(summary, figures)
    print_family(reader_console(as_json=as_json), summary, config.registered_name)
    if as_json:
        print_json(summary)
    if summary.failed:
        num_all = len(summary.failed) + len(summary.results) + len(summary.compare)
        count = f"{len(summary.failed)} of {num_all}"
        reasons = listed(summary.failed)
        raise FamilyError(f"{count} results failed, the others are kept ({reasons}).")
