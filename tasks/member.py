"""One member of the family: prune, re-estimate, fine-tune, evaluate, pack."""

from torch import nn

from mixmatch.execution import computing
from mixmatch.layers import prunable_layers
from mixmatch.masks import count_nonzero, mask_digest
from mixmatch.models import count_parameters
from mixmatch.packed import save_packed
from mixmatch.records import Artifact, MemberRecord, ModelSpec
from tasks.interruption import Clock, Effort, Interruption
from tasks.jobs import MemberJob
from tasks.member_network import masked_network
from tasks.member_training import Bench, Course
from tasks.site import Site
from tasks.store import Store


def compute(job: MemberJob, site: Site, label: str) -> MemberRecord:
    """Run the whole job; its progress goes to the site's folder under ``label``."""
    store, clock = site.open_store(), Clock.start()
    with computing(job.execution) as device:
        bench = Bench.open(job, store)
        model, masks = masked_network(job, store)
        model.to(device)
        masks = {name: mask.to(device) for name, mask in masks.items()}
        watched = bench.watched(site.progress, label)
        course = bench.run(model, masks, watched, Interruption.of(site, job, clock))
    watched.finish()
    model.cpu()
    artifact = _packed(model, job.spec, store)
    record = _record(model, artifact, mask_digest(masks), course, clock.effort())
    return record.model_copy(update=_effort_before(job, store))


def _effort_before(job: MemberJob, store: Store) -> dict[str, float]:
    """Sum up what was spent on the network that this member started from."""
    before = store.find(job.step, job.start, MemberRecord) if job.start else None
    if before is None:
        return {}
    return {
        "epochs_before": before.epochs_before + len(before.epochs),
        "seconds_before": before.seconds_before + before.seconds,
    }


def _packed(model: nn.Module, spec: ModelSpec, store: Store) -> Artifact:
    with store.scratch() as folder:
        save_packed(folder / "member.safetensors", model, spec)
        return store.put(folder / "member.safetensors")


def _record(
    model: nn.Module, artifact: Artifact, digest: str, course: Course, effort: Effort
) -> MemberRecord:
    """Count on the finished network, and write down what it went through."""
    layers = prunable_layers(model)
    nonzero = count_nonzero(model, layers)
    num_weights = sum(layer.num_weights for layer in layers)
    num_zeros = num_weights - sum(nonzero.values())
    return MemberRecord(
        artifact=artifact,
        mask_digest=digest,
        num_weights=num_weights,
        num_nonzero=num_weights - num_zeros,
        num_parameters=count_parameters(model),
        sparsity=num_zeros / num_weights,
        sparsity_of_all=num_zeros / count_parameters(model),
        layer_sparsity={x.name: 1 - nonzero[x.name] / x.num_weights for x in layers},
        validation_after_mask=course.after_mask,
        validation_after_batch_norm=course.after_batch_norm,
        validation=course.validation,
        test=course.test,
        epochs=course.epochs,
        best_epoch=course.best_epoch,
        seconds=effort.seconds,
        cpu_seconds=effort.cpu_seconds,
    )
