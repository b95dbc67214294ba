"""What a finished family is made known by: MLflow runs, registered versions, DVC, the report.

Each of these can be repeated: what is there already is left as it is.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mixmatch.config import RunConfig
from mixmatch.digests import json_digest
from mixmatch.records import (
    BaseRecord,
    DataRecord,
    FamilyRecord,
    FlowTrace,
    PlanRecord,
    Record,
)
from tasks.deployment import quantizations
from tasks.family import registered
from tasks.family_figures import family_figures
from tasks.jobs import Job
from tasks.labels import member_label, rival_label
from tasks.lineage import Origin, StepKey, documents_of, kept_files
from tasks.members import Asked
from tasks.report import write_report
from tasks.run_file import settings_digest
from tasks.site import Site
from tasks.tracking import (
    close_run,
    fail_run,
    open_children,
    open_run,
    record_result,
    record_rival,
    register_front,
)
from tasks.versioning import version_files

SETTINGS_TAG = "settings.digest"


class Versioned(Record):
    """One folder under DVC.

    Attributes:
        md5: DVC's hash of it.
        pointer: path of its pointer file.
    """

    md5: str
    pointer: str


@dataclass(frozen=True, slots=True)
class Background:
    """What the lineages of a family name besides its members.

    Attributes:
        preparation: jobs that precede every member, in their order.
        flow: the run of the flow.
        dvc: DVC's hash by name of what was versioned.
    """

    preparation: tuple[Job, ...]
    flow: FlowTrace
    dvc: Mapping[str, str]


def run_key(config: RunConfig, base: BaseRecord, asked: Sequence[Asked]) -> str:
    """Return the SHA-256 by which the parent run of this family is found again in MLflow."""
    return json_digest(
        {
            "name": config.run_name,
            "registered": config.registered_name if config.register_.enabled else None,
            "base": base.artifact.digest,
            "asked": {one.label: one.job.key for one in asked},
            "fine_tune": config.fine_tune.model_dump(mode="json", exclude_none=True),
            "quantize": config.quantize,
            "latency": config.latency,
        }
    )


def open_tracking(
    config: RunConfig, data: DataRecord, base: BaseRecord, asked: Sequence[Asked], site: Site
) -> str:
    """Open or resume the parent run of this family in MLflow and return its identifier.

    Two runs are the same when they have one name, one base, and ask for the same.
    """
    key = run_key(config, base, asked)
    return open_run(
        site,
        name=f"{config.run_name}-{key[:8]}",
        key=key,
        config=config,
        data=data,
        tags={
            **_digests(data, base),
            SETTINGS_TAG: settings_digest(config),
            **{f"execution.{k}": str(v) for k, v in asked[0].job.execution if k != "versions"},
            **{f"version.{k}": v for k, v in asked[0].job.execution.versions.items()},
        },
    )


def fail_tracking(run_id: str, site: Site) -> None:
    """End the parent run as failed because something after its opening went wrong."""
    fail_run(site, run_id)


def track_results(family: FamilyRecord, run_id: str, site: Site) -> None:
    """Write every result and every rival as a child run, once."""
    members = {x.key: member_label(x.strategy, x.criterion, x.seed) for x in family.results}
    rivals = {x.key: rival_label(x.rival, x.sparsity, x.seed) for x in family.rivals}
    children = open_children(site, run_id, members | rivals)
    for result in family.results:
        name, child = members[result.key], children[result.key]
        record_result(site, run_id, result, name=name, latency=family.latency, child=child)
    for rival in family.rivals:
        record_rival(site, run_id, rival, name=rivals[rival.key], child=children[rival.key])


def register_results(
    config: RunConfig,
    data: DataRecord,
    family: FamilyRecord,
    run_id: str,
    site: Site,
    *,
    background: Background,
) -> dict[str, int]:
    """Register both fronts, if the run file wants it; return the version by result key.

    Every new version carries its lineage and a model card.
    """
    front = registered(family)
    if not config.register_.enabled or not front:
        return {}
    origin = Origin(
        config=config,
        base=family.base,
        preparation=background.preparation,
        dvc=background.dvc,
        flow=background.flow,
        quantize={x.job.member.digest: x.job for x in quantizations(config, data, family)},
        store=site.open_store(),
    )
    return register_front(
        site,
        run_id,
        registered_name=config.registered_name,
        spec=family.base.spec,
        results=front,
        extra_tags=_digests(data, family.base),
        latency=family.latency,
        document=partial(documents_of, origin),
        base=family.base,
    )


def version_data(data: DataRecord, site: Site) -> Versioned:
    """Put the data set under DVC."""
    path = site.open_store().path(data.artifact)
    return _versioned(site, data_folder(data), {"dataset.safetensors": path})


def version_family(
    config: RunConfig, family: FamilyRecord, site: Site, kept: Sequence[StepKey] = ()
) -> Versioned:
    """Put base, members, their int8 files and all figures under DVC as one folder.

    Args:
        config: the run file.
        family: the product of the run.
        site: where the store is.
        kept: steps whose records, and files that have no name here, lie below ``store/``.
    """
    store = site.open_store()
    files = {"base.safetensors": store.path(family.base.artifact)}
    for result in family.results:
        name = f"{result.strategy}-{result.criterion}-{result.seed}"
        files[f"{name}.safetensors"] = store.path(result.member.artifact)
        if result.int8 is not None:
            files[f"{name}-int8.safetensors"] = store.path(result.int8.artifact)
    with store.scratch() as folder:
        figures = folder / "family.json"
        figures.write_text(json.dumps(family_figures(family), indent=1, sort_keys=True))
        named = {path.name for path in files.values()}
        files |= kept_files(store, kept, folder, without=named)
        return _versioned(site, family_folder(config), {**files, "family.json": figures})


def write_run_report(
    family: FamilyRecord,
    plan: PlanRecord,
    run_id: str,
    site: Site,
    *,
    versions: Mapping[str, int],
    references: Mapping[str, float],
) -> Path:
    """Write report.html into the run's folder and return its path.

    Args:
        family: the product of the run.
        plan: ranges and strategies.
        run_id: names the folder.
        site: where the workspace is.
        versions: registered version by result key.
        references: test accuracies to draw as lines, by name, fractions.
    """
    out = report_place(run_id, site)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_report(family, plan, out, versions=versions, references=references)
    return out


def close_tracking(
    family: FamilyRecord,
    run_id: str,
    report: Path,
    versioned: Mapping[str, Versioned],
    site: Site,
) -> None:
    """Log figures, report and DVC pointers to the parent run and end it."""
    close_run(
        site,
        run_id,
        family=family,
        report=report,
        pointers={name: Path(x.pointer) for name, x in versioned.items()},
        tags={md5_tag(name): x.md5 for name, x in versioned.items()},
        failed=bool(family.failed),
    )


def data_folder(data: DataRecord) -> str:
    """Name the data set's folder under DVC."""
    return f"data-{data.name}"


def family_folder(config: RunConfig) -> str:
    """Name the family's folder under DVC."""
    return f"family-{config.run_name}"


def report_place(run_id: str, site: Site) -> Path:
    """Return where the report of a run lies."""
    return site.open_workspace().runs / run_id / "report.html"


def md5_tag(name: str) -> str:
    """Name the parent run's tag with DVC's hash of ``data`` or ``family``."""
    return f"dvc.{name}.md5"


def _versioned(site: Site, name: str, files: Mapping[str, Path]) -> Versioned:
    version = version_files(site, name, files)
    return Versioned(md5=version.md5, pointer=str(version.pointer))


def _digests(data: DataRecord, base: BaseRecord) -> dict[str, str]:
    return {
        "data.digest": data.artifact.digest,
        "data.source_digest": data.source_digest,
        "base.digest": base.artifact.digest,
    }
