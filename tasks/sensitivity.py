"""The sensitivity pass: gradients and GraSP's Hessian-gradient product, measured once, stored."""

import time

from safetensors.torch import save_file

from mixmatch.execution import computing, fast_training
from mixmatch.images import ordered_batches
from mixmatch.layers import prunable_layers
from mixmatch.records import SensitivityRecord
from mixmatch.signals import measure_signals
from tasks.jobs import SensitivityJob
from tasks.networks import SIGNALS, open_network, open_split, preprocessing_of
from tasks.site import Site


def compute(job: SensitivityJob, site: Site) -> SensitivityRecord:
    """Measure the signals and put them into the store."""
    store = site.open_store()
    started = time.monotonic()
    with computing(job.execution) as device:
        model = open_network(store, job.base, job.spec).to(device)
        images = open_split(store, job.data, "calibration", job.execution.device)
        batches = ordered_batches(images, preprocessing_of(job.spec), job.batch)
        with fast_training(model, job.execution):
            signals = measure_signals(model, prunable_layers(model), batches, hessian=job.hessian)
    tensors = {
        f"{signal}/{layer}": tensor.cpu().contiguous()
        for signal in SIGNALS
        for layer, tensor in getattr(signals, signal).items()
    }
    with store.scratch() as folder:
        save_file(tensors, folder / "scores.safetensors")
        artifact = store.put(folder / "scores.safetensors")
    return SensitivityRecord(
        artifact=artifact, num_images=len(images), seconds=time.monotonic() - started
    )
