"""What a schedule runs each night: compress, audit what came out, promote by policy.

``nightly_flow`` is an entry point for schedules: its parameters are plain JSON.
"""

from collections.abc import Iterable
from pathlib import Path

from prefect import flow

from flows.announce import failures_announced
from flows.failures import refuse_failures
from flows.family import run_family_flow
from flows.inputs import check_inputs, locate_inputs
from flows.judges import judges
from flows.local_workers import local_workers
from flows.ownership import owned
from flows.promotion import refuse_nothing
from flows.reap import reap_beside_server
from flows.steps import as_effect
from flows.watch import NullWatch
from mixmatch.config import Policy, RunConfig, parse_policy, parse_run_config
from mixmatch.records import Verdict
from tasks import promotion
from tasks.factory import is_factory
from tasks.promotion import Judges, PromotionSummary, check_person
from tasks.site import Site
from tasks.summary import RunSummary
from tasks.tracking import prepare_tracking
from tasks.workspace import Workspace


@flow(name="nightly", retries=0)
def nightly_flow(
    config: dict[str, object],
    policy: dict[str, object],
    workspace: str,
    *,
    by: str | None = None,
) -> dict[str, object]:
    """Compress a network, audit the versions that came out, and promote the best that passes.

    Every version of the model is a candidate, not only those of this night. A network of the user's
    own is built by the factory that ``config`` names, which is its caller's word.

    Args:
        config: settings as in a run file; it must register.
        policy: settings as in a policy file.
        workspace: folder.
        by: who asks; None: the user of the process.

    Returns:
        The summaries of the run and of the promotion as plain JSON, and the verdicts by version.

    Raises:
        FamilyError: members of the family failed; the others are kept, and nothing is promoted.
        PromotionError: no version passes, or somebody else was faster.
    """
    run, gates = parse_run_config(config, "config"), parse_policy(policy, "policy")
    who, own = check_person(by), run.model.architecture
    factory = own if is_factory(own) else None
    site = Site.at(Workspace.open(Path(workspace)), run.store)
    with owned(site):
        with failures_announced(run):
            family = _compress(run, site)
        refuse_failures(family)  # which were announced already
        with failures_announced(run):
            verdicts, summary = _promote(run, site, gates, family, by=who, factory=factory)
    return {
        "run": family.model_dump(mode="json"),
        "verdicts": {one: verdict.ok for one, verdict in verdicts.items()},
        "promotion": summary.model_dump(mode="json"),
    }


def _promote(
    config: RunConfig,
    site: Site,
    gates: Policy,
    family: RunSummary,
    *,
    by: str,
    factory: str | None,
) -> tuple[dict[str, Verdict], PromotionSummary]:
    """Audit the versions of this night, then promote the best version of the model.

    Raises:
        PromotionError: no version passes, or somebody else was faster.
    """
    versions = sorted({x.model_version for x in family.results if x.model_version is not None})
    references = [f"{config.registered_name}/{version}" for version in versions]
    verdicts = as_effect(audit_versions)(site, references, factory)
    summary = as_effect(promotion.promote)(
        site,
        config.registered_name,
        gates,
        by=by,
        judges=_remembering(verdicts, factory),
        factory=factory,
    )
    refuse_nothing(summary)
    return verdicts, summary


def _compress(config: RunConfig, site: Site) -> RunSummary:
    prepare_tracking(site)
    reap_beside_server(site)
    inputs = locate_inputs(config, site)
    check_inputs(config, inputs, site)
    with local_workers(site) as workers:
        return run_family_flow(config, site, inputs, NullWatch(), workers)


def audit_versions(
    site: Site, references: Iterable[str], factory: str | None = None
) -> dict[str, Verdict]:
    """Audit versions, given as ``NAME/version``; empty where there is no audit."""
    audit = judges(factory).audit
    return {} if audit is None else {one: audit(site, one) for one in references}


def _remembering(verdicts: dict[str, Verdict], factory: str | None) -> Judges:
    """Return the judges, of whom the audit need not look twice at one version."""
    asked = judges(factory)
    audit = asked.audit
    if audit is None:
        return asked

    def verdict_of(site: Site, reference: str) -> Verdict:
        known = verdicts.get(reference)
        return audit(site, reference) if known is None else known

    return Judges(audit=verdict_of, signature=asked.signature)
