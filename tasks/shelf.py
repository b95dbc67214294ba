"""The states of interrupted trainings in a store that other machines share with the workspace.

The file in the workspace is the first choice. Its copy in the store is for a worker elsewhere, at a
pace of its own.
"""

import logging
from dataclasses import dataclass, field
from pathlib import Path

from mixmatch.errors import MixMatchError
from tasks.pace import Pace
from tasks.site import Site
from tasks.store import Store

_log = logging.getLogger(__name__)

_FOLDER, _ENDING = "training/", ".safetensors"


@dataclass(frozen=True, slots=True)
class Shelf:
    """The copy of one job's state.

    Attributes:
        store: where it lies.
        step: of the job.
        key: of the job.
        pace: of the copies.
    """

    store: Store
    step: str
    key: str
    pace: Pace = field(default_factory=Pace)

    @classmethod
    def of(cls, site: Site, step: str, key: str) -> "Shelf | None":
        """Return the shelf of a job; None where the store is the workspace's own."""
        return cls(site.open_store(), step, key) if site.is_store_shared else None

    def keep(self, file: Path) -> None:
        """Copy ``file`` to the store if it is time; what goes wrong is said in the log only."""
        if not self.pace.is_due():
            return
        with self.pace.measured():
            try:
                self.store.keep(self._name, file)
            except (MixMatchError, OSError) as error:
                _log.warning("A worker elsewhere could not go on from here: %s", error)

    def fetch(self, file: Path) -> None:
        """Write the copy to ``file``, if there is one that can be read."""
        fresh = file.with_suffix(".fetched.new")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            if self.store.fetch(self._name, fresh):
                fresh.replace(file)
        except (MixMatchError, OSError) as error:
            _log.warning("The training begins anew: %s", error)
        finally:
            fresh.unlink(missing_ok=True)

    def forget(self) -> None:
        """Remove the copy, if there is one."""
        self.store.remove(self._name)

    @property
    def _name(self) -> str:
        return f"{_FOLDER}{self.step}/{self.key}{_ENDING}"


def remove_finished(site: Site) -> tuple[str, ...]:
    """Remove from a shared store the states of jobs that are done; return their names.

    A worker that was cut off and went on may have written one after another had finished its job.
    """
    if not site.is_store_shared:
        return ()
    store, removed = site.open_store(), []
    for name in store.names(_FOLDER):
        _, step, file = name.split("/")
        if store.envelope(step, file.removesuffix(_ENDING)) is not None:
            store.remove(name)
            removed.append(name)
    return tuple(removed)
