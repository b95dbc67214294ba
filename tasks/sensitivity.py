"""The sensitivity pass: gradients and GraSP's Hessian-gradient product, measured once, stored."""

import time

from safetensors.torch import save_file

from mixmatch.execution import computing, fast_convolutions
from mixmatch.images import ordered_batches
from mixmatch.layers import prunable_layers
from mixmatch.records import Artifact, SensitivityRecord
from mixmatch.signals import Signals, measure_signals
from tasks.jobs import SensitivityJob
from tasks.networks import open_network, open_split, preprocessing_of
from tasks.site import Site
from tasks.store import Store


def compute(job: SensitivityJob, site: Site) -> SensitivityRecord:
    """Measure the signals and put them into the store."""
    store = site.open_store()
    started = time.monotonic()
    with computing(job.execution) as device:
        model = open_network(store, job.base, job.spec).to(device)
        images = open_split(store, job.data, "calibration", job.execution.device)
        batches = ordered_batches(images, preprocessing_of(job.spec), job.batch)
        with fast_convolutions(model, job.execution):
            signals = measure_signals(model, prunable_layers(model), batches, hessian=job.hessian)
    return SensitivityRecord(
        artifact=_stored(signals, ("abs_gradient", "gradient"), store),
        # Apart, because hardly any job reads it: the others do not depend on whether it is there.
        curvature=_stored(signals, ("hessian_gradient",), store) if job.hessian else None,
        num_images=len(images),
        seconds=time.monotonic() - started,
    )


def _stored(signals: Signals, kinds: tuple[str, ...], store: Store) -> Artifact:
    tensors = {
        f"{kind}/{layer}": tensor.cpu().contiguous()
        for kind in kinds
        for layer, tensor in getattr(signals, kind).items()
    }
    with store.scratch() as folder:
        save_file(tensors, folder / "scores.safetensors")
        return store.put(folder / "scores.safetensors")
