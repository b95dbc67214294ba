"""The network that a member is trained from: the base's weights or another member's, masked."""

from typing import cast

from torch import Tensor, nn

from mixmatch.checkpoints import load_state_
from mixmatch.criteria import score
from mixmatch.errors import ArtifactError, TrainingError
from mixmatch.layers import prunable_layers, weights_of
from mixmatch.masks import apply_masks_, keep_masks
from mixmatch.packed import read_packed
from mixmatch.records import MemberRecord
from mixmatch.rivals import RIVALS, rival_scores
from tasks.jobs import MemberJob
from tasks.networks import open_network, open_signals
from tasks.store import Store


def masked_network(job: MemberJob, store: Store) -> tuple[nn.Module, dict[str, Tensor]]:
    """Return the network of ``job`` under its mask, in eval mode on the CPU, and the mask.

    The mask follows from the base's weights and signals also where another member's weights are
    under it: by one fixed score, masks are nested.

    Raises:
        ArtifactError: the store lacks the member to start from, or another file.
        ScoreError: a score is NaN or infinite.
        TrainingError: the mask keeps weights that the member to start from has pruned.
    """
    model = open_network(store, job.base, job.spec)
    masks = keep_masks(_scores(job, store, model), job.num_pruned)
    apply_masks_(model, masks)
    if job.start is not None:
        _load_member_(model, job.start, store)
        _check_nested(job, job.start, store)
        apply_masks_(model, masks)
    return model, masks


def _scores(job: MemberJob, store: Store, model: nn.Module) -> dict[str, Tensor]:
    """Score by a criterion; or by a rival, whose mask is the lowest of each layer too."""
    reads_signals = job.scores or job.curvature
    signals = open_signals(store, job.scores, job.curvature) if reads_signals else None
    if job.criterion in RIVALS:
        return rival_scores(job.criterion, _weights(model), signals, seed=job.seed)
    return score(job.criterion, _weights(model), signals)


def _load_member_(model: nn.Module, key: str, store: Store) -> None:
    """Copy the state of a finished member into ``model``, batch-norm statistics included."""
    record = store.find(MemberJob.step, key, MemberRecord)
    if record is None:
        raise ArtifactError(
            f"The store {store.address} must hold the finished member {key} that this one starts "
            "from, found none; compute that one first."
        )
    state = read_packed(store.path(record.artifact)).state
    load_state_(model, state, allow_new_head=False, source=f"the member {key}")


def _check_nested(job: MemberJob, start: str, store: Store) -> None:
    """Verify by the counts that the mask contains that of the member to start from.

    By one score, masks of growing counts are nested. Values would not tell: a weight that is kept
    may have been trained to zero.
    """
    before = store.inputs(MemberJob.step, start) or {}
    if before.get("criterion") != job.criterion:
        raise TrainingError(
            f"A member must start from one of its own criterion, {job.criterion}, but {start} is "
            f"of {before.get('criterion')}."
        )
    counts = cast(dict[str, int], before["num_pruned"])
    for name, count in counts.items():
        if count > job.num_pruned.get(name, 0):
            raise TrainingError(
                f"Layer {name} must lose at least the {count} weights that it has lost where it "
                f"starts from, got {job.num_pruned.get(name, 0)}: masks of a chain must be nested."
            )


def _weights(model: nn.Module) -> dict[str, Tensor]:
    return weights_of(model, prunable_layers(model))
