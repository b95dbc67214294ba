"""An object's bytes on this machine, compared with what is known of them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from botocore.exceptions import ClientError

from mixmatch.errors import ArtifactError
from tasks.objects.patience import EXISTS, FAILURES, Again, code_of

_CHUNK_BYTES = 1 << 20
READS = 3  # of an object whose bytes are not what they should be, before it is called damaged
_MD5_LENGTH = 32


@dataclass(frozen=True, slots=True)
class Source:
    """An object to be read.

    Attributes:
        client: boto3's.
        bucket: its name.
        key: of the object.
        etag: of the content that is wanted; None: what is there.
    """

    client: Any
    bucket: str
    key: str
    etag: str | None = None

    def open(self, start: int, etag: str | None) -> Mapping[str, Any]:
        """Ask for the bytes from ``start``, of the content with this ``etag`` if it is known."""
        rest = {"Range": f"bytes={start}-"} if start else {}
        if wanted := etag or self.etag:
            rest["IfMatch"] = f'"{wanted}"'
        found: Mapping[str, Any] = self.client.get_object(Bucket=self.bucket, Key=self.key, **rest)
        return found

    def __str__(self) -> str:
        """Write its address."""
        return f"s3://{self.bucket}/{self.key}"


def download(source: Source, file: Path, *, again: Again) -> str:
    """Write an object to ``file``, and return the SHA-256 of its bytes.

    A broken connection is taken up at the byte where it broke. The bytes are compared with the
    SHA-256 that the object's writer stated, else with its ETag where that is their MD5.

    Raises:
        ArtifactError: they differ, however often they are read, or the object is replaced
            meanwhile.
        ClientError: there is no such object.
    """
    for _ in range(READS):
        with file.open("wb") as opened:
            arrival = _Arrival(opened)
            _fill(arrival, source, again)
        if arrival.is_sound:
            return str(arrival.sha256.hexdigest())
    raise ArtifactError(
        f"The object {source} must have the bytes that were written, but what it holds now has "
        f"another checksum (SHA-256 {arrival.sha256.hexdigest()})."
    )


def _fill(arrival: "_Arrival", source: Source, again: Again) -> None:
    try:
        again(lambda: arrival.fill(source), f"GetObject of {source}")
    except ClientError as error:
        if code_of(error) not in EXISTS:
            raise
        raise ArtifactError(
            f"The object {source} must stay what it is while it is read, and was replaced; run "
            "again."
        ) from error


@dataclass(slots=True)
class _Arrival:
    """What has arrived so far."""

    opened: BinaryIO
    size: int = 0
    num_bytes: int | None = None  # None: nothing is known yet
    etag: str | None = None
    stated: str | None = None
    sha256: Any = field(default_factory=hashlib.sha256)
    md5: Any = None

    def fill(self, source: Source) -> None:
        """Take up where the last attempt ended."""
        if self.size == self.num_bytes:
            return
        response = source.open(self.size, self.etag)
        if self.num_bytes is None:
            self._begin(response)
        try:
            for chunk in response["Body"].iter_chunks(_CHUNK_BYTES):
                self._take(chunk)
        except FAILURES:
            response["Body"].close()
            raise

    @property
    def is_sound(self) -> bool:
        """Say whether the bytes are those that are known of, if anything is."""
        if self.stated is not None:
            return bool(self.sha256.hexdigest() == self.stated)
        return self.md5 is None or bool(self.md5.hexdigest() == self.etag)

    def _begin(self, response: Mapping[str, Any]) -> None:
        self.num_bytes = response["ContentLength"]
        self.etag = response["ETag"].strip('"')
        self.stated = response["Metadata"].get("sha256")
        if self.stated is None and _is_md5(response, self.etag):
            self.md5 = hashlib.md5(usedforsecurity=False)

    def _take(self, chunk: bytes) -> None:
        self.opened.write(chunk)
        self.size += len(chunk)
        self.sha256.update(chunk)
        if self.md5 is not None:
            self.md5.update(chunk)


def _is_md5(response: Mapping[str, Any], etag: str) -> bool:
    """Say whether the ETag is the MD5 of the bytes: not of parts, nor of what a key encrypts."""
    is_encrypted = str(response.get("ServerSideEncryption", "AES256")) != "AES256"
    return len(etag) == _MD5_LENGTH and not is_encrypted and "SSECustomerAlgorithm" not in response
