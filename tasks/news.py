"""Whether what a run comes to is new: who is told of a front wants to hear of it, and once.

A run is finished in MLflow only when all were told. So one that is killed in between tells again,
and none is silent.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from mixmatch.config import RunConfig
from tasks.site import Site
from tasks.tracking import is_finished, newest_version, remembered

_NEWEST_TAG = "mixmatch.newest_version_before"


@dataclass(frozen=True, slots=True)
class Before:
    """How things stood when a run began.

    Attributes:
        was_finished: whether MLflow's run had been finished by an earlier call.
        newest_version: of the registered model; 0: none. Of a run that was interrupted it is that
            before its first beginning, so that versions are told of that it registered then.
    """

    was_finished: bool
    newest_version: int


def before(config: RunConfig, run_id: str, site: Site) -> Before:
    """Look at MLflow before a run adds to it."""
    newest = newest_version(site, config.registered_name) if config.register_.enabled else 0
    was_finished = is_finished(site, run_id)
    if not was_finished:
        newest = int(remembered(site, run_id, _NEWEST_TAG, str(newest)))
    return Before(was_finished, newest)


def is_new_front(state: Before, versions: Mapping[str, int]) -> bool:
    """Say whether a front holds a network that was not there.

    Args:
        state: before the run.
        versions: of the front, by result key; empty where nothing is registered.
    """
    if versions:
        return max(versions.values()) > state.newest_version
    return not state.was_finished
