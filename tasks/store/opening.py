"""A store by its address."""

from hashlib import sha256
from pathlib import Path

from mixmatch.errors import StorageError, WorkspaceError
from mixmatch.s3_address import S3Address, is_s3
from tasks.store.folder import FolderStore
from tasks.store.store import Store

_PATIENCE_S = 30.0  # of the first look: an address may be misspelt


def open_store(address: str, cache: Path, patience_s: float = 120.0) -> Store:
    """Return the store at ``address``, without asking it for anything.

    Args:
        address: absolute folder, or ``s3://BUCKET/PREFIX``.
        cache: folder on this machine below which a bucket's files are kept once they were read.
        patience_s: how long a bucket's server may be away.

    Raises:
        ValueError: it is a wrong address of a bucket.
    """
    if not is_s3(address):
        return FolderStore(Path(address))
    from tasks.objects import Bucket  # noqa: PLC0415  boto3 is slow to load
    from tasks.store.bucket import BucketStore  # noqa: PLC0415  likewise

    place = S3Address.parse(address)
    own = cache / sha256(str(place).encode()).hexdigest()[:16]
    return BucketStore(Bucket(place.bucket, patience_s=patience_s), place.key, FolderStore(own))


def check_bucket(address: str) -> str:
    """Return the address of a bucket in its usual form, after a look whether it can be a store.

    Writes one small object there, the first time.

    Raises:
        WorkspaceError: it is a wrong address, there is no such bucket, or it may not be used.
        ServiceError: its server does not answer.
    """
    from tasks.objects import Bucket  # noqa: PLC0415  boto3 is slow to load
    from tasks.store.bucket import check  # noqa: PLC0415  likewise

    try:
        place = S3Address.parse(address)
    except ValueError as error:
        raise WorkspaceError(f"store {error}.") from error
    try:
        check(Bucket(place.bucket, patience_s=_PATIENCE_S), place.key)
    except StorageError as error:
        raise WorkspaceError(
            f"store must be a bucket that can be read and written, got {str(place)!r}: {error}"
        ) from error
    return str(place)
