"""What an earlier run has left for a family, if all of it still stands: then nothing is to be done.

The counterpart of ``tasks.publish``: the same places and names, only read.
"""

from mixmatch.config import RunConfig
from mixmatch.records import DataRecord, FamilyRecord, Record
from tasks.family import registered
from tasks.members import Asked
from tasks.publish import (
    SETTINGS_TAG,
    data_folder,
    family_folder,
    md5_tag,
    report_place,
    run_key,
)
from tasks.run_file import settings_digest
from tasks.site import Site
from tasks.tracking import FinishedRun, find_finished, standing_versions
from tasks.versioning import current_version, is_kept


class Standing(Record):
    """A published family.

    Attributes:
        run_id: MLflow's identifier of the parent run.
        report: path of report.html.
        versions: registered version by result key.
    """

    run_id: str
    report: str
    versions: dict[str, int]


def find_standing(
    config: RunConfig,
    data: DataRecord,
    family: FamilyRecord,
    asked: tuple[Asked, ...],
    site: Site,
) -> Standing | None:
    """Return what ``tasks.publish`` has left for ``family``; None if it would write anything.

    Of DVC only the current pointers are read: whether its remote still holds the files is what a
    run through the flow finds out.

    Args:
        config: the run file; a run of other settings does not count.
        data: the data set.
        family: complete, without failures.
        asked: members and rivals, in order.
        site: workspace and store.
    """
    run = find_finished(
        site,
        config.run_name,
        run_key(config, family.base, asked),
        (*family.results, *family.rivals),
    )
    if run is None or run.tags.get(SETTINGS_TAG) != settings_digest(config):
        return None
    report = report_place(run.run_id, site)
    if not report.is_file() or not _is_versioned(run, config, data, site):
        return None
    versions = _versions(config, family, site)
    if versions is None:
        return None
    return Standing(run_id=run.run_id, report=str(report), versions=versions)


def _is_versioned(run: FinishedRun, config: RunConfig, data: DataRecord, site: Site) -> bool:
    """Say whether DVC has what the run has left: its data set, and its family as the current one.

    Other run files of the workspace may have versioned another data set of that name since.
    """
    family = current_version(site, family_folder(config))
    is_current = family == run.tags.get(md5_tag("family"), "")
    return is_current and is_kept(site, data_folder(data), run.tags.get(md5_tag("data"), ""))


def _versions(config: RunConfig, family: FamilyRecord, site: Site) -> dict[str, int] | None:
    front = registered(family)
    if not config.register_.enabled or not front:
        return {}
    return standing_versions(site, config.registered_name, front, family.latency)
