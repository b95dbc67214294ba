"""Commands that move an alias: ``promote``, ``approve`` and ``rollback``. They start no server."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import AsJson, StorePlace, WorkspaceFolder, open_site

if TYPE_CHECKING:
    from tasks.promotion import PromotionSummary

Name = Annotated[str, typer.Argument(metavar="NAME", help="The registered model.")]

Alias = Annotated[str, typer.Option("--alias", metavar="ALIAS", help="The alias to move.")]

By = Annotated[str | None, typer.Option("--by", metavar="WHO", help="Who asks; else user@host.")]

Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason, for the ledger.")]


def promote(
    name: Name,
    policy: Annotated[Path, typer.Option("--policy", metavar="POLICY.yaml", help="The gates.")],
    *,
    alias: Annotated[
        str | None,
        typer.Option("--alias", metavar="ALIAS", help="Instead of the policy's own."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Change nothing; say what would be.")
    ] = False,
    by: By = None,
    factory: Annotated[
        str | None,
        typer.Option(
            "--factory",
            metavar="PACKAGE.MODULE:NAME",
            help="For your own network: what builds it. Its module is imported.",
        ),
    ] = None,
    workspace: WorkspaceFolder = None,
    store: StorePlace = None,
    as_json: AsJson = False,
) -> None:
    """Let the version that a policy prefers hold an alias.

    Its registered file is evaluated again before. If no version passes: exit code 1, and the alias
    stays.

    Example: mixmatch promote digits-demo --policy policy.yaml --dry-run
    """
    from flows.cli.live import show_progress  # noqa: PLC0415  needs rich
    from tasks.promotion import check_person, load_policy  # noqa: PLC0415  pydantic is slow

    # Before the workspace is opened, so that wrong input creates nothing.
    parsed, who = load_policy(policy, alias=alias), check_person(by)
    site = open_site(workspace, store)
    with show_progress() as watch:
        watch.on_stage("promote", f"{name} by {policy}")
        from flows.judges import judges  # noqa: PLC0415  next to its user
        from tasks import promotion  # noqa: PLC0415  MLflow takes seconds to load

        summary = promotion.promote(
            site,
            name,
            parsed,
            by=who,
            judges=judges(factory),
            factory=factory,
            dry_run=dry_run,
        )
    _print(summary, as_json=as_json)
    if summary.outcome == "nothing":
        from mixmatch.errors import PromotionError  # noqa: PLC0415  next to its user

        raise PromotionError(str(summary.nearest))


def approve(
    name: Name,
    why: Why,
    *,
    by: By = None,
    alias: Alias = "champion",
    refuse: Annotated[
        bool, typer.Option("--refuse", help="Say no: the version wins no more by itself.")
    ] = False,
    workspace: WorkspaceFolder = None,
    store: StorePlace = None,
    as_json: AsJson = False,
) -> None:
    """Answer the request that a promotion left.

    It leaves one where its policy demands a person.

    Example: mixmatch approve digits-demo --by Ada --why "looked at the confusions"
    """
    from tasks.promotion import approve as answer  # noqa: PLC0415  pydantic is slow
    from tasks.promotion import check_person  # noqa: PLC0415  likewise

    who = check_person(by, why)
    site = open_site(workspace, store)
    _print(answer(site, name, alias, by=who, why=why, refuse=refuse), as_json=as_json)


def rollback(
    name: Name,
    why: Why,
    *,
    by: By = None,
    alias: Alias = "champion",
    workspace: WorkspaceFolder = None,
    store: StorePlace = None,
    as_json: AsJson = False,
) -> None:
    """Return an alias to the version that held it before.

    The version that is left wins no more by itself. Again, and it goes further back.

    Example: mixmatch rollback digits-demo --by Ada --why "wrong on night images"
    """
    from tasks.promotion import check_person  # noqa: PLC0415  pydantic is slow
    from tasks.promotion import rollback as back  # noqa: PLC0415  likewise

    who = check_person(by, why)
    site = open_site(workspace, store)
    _print(back(site, name, alias, by=who, why=why), as_json=as_json)


def _print(summary: "PromotionSummary", *, as_json: bool) -> None:
    from flows.cli.output import print_json, reader_console  # noqa: PLC0415  needs rich
    from flows.cli.promotion_table import print_promotion  # noqa: PLC0415  needs rich

    print_promotion(reader_console(as_json=as_json), summary)
    if as_json:
        print_json(summary)
