"""Where things are, in OpenLineage's terms: a namespace, and a name that is unique in it.

Files and buckets follow OpenLineage's naming rules; it has none for registries and stores.
"""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from mixmatch.addresses import bare
from mixmatch.s3_address import S3Address, is_s3
from tasks.checkpoint import PRETRAINED, LocatedCheckpoint
from tasks.data import EMBEDDED, LocatedData
from tasks.store import object_name

_OWN = "mixmatch"  # of what has no place outside of this project


@dataclass(frozen=True, slots=True)
class Place:
    """A data set's identity.

    Attributes:
        namespace: for example ``file`` or ``s3://BUCKET``.
        name: unique in it.
    """

    namespace: str
    name: str


def place_of(source: str) -> Place:
    """Place a file or folder, an object in a bucket, or an address of the web."""
    if is_s3(source):
        address = S3Address.parse(source)
        return Place(f"s3://{address.bucket}", address.key or "/")
    parts = urlsplit(bare(source))
    if parts.scheme and parts.netloc:
        return Place(f"{parts.scheme}://{parts.netloc}", parts.path.lstrip("/") or "/")
    return Place("file", str(Path(source)))


def data_place(name: str, data: LocatedData) -> Place:
    """Place a data set; ``name`` is what the run file calls it."""
    source = data.source
    return Place(_OWN, f"data/{name}") if source == EMBEDDED else place_of(source)


def checkpoint_place(checkpoint: LocatedCheckpoint, registry: str) -> Place:
    """Place trained weights; ``registry`` is the address of MLflow's."""
    kind, _, name = checkpoint.label.partition(":")
    if kind == PRETRAINED and name:
        return Place(PRETRAINED, name)
    if checkpoint.label.startswith("models:/"):
        return Place(bare(registry), checkpoint.label)
    if is_s3(checkpoint.label) or checkpoint.path is None:
        return place_of(checkpoint.label)
    return place_of(checkpoint.path)


def stored_place(store: str, digest: str) -> Place:
    """Place a file of the artifact store."""
    return place_of(f"{store}/{object_name(digest)}")


def version_place(registry: str, name: str, version: int) -> Place:
    """Place a registered version; a run that starts from it names it alike."""
    return Place(bare(registry), f"models:/{name}/{version}")
