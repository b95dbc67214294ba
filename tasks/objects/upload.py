"""A large file sent in parts, each of which is repeated by itself."""

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from tasks.objects.client import is_amazons
from tasks.objects.patience import ENDED, FAILURES, Again, code_of

_MOST_PARTS = 10_000  # that S3 takes
_THREADS = 4  # each holds one part in memory


@dataclass(frozen=True, slots=True)
class Target:
    """An object to be written.

    Attributes:
        client: boto3's.
        bucket: its name.
        key: of the object.
        again: repeats a request while its failure can pass by itself.
    """

    client: Any
    bucket: str
    key: str
    again: Again

    def send(
        self,
        file: Path,
        part_bytes: int,
        metadata: Mapping[str, str],
        condition: Mapping[str, str],
    ) -> None:
        """Write ``file`` to the object, which appears whole at the end or not at all.

        Raises:
            ClientError: ``condition`` does not hold.
            ServiceError: the server does not answer.
            StorageError: it refuses.
        """
        created = self._ask("create_multipart_upload", Metadata=metadata, **self._checksums())
        upload = {"UploadId": created["UploadId"]}
        try:
            parts = self._send_parts(file, part_bytes, upload)
            self._complete(parts, **upload, **condition)
        except BaseException:
            # What is left of a failed upload costs its owner, but the failure is what counts.
            with suppress(*FAILURES):
                self.client.abort_multipart_upload(Bucket=self.bucket, Key=self.key, **upload)
            raise

    def _send_parts(
        self, file: Path, part_bytes: int, upload: Mapping[str, str]
    ) -> list[dict[str, object]]:
        size = file.stat().st_size
        part_bytes = max(part_bytes, -(-size // _MOST_PARTS))
        send = partial(self._send_part, file, part_bytes, upload)
        with ThreadPoolExecutor(_THREADS) as threads:
            return list(threads.map(send, range(-(-size // part_bytes))))

    def _send_part(
        self, file: Path, part_bytes: int, upload: Mapping[str, str], place: int
    ) -> dict[str, object]:
        with file.open("rb") as opened:
            opened.seek(place * part_bytes)
            body = opened.read(part_bytes)
        part: dict[str, object] = {"PartNumber": place + 1}
        if self._checksums():
            part["ChecksumSHA256"] = b64encode(hashlib.sha256(body).digest()).decode()
        answer = self._ask("upload_part", Body=body, **upload, **part)
        return {**part, "ETag": answer["ETag"]}

    def _complete(self, parts: list[dict[str, object]], **arguments: str) -> None:
        try:
            self._ask("complete_multipart_upload", MultipartUpload={"Parts": parts}, **arguments)
        except ClientError as error:
            if code_of(error) not in ENDED:  # by an attempt whose answer was lost
                raise

    def _checksums(self) -> dict[str, str]:
        """Return how the object is to keep the checksums of its parts.

        Not every compatible server can; with all of them the signature of a part covers its
        SHA-256 too.
        """
        return {"ChecksumAlgorithm": "SHA256"} if is_amazons(self.client) else {}

    def _ask(self, operation: str, **arguments: object) -> dict[str, Any]:
        request = getattr(self.client, operation)

        def ask() -> dict[str, Any]:
            answer: dict[str, Any] = request(Bucket=self.bucket, Key=self.key, **arguments)
            return answer

        return self.again(ask, f"{operation} of s3://{self.bucket}/{self.key}")
