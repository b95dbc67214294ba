"""The rivals' plans: what each of them prunes at the sparsities at which it is compared."""

from mixmatch.layers import prunable_layers, weights_of
from mixmatch.records import RivalPlan, RivalsRecord
from mixmatch.rivals import RIVALS, rival_num_pruned
from mixmatch.signals import Signal
from tasks.jobs import RivalsJob
from tasks.networks import open_network, open_signals
from tasks.site import Site


def compute(job: RivalsJob, site: Site) -> RivalsRecord:
    """Rank the weights by every rival, and cut at every sparsity."""
    store = site.open_store()
    model = open_network(store, job.base, job.spec)
    weights = weights_of(model, prunable_layers(model))
    signals = open_signals(store, job.scores, job.curvature)
    plans: list[RivalPlan] = []
    for rival in job.rivals:
        counts = {
            seed: rival_num_pruned(rival, weights, signals, job.sparsities, seed=seed or 0)
            for seed in _mask_seeds(job, rival)
        }
        plans += (
            RivalPlan(rival=rival, sparsity=x, seed=seed, num_pruned=by_sparsity[x])
            for x in job.sparsities
            for seed, by_sparsity in counts.items()
        )
    return RivalsRecord(plans=tuple(plans))


def _mask_seeds(job: RivalsJob, rival: str) -> tuple[int | None, ...]:
    """Return the seeds that give masks of their own; None stands for one mask whatever the seed."""
    return (job.seeds or ()) if RIVALS[rival].needs is Signal.NOISE else (None,)
