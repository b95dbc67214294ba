"""Whether an ONNX file computes what the network in torch computes, on real images.

Shape suffixes: N images, K classes.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mixmatch.errors import ArtifactError
from mixmatch.evaluation import evaluating
from mixmatch.images import ImageSet, Preprocessing, ordered_batches
from mixmatch.records import ModelSpec
from tasks.export_summary import Agreement
from tasks.onnx_files.images import pixels
from tasks.onnx_files.session import OnnxNetwork

# Largest deviation of a float32 file. Both compute in float32 but sum up in another order; the
# networks that we looked at deviate by 1e-7 to 1e-5. A class can then differ only where torch's
# best two logits are closer than twice that, which decides nothing.
TOLERANCE = 1e-4

_BATCH = 128


def measure_agreement(
    model: nn.Module, network: OnnxNetwork, images: ImageSet, spec: ModelSpec
) -> Agreement:
    """Compare ``model``, on the CPU, with its ONNX file on ``images``; the model's mode is kept."""
    ours_NK, theirs_NK = _torch_logits(model, images, spec), _onnx_logits(network, images)
    ours_N, theirs_N = ours_NK.argmax(axis=1), theirs_NK.argmax(axis=1)
    labels_N = images.labels.cpu().numpy()
    difference, largest = np.abs(theirs_NK - ours_NK).max(), np.abs(ours_NK).max()
    return Agreement(
        num_images=len(images),
        same_class=float((ours_N == theirs_N).mean()),
        accuracy_torch=float((ours_N == labels_N).mean()),
        accuracy_onnx=float((theirs_N == labels_N).mean()),
        # A network that gives zeros only has no scale of its own.
        deviation=float(difference / largest if largest else difference),
    )


def check_agreement(agreement: Agreement) -> None:
    """Check that a float32 file gives torch's logits up to rounding.

    Raises:
        ArtifactError: its logits deviate by more than ``TOLERANCE``, or are no numbers.
    """
    if not agreement.deviation <= TOLERANCE:  # written so that NaN is refused
        raise ArtifactError(
            f"An ONNX file must give the logits of the network in torch within {TOLERANCE} of the "
            f"largest, but on {agreement.num_images} validation images they deviate by "
            f"{agreement.deviation:.3g}, with the same class for {agreement.same_class:.2%}."
        )


def _torch_logits(model: nn.Module, images: ImageSet, spec: ModelSpec) -> NDArray[np.float32]:
    batches = ordered_batches(images, Preprocessing(spec.mean, spec.std), _BATCH)
    with evaluating(model), torch.inference_mode():
        logits: NDArray[np.float32] = torch.cat([model(batch) for batch, _ in batches()]).numpy()
    return logits


def _onnx_logits(network: OnnxNetwork, images: ImageSet) -> NDArray[np.float32]:
    starts = range(0, len(images), _BATCH)
    parts = [network(pixels(images.images[start : start + _BATCH])) for start in starts]
    return np.concatenate(parts)
