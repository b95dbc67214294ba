"""What a decision about a workspace is made from, and what it comes to."""

from dataclasses import dataclass, field

from mixmatch.config import Retention
from mixmatch.records import Removal, Stay
from tasks.retention.standing import Standing
from tasks.site import Site
from tasks.tracking.holdings import HeldRun, Holdings
from tasks.versioning.removal import DvcThing

UNUSED = "nothing that stays needs it"


@dataclass(frozen=True, slots=True)
class Scene:
    """What is known.

    Attributes:
        site: workspace and store.
        held: all that MLflow holds of ours.
        judged: which versions and runs stay.
        policy: what stays.
        now: seconds since 1970.
    """

    site: Site
    held: Holdings
    judged: Standing
    policy: Retention
    now: float

    @property
    def cutoff(self) -> float:
        """Before this an unneeded file must have been written; seconds since 1970."""
        return self.policy.file_cutoff(self.now)

    @property
    def staying(self) -> tuple[HeldRun, ...]:
        """Runs that stay, of flows and of members."""
        return tuple(x for x in self.held.runs if self.judged.keeps(x))


@dataclass(slots=True)
class Plan:
    """Everything that goes.

    Attributes:
        removals: in their order.
        dvc: the things under DVC among them, as DVC's side knows them.
        stays: versions and runs that stay.
        notes: what is left alone, and why; sentences.
    """

    removals: list[Removal] = field(default_factory=list)
    dvc: list[DvcThing] = field(default_factory=list)
    stays: list[Stay] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
