"""The network that a member is trained from: the base's weights or another member's, masked."""

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
        TrainingError: the mask keeps a weight that the member to start from has pruned.
    """
    model = open_network(store, job.base, job.spec)
    masks = keep_masks(_scores(job, store, model), job.num_pruned)
    apply_masks_(model, masks)
    if job.start is not None:
        alive = {name: weight != 0 for name, weight in _weights(model).items()}
        _load_member_(model, job.start, store)
        apply_masks_(model, masks)
        _check_nested(model, alive)
    return model, masks


def _scores(job: MemberJob, store: Store, model: nn.Module) -> dict[str, Tensor]:
    """Score by a criterion; or by a rival, whose mask is the lowest of each layer too."""
    signals = open_signals(store, job.scores) if job.scores else None
    if job.criterion in RIVALS:
        return rival_scores(job.criterion, _weights(model), signals, seed=job.seed)
    return score(job.criterion, _weights(model), signals)


def _load_member_(model: nn.Module, key: str, store: Store) -> None:
    """Copy the state of a finished member into ``model``, batch-norm statistics included."""
    record = store.find(MemberJob.step, key, MemberRecord)
    if record is None:
        raise ArtifactError(
            f"The store {store.root} must hold the finished member {key} that this one starts "
            "from, found none; compute that one first."
        )
    state = read_packed(store.path(record.artifact)).state
    load_state_(model, state, allow_new_head=False, source=f"the member {key}")


def _check_nested(model: nn.Module, alive: dict[str, Tensor]) -> None:
    """Verify that no weight which the mask keeps came as a zero, unless the base has it at zero."""
    for name, weight in _weights(model).items():
        num_lost = int((alive[name] & (weight == 0)).sum())
        if num_lost:
            raise TrainingError(
                f"Layer {name} must keep only weights that the member it starts from kept, but "
                f"{num_lost} of them are zero there: the masks of a chain must be nested."
            )


def _weights(model: nn.Module) -> dict[str, Tensor]:
    return weights_of(model, prunable_layers(model))
