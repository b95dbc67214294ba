"""One bucket, and what may be asked of it; a request is repeated while that can help."""

import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from botocore.exceptions import ClientError

from mixmatch.errors import ArtifactError
from tasks.objects.client import is_amazons, open_client
from tasks.objects.download import READS, Source, download
from tasks.objects.patience import EXISTS, MISSING, code_of, patiently
from tasks.objects.upload import Target

T = TypeVar("T")

_DIGEST, _WRITER = "sha256", "writer"  # our keys in an object's metadata
_ONLY_NEW: Mapping[str, str] = {"IfNoneMatch": "*"}
# Swift looks whether an object exists before it writes, not while: two writers that looked at one
# moment both succeed, and the later one stays. After this long the one that stays is known.
_SETTLE_S = 0.5


@dataclass(frozen=True, slots=True)
class Facts:
    """What a bucket tells of an object without sending it.

    Attributes:
        key: its name.
        size_bytes: its length.
        etag: changes with its content.
        modified: when it was written, seconds since 1970, by the server's clock.
        sha256: of its bytes as their writer stated it; None where it did not, or was not asked.
    """

    key: str
    size_bytes: int
    etag: str
    modified: float
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket, named and not yet asked for anything.

    Attributes:
        name: of the bucket.
        patience_s: how long a request that fails for a passing reason is repeated.
        part_bytes: a larger file is sent in parts of this size (S3 takes 5 MiB and more).
    """

    name: str
    patience_s: float = 120.0
    part_bytes: int = 16 << 20

    def facts(self, key: str) -> Facts | None:
        """Return what is known of an object; None where there is none."""
        found = self._head(key)
        return None if found is None else _facts(key, found, "ContentLength")

    def read(self, key: str) -> bytes | None:
        """Return the bytes of a small object; None where there is none.

        Raises:
            ArtifactError: they are not those that were written, however often they are read.
        """

        def request() -> tuple[bytes, str | None]:
            found = self._client.get_object(Bucket=self.name, Key=key)
            return found["Body"].read(), found["Metadata"].get(_DIGEST)

        what = f"GetObject of {self._shown(key)}"
        for _ in range(READS):
            answer = _unless_missing(lambda: self._patiently(request, what))
            if answer is None:
                return None
            content, stated = answer
            if stated in {None, sha256(content).hexdigest()}:
                return content
        raise ArtifactError(
            f"The object {self._shown(key)} must have the bytes that were written, of SHA-256 "
            f"{stated}, but what it holds now has another."
        )

    def write(self, key: str, content: bytes) -> None:
        """Write a small object, in place of what is there."""
        self._put(key, content, {_DIGEST: sha256(content).hexdigest()})

    def create(self, key: str, content: bytes) -> bool:
        """Write a small object unless one is there; say whether this call wrote it.

        An answer may get lost and the request be repeated; so each call signs what it writes, and
        what stands there at the end decides.
        """
        writer = uuid4().hex
        metadata = {_DIGEST: sha256(content).hexdigest(), _WRITER: writer}
        put = partial(self._put, key, content, metadata, **_ONLY_NEW)
        if _unless_there(put) and not is_amazons(self._client):
            time.sleep(_SETTLE_S)
        found = self._head(key)
        return found is not None and found["Metadata"].get(_WRITER) == writer

    def create_from(self, file: Path, key: str, digest: str) -> bool:
        """Upload ``file``, of SHA-256 ``digest``, unless there is an object; say if it was."""
        return _unless_there(partial(self._upload, file, key, digest, **_ONLY_NEW))

    def write_from(self, file: Path, key: str, digest: str) -> None:
        """Upload ``file``, of SHA-256 ``digest``, in place of what is there."""
        self._upload(file, key, digest)

    def download(self, key: str, file: Path, *, etag: str | None = None) -> str | None:
        """Write an object's bytes to ``file`` and compare them with what its writer stated.

        Args:
            key: of the object.
            file: is written.
            etag: of the content that is wanted; None: what is there.

        Returns:
            SHA-256 of the bytes; None where there is no such object.

        Raises:
            ArtifactError: the bytes are not those that were written, however often they are read,
                or the object is replaced meanwhile.
        """
        source = Source(self._client, self.name, key, etag)
        return _unless_missing(lambda: download(source, file, again=self._patiently))

    def below(self, prefix: str) -> Iterator[Facts]:
        """Yield all objects whose keys begin with ``prefix``, by key."""
        ask = partial(self._client.list_objects_v2, Bucket=self.name, Prefix=prefix)
        what = f"ListObjects of {self._shown(prefix)}"
        page = self._patiently(ask, what)
        while True:
            yield from (_facts(x["Key"], x, "Size") for x in page.get("Contents", ()))
            if not page["IsTruncated"]:
                return
            page = self._patiently(
                partial(ask, ContinuationToken=page["NextContinuationToken"]), what
            )

    def delete(self, key: str) -> None:
        """Remove an object, if there is one."""
        self._patiently(
            lambda: self._client.delete_object(Bucket=self.name, Key=key),
            f"DeleteObject of {self._shown(key)}",
        )

    @property
    def _client(self) -> Any:  # noqa: ANN401  boto3's clients are made at run time
        return open_client()

    def _put(self, key: str, content: bytes, metadata: Mapping[str, str], **condition: str) -> None:
        self._patiently(
            lambda: self._client.put_object(
                Bucket=self.name,
                Key=key,
                Body=content,
                Metadata=dict(metadata),
                ChecksumSHA256=b64encode(sha256(content).digest()).decode(),
                **condition,
            ),
            f"PutObject of {self._shown(key)}",
        )

    def _upload(self, file: Path, key: str, digest: str, **condition: str) -> None:
        """Send a file, in parts if it is large; the object then states its digest."""
        metadata = {_DIGEST: digest}
        if file.stat().st_size <= self.part_bytes:
            self._put(key, file.read_bytes(), metadata, **condition)
            return
        target = Target(self._client, self.name, key, again=self._patiently)
        target.send(file, self.part_bytes, metadata, condition)

    def _head(self, key: str) -> dict[str, Any] | None:
        def request() -> dict[str, Any]:
            found: dict[str, Any] = self._client.head_object(Bucket=self.name, Key=key)
            return found

        what = f"HeadObject of {self._shown(key)}"
        return _unless_missing(lambda: self._patiently(request, what))

    def _patiently(self, request: Callable[[], T], what: str) -> T:
        return patiently(request, what, patience_s=self.patience_s)

    def _shown(self, key: str) -> str:
        return f"s3://{self.name}/{key}"


def _unless_missing(request: Callable[[], T]) -> T | None:
    """Return what a request returns; None where it asks for an object that is not there."""
    try:
        return request()
    except ClientError as error:
        if code_of(error) in MISSING:
            return None
        raise


def _unless_there(put: Callable[[], None]) -> bool:
    """Say whether ``put``, which is for a new object only, went through."""
    try:
        put()
    except ClientError as error:
        if code_of(error) in EXISTS:
            return False
        raise
    return True


def _facts(key: str, found: Mapping[str, Any], size: str) -> Facts:
    digest = found.get("Metadata", {}).get(_DIGEST)
    etag, modified = found["ETag"].strip('"'), found["LastModified"].timestamp()
    return Facts(key, found[size], etag, modified, digest)
