"""What a retention policy comes to: what goes, what stays, and why."""

from typing import Literal

from mixmatch.records.record import Record

Kind = Literal["version", "model", "run", "folder", "dvc", "record", "object", "training"]


class Removal(Record):
    """One thing that goes.

    Attributes:
        kind: ``version`` (of a registered model), ``model`` (its files in MLflow), ``run`` (with
            its artifacts), ``folder`` (of a run in the workspace), ``dvc`` (pointer, listing or
            file), ``record`` or ``object`` (of the store), ``training`` (state of a finished job).
        name: by which it is known where it lies.
        why: the reason.
        bytes: that its removal frees on disk.
    """

    kind: Kind
    name: str
    why: str
    bytes: int = 0


class Stay(Record):
    """One version or run that stays.

    Attributes:
        kind: ``version`` or ``run``.
        name: ``NAME/version``, or the run's id.
        why: the rule that keeps it.
    """

    kind: Literal["version", "run"]
    name: str
    why: str


class Collection(Record):
    """Everything that a policy decides about a workspace.

    Attributes:
        dry_run: whether nothing was removed.
        removals: in the order of removal.
        stays: versions and runs that stay.
        notes: what was left alone because it cannot be known whether it is needed; sentences.
        bytes_freed: of all removals.
    """

    dry_run: bool
    removals: tuple[Removal, ...]
    stays: tuple[Stay, ...]
    notes: tuple[str, ...]
    bytes_freed: int
