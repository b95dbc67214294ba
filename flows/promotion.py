"""Promotion, a person's answer, and the way back: as the command line calls them, and as flows.

``promote_flow`` and ``rollback_flow`` are entry points for schedules: their parameters are plain
JSON, and they run in any process that Prefect starts.
"""

from pathlib import Path

from prefect import flow

from flows.judges import judges
from flows.ownership import owned
from flows.steps import as_effect
from mixmatch.config import parse_policy
from mixmatch.errors import PromotionError
from tasks import promotion
from tasks.promotion import PromotionSummary, check_person
from tasks.site import Site
from tasks.workspace import Workspace


def refuse_nothing(summary: PromotionSummary) -> None:
    """Fail where no version passes.

    Raises:
        PromotionError: none does; the message names the nearest miss.
    """
    if summary.outcome == "nothing":
        raise PromotionError(str(summary.nearest))


def site_at(workspace: str, store: str | None) -> Site:
    """Open the places that a scheduled flow names."""
    return Site.at(Workspace.open(Path(workspace)), store)


@flow(name="promote", flow_run_name="promote-{name}", retries=0)
def promote_flow(
    name: str,
    policy: dict[str, object],
    workspace: str,
    *,
    store: str | None = None,
    by: str | None = None,
    factory: str | None = None,
) -> dict[str, object]:
    """Promote by policy.

    Args:
        name: registered model.
        policy: settings as in a policy file.
        workspace: folder.
        store: artifact store, which holds the ledger; None: inside the workspace.
        by: who asks; None: the user of the process.
        factory: ``package.module:factory`` of a user's own network.

    Returns:
        The summary as plain JSON.

    Raises:
        PromotionError: no version passes, or somebody else was faster.
    """
    parsed, site = parse_policy(policy, "policy"), site_at(workspace, store)
    with owned(site):
        summary = as_effect(promotion.promote)(
            site, name, parsed, by=check_person(by), judges=judges(factory), factory=factory
        )
    refuse_nothing(summary)
    return summary.model_dump(mode="json")


@flow(name="rollback", flow_run_name="rollback-{name}", retries=0)
def rollback_flow(
    name: str,
    why: str,
    workspace: str,
    *,
    alias: str = "champion",
    store: str | None = None,
    by: str | None = None,
) -> dict[str, object]:
    """Return an alias to its holder before.

    Args:
        name: registered model.
        why: the reason.
        workspace: folder.
        alias: that is moved.
        store: as ``promote_flow``.
        by: likewise.

    Returns:
        The summary as plain JSON.
    """
    site = site_at(workspace, store)
    with owned(site):
        summary = as_effect(promotion.rollback)(
            site, name, alias, by=check_person(by, why), why=why
        )
    return summary.model_dump(mode="json")
