"""What an export tells about the file that it wrote."""

from mixmatch.records import Record


class Agreement(Record):
    """How the network in torch and an ONNX file of it answer to the same images.

    Attributes:
        num_images: validation images that both were given.
        same_class: fraction of them for which both give the same class.
        accuracy_torch: top-1 of the network in torch, with float32 weights, a fraction.
        accuracy_onnx: top-1 of the ONNX file, a fraction.
        deviation: largest difference of two logits / largest magnitude of one of torch's.
    """

    num_images: int
    same_class: float
    accuracy_torch: float
    accuracy_onnx: float
    deviation: float


class ExportSummary(Record):
    """What ``mixmatch export --json`` prints; keys may be added, never renamed or removed.

    Attributes:
        name: registered name.
        version: its number.
        format: a key of ``FORMATS``.
        file: absolute path of the file that was written.
        bytes: its length.
        digest: SHA-256 of its bytes.
        packed_digest: SHA-256 of the registry's packed file, which was checked.
        values: kind of the values that a packed file was written anew with; None: not written anew.
        agreement: of an ONNX file with the network in torch; None for other formats.
    """

    name: str
    version: int
    format: str
    file: str
    bytes: int
    digest: str
    packed_digest: str
    values: str | None = None
    agreement: Agreement | None = None
