"""Commands that do the first steps of a run alone: ``fetch``, ``base`` and ``plan``."""

from flows.cli.options import AsJson, Overrides, RunFile, WorkspaceFolder, load


def fetch(
    run_file: RunFile,
    overrides: Overrides = None,
    workspace: WorkspaceFolder = None,
    as_json: AsJson = False,
) -> None:
    """Read the data set, split it, keep it in the workspace.

    Example: mixmatch fetch params.yaml
    """
    config, site = load(run_file, overrides, workspace)

    from flows.cli.facts_table import print_data  # noqa: PLC0415  needs rich
    from flows.cli.live import show_progress  # noqa: PLC0415  needs rich
    from flows.cli.output import print_json, reader_console  # noqa: PLC0415  needs rich

    with show_progress() as watch:
        from flows.stages import prepare_data  # noqa: PLC0415  torch takes seconds to load
        from tasks.plan_summary import DataSummary  # noqa: PLC0415  slow to load

        summary = DataSummary.of(config, prepare_data(config, site, watch), None)
    print_data(reader_console(as_json=as_json), summary)
    if as_json:
        print_json(summary)


def base(
    run_file: RunFile,
    overrides: Overrides = None,
    workspace: WorkspaceFolder = None,
    as_json: AsJson = False,
) -> None:
    """Load or train the network to compress, and evaluate it.

    Example: mixmatch base params.yaml --set model.train.epochs=4
    """
    config, site = load(run_file, overrides, workspace)

    from flows.cli.facts_table import print_base, print_data  # noqa: PLC0415  needs rich
    from flows.cli.live import show_progress  # noqa: PLC0415  needs rich
    from flows.cli.output import print_json, reader_console  # noqa: PLC0415  needs rich

    with show_progress() as watch:
        from flows.stages import prepare_base  # noqa: PLC0415  torch takes seconds to load
        from tasks.plan_summary import DataSummary  # noqa: PLC0415  slow to load
        from tasks.summary import BaseSummary  # noqa: PLC0415  slow to load

        data, network = prepare_base(config, site, watch)
    console, summary = reader_console(as_json=as_json), BaseSummary.of(network)
    print_data(console, DataSummary.of(config, data, network))
    print_base(console, summary)
    if as_json:
        print_json(summary)


def plan(
    run_file: RunFile,
    overrides: Overrides = None,
    workspace: WorkspaceFolder = None,
    as_json: AsJson = False,
) -> None:
    """Show layers, ranges, strategies, sizes and cost of a run.

    Prunes nothing. A missing base is trained once and kept for ``run``.

    Example: mixmatch plan params.yaml --json
    """
    config, site = load(run_file, overrides, workspace)

    from flows.cli.live import show_progress  # noqa: PLC0415  needs rich
    from flows.cli.output import print_json, reader_console  # noqa: PLC0415  needs rich
    from flows.cli.plan_table import print_plan  # noqa: PLC0415  needs rich

    with show_progress() as watch:
        from flows.stages import prepare_plan  # noqa: PLC0415  torch takes seconds to load
        from tasks.plan_summary import PlanSummary  # noqa: PLC0415  slow to load

        data, network, planned = prepare_plan(config, site, watch)
    summary = PlanSummary.of(planned, config=config, data=data, base=network)
    print_plan(reader_console(as_json=as_json), summary)
    if as_json:
        print_json(summary)
