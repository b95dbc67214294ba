"""What part a layer plays in its network. Free of torch, so that plans can be read without it."""

from dataclasses import dataclass
from enum import StrEnum


class LayerRole(StrEnum):
    """The part a layer plays; limits and strategies depend on this, never on its name."""

    NORMALIZATION = "normalization"
    STEM = "stem"
    PATCH_EMBEDDING = "patch_embedding"
    DOWNSAMPLE = "downsample"
    ATTENTION_QKV = "attention_qkv"
    ATTENTION_PROJECTION = "attention_projection"
    MLP = "mlp"
    CONVOLUTION = "convolution"
    CLASSIFIER = "classifier"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class PrunableLayer:
    """One weight tensor that may be pruned.

    Attributes:
        name: dotted module path, for example ``"layer4.1.conv2"``; a packed in-projection is
            ``"PATH.in_proj_weight"``.
        role: the part it plays.
        index: its place in registration order, 0 to L-1.
        depth: ``index / (L - 1)``, 0 (first) to 1 (last); 0 when there is one layer.
        shape: shape of its weight tensor.
        num_weights: entries of its weight tensor; biases are not counted.
    """

    name: str
    role: LayerRole
    index: int
    depth: float
    shape: tuple[int, ...]
    num_weights: int
