"""One finished result of a study: a line of ``rows.jsonl``, enough to make every table again."""

from typing import Literal, Self

from pydantic import Field, model_validator

from mixmatch.records import (
    Accuracy,
    BaseRecord,
    DataRecord,
    Execution,
    MemberRecord,
    Record,
)
from tasks.jobs import MemberJob
from tasks.labels import DENSE, member_label, rival_label
from tasks.members import Member, RivalMember
from tasks.study.facts import now
from tasks.study.machine import Machine

Kind = Literal["base", "dense", "family", "rival"]
BASE = "base"


class StudyRow(Record):
    """One finished result; holds which image it got right, so nothing is evaluated again.

    Attributes:
        kind: ``base``, ``dense`` (the control: the base fine-tuned without a mask), ``family`` or
            ``rival``.
        name: strategy of a family member, else the rival's key, ``dense`` or ``base``.
        also: further strategies with the same configuration.
        criterion: of a family member; None for the others.
        asked_sparsity: of a rival, a fraction; None for the others.
        seed: of fine-tuning; None for the base.
        sparsity: zeros among prunable weights / prunable weights, counted, a fraction.
        num_weights: prunable weights.
        num_nonzero: prunable weights that are not zero; of the base all of them, uncounted.
        bytes: of the file on disk.
        validation_after_mask: accuracy right after masking, a fraction.
        validation_after_batch_norm: after batch-norm re-estimation, a fraction.
        validation: of the finished network.
        test: of the finished network.
        epochs_run: epochs of fine-tuning, those of the members that it started from included.
        epochs_before: those of the members that it started from.
        epochs_discarded: within a budget, those of later rounds that made it worse.
        best_epoch: index of the epoch that was kept; -1: the untrained state.
        seconds: wall time of the whole job, and of those that it started from; within a budget, of
            all its rounds, the untrained one with every seed.
        seconds_before: those of the members of a chain that it started from.
        cpu_seconds: processor time of the job, all threads; within a budget, of all its rounds.
            None: not measured.
        base_digest: SHA-256 of the base's weights file.
        data_digest: SHA-256 of the data set's file.
        mask_digest: SHA-256 of the mask's bits; None for the base.
        key: digest of the job's inputs; None for the base.
        execution: how arithmetic was done; None for the base.
        hardware: of the machine that wrote the row down; a result that its store held already
            may have been computed elsewhere.
        versions: of that machine's packages.
        finished_at: when the row was made, UTC, ISO 8601.
    """

    kind: Kind
    name: str
    also: tuple[str, ...] = ()
    criterion: str | None = None
    asked_sparsity: float | None = None
    seed: int | None
    sparsity: float
    num_weights: int
    num_nonzero: int
    bytes: int
    validation_after_mask: float
    validation_after_batch_norm: float
    validation: Accuracy
    test: Accuracy
    epochs_run: int
    epochs_before: int = 0
    epochs_discarded: int = 0
    best_epoch: int
    seconds: float
    seconds_before: float = 0.0
    cpu_seconds: float | None = None
    base_digest: str
    data_digest: str
    mask_digest: str | None = None
    key: str | None = None
    execution: Execution | None = None
    hardware: str
    versions: dict[str, str]
    finished_at: str = Field(default_factory=now)

    @model_validator(mode="after")
    def _has_what_names_it(self) -> Self:
        named = {
            "base": self.seed is None,
            "dense": self.seed is not None,
            "family": self.seed is not None and self.criterion is not None,
            "rival": self.seed is not None and self.asked_sparsity is not None,
        }
        if not named[self.kind]:
            raise ValueError(
                f"a row of kind {self.kind} must have its own seed, criterion and asked_sparsity, "
                f"got {self.seed}, {self.criterion} and {self.asked_sparsity}"
            )
        return self

    @property
    def label(self) -> str:
        """Its identity: ``STRATEGY/CRITERION/SEED``, ``RIVAL@SPARSITY/SEED``, or ``base``."""
        if self.kind == "base":
            return BASE
        if self.kind == "family":
            return member_label(self.name, self.criterion or "", self.seed or 0)
        return rival_label(self.name, self.asked_sparsity or 0.0, self.seed or 0)

    @classmethod
    def of_member(cls, member: Member, record: MemberRecord, machine: Machine) -> Self:
        """Take a member of the family that ``machine`` has computed or found in its store."""
        names = {
            "kind": "family",
            "name": member.strategy,
            "also": member.also,
            "criterion": member.criterion,
            "seed": member.seed,
        }
        measured = _measured(member.job, record, machine)
        if spent := member.spent:
            measured |= {
                "epochs_discarded": spent.epochs - record.epochs_before - len(record.epochs),
                "seconds": spent.seconds,
                "seconds_before": 0.0,
                "cpu_seconds": spent.cpu_seconds,
                "validation_after_mask": spent.untrained.validation_after_mask.value,
                "validation_after_batch_norm": spent.untrained.validation_after_batch_norm.value,
            }
        return cls.model_validate(names | measured)

    @classmethod
    def of_rival(cls, rival: RivalMember, record: MemberRecord, machine: Machine) -> Self:
        """Take a rival, or the dense control, that ``machine`` has computed or found likewise."""
        is_control = rival.rival == DENSE
        names = {
            "kind": "dense" if is_control else "rival",
            "name": rival.rival,
            "asked_sparsity": None if is_control else rival.sparsity,
            "seed": rival.seed,
        }
        return cls.model_validate(names | _measured(rival.job, record, machine))

    @classmethod
    def of_base(cls, base: BaseRecord, data: DataRecord, machine: Machine) -> Self:
        """Take the network that all others come from, on the data that it was evaluated on."""
        return cls(
            kind="base",
            name=BASE,
            seed=None,
            sparsity=0.0,
            num_weights=base.num_weights,
            num_nonzero=base.num_weights,
            bytes=base.artifact.size_bytes,
            validation_after_mask=base.validation.value,
            validation_after_batch_norm=base.validation.value,
            validation=base.validation,
            test=base.test,
            epochs_run=0,
            best_epoch=-1,
            seconds=base.seconds,
            base_digest=base.artifact.digest,
            data_digest=data.artifact.digest,
            hardware=machine.hardware,
            versions=machine.versions,
        )


def _measured(job: MemberJob, record: MemberRecord, machine: Machine) -> dict[str, object]:
    return {
        "sparsity": record.sparsity,
        "num_weights": record.num_weights,
        "num_nonzero": record.num_nonzero,
        "bytes": record.artifact.size_bytes,
        "validation_after_mask": record.validation_after_mask.value,
        "validation_after_batch_norm": record.validation_after_batch_norm.value,
        "validation": record.validation,
        "test": record.test,
        "epochs_run": record.epochs_before + len(record.epochs),
        "epochs_before": record.epochs_before,
        "best_epoch": record.best_epoch,
        "seconds": record.seconds_before + record.seconds,
        "seconds_before": record.seconds_before,
        "cpu_seconds": record.cpu_seconds,
        "base_digest": job.base.digest,
        "data_digest": job.data.digest,
        "mask_digest": record.mask_digest,
        "key": job.key,
        "execution": job.execution,
        "hardware": machine.hardware,
        "versions": machine.versions,
    }
