"""What all records share, and the smallest of them."""

from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION = 1


class Record(BaseModel):
    """Base of all records: frozen, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    def artifacts(self) -> Iterator["Artifact"]:
        """Yield every artifact that this record names."""
        for _, value in self:
            if isinstance(value, Artifact):
                yield value


class Artifact(Record):
    """A file in the artifact store.

    Attributes:
        digest: SHA-256 of its bytes, 64 hexadecimal characters; also its name in the store.
        size_bytes: its length on disk.
    """

    digest: str
    size_bytes: int


class Execution(Record):
    """How arithmetic is done: part of every digest, because it decides the last bits.

    Follows from settings and the machine's capabilities, never from a timing.

    Attributes:
        device: ``cpu`` or ``cuda``, with the index left out: equal devices compute alike.
        precision: ``float32`` or ``bfloat16`` (autocast), for training and evaluation.
        threads: threads of one process on CPU; 0 on an accelerator.
        small_convolutions: ``products`` where matrix products replace the library's kernels on
            small images (every CPU), or ``native``.
        versions: of torch and timm, which decide the last bits too.
        compiled: whether trainings run through ``torch.compile``. Left out of the record where it
            is false, so that the setting changes no key but its own.
    """

    device: str
    precision: str
    threads: int
    small_convolutions: str
    versions: dict[str, str]
    compiled: bool = Field(False, exclude_if=lambda compiled: not compiled)


class Accuracy(Record):
    """Top-1 accuracy on one set of images.

    Attributes:
        num_correct: images whose class was predicted.
        num_images: images evaluated.
        value: ``num_correct / num_images``, a fraction.
        low: lower end of the 95 % Wilson interval, a fraction.
        high: upper end of it, a fraction.
        loss: mean cross-entropy.
        correct_bits: one bit per image, in order, packed big-endian (``numpy.packbits``), base64.
    """

    num_correct: int
    num_images: int
    value: float
    low: float
    high: float
    loss: float
    correct_bits: str
