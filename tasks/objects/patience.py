"""Requests that are made again while their failure can pass by itself."""

import time
from collections.abc import Callable, Iterator
from random import SystemRandom
from typing import Protocol, TypeVar

from botocore import exceptions as sdk
from botocore.exceptions import BotoCoreError, ClientError

from mixmatch.addresses import masked
from mixmatch.errors import ServiceError, StorageError

T = TypeVar("T")

FAILURES = (BotoCoreError, ClientError)
# Answers that callers ask for: no such object, there is one (or another), the upload has ended.
MISSING = frozenset({"404", "NoSuchKey", "NotFound"})
EXISTS = frozenset({"412", "PreconditionFailed"})
ENDED = frozenset({"NoSuchUpload"})

_FIRST_S, _LONGEST_S = 0.25, 8.0
_BROKEN = (
    *(sdk.ConnectionError, sdk.HTTPClientError),
    *(sdk.IncompleteReadError, sdk.FlexibleChecksumError),
)
_UNKNOWN = (*(sdk.NoCredentialsError, sdk.PartialCredentialsError, sdk.CredentialRetrievalError),)
_PASSING_STATUS = {408, 429}  # beside all from 500 on
_PASSING_CODES = {
    *("RequestTimeout", "SlowDown", "Throttling", "ThrottlingException", "OperationAborted"),
    "ConditionalRequestConflict",  # another one writes this key at this moment
    *("BadDigest", "XAmzContentSHA256Mismatch"),  # the body was damaged on its way
}
_random = SystemRandom()  # of its own: what seeds decide must not depend on the weather


class Again(Protocol):
    """Repeats a request while its failure can pass by itself."""

    def __call__(self, request: Callable[[], T], what: str) -> T:
        """Return what ``request`` returns; ``what`` names it in messages."""


def patiently(request: Callable[[], T], what: str, *, patience_s: float) -> T:
    """Return what ``request`` returns; repeat it, with growing pauses, while it cannot be served.

    Args:
        request: repeatable; raises one of ``FAILURES``.
        what: names operation and address, for messages.
        patience_s: no new attempt begins later than this after the first.

    Raises:
        ServiceError: no answer in that time.
        StorageError: the server refuses: no access, no such bucket, no credentials.
        ClientError: an answer of ``MISSING``, ``EXISTS`` or ``ENDED``, for the caller to read.
    """
    end = time.monotonic() + patience_s
    for pause in _pauses():
        try:
            return request()
        except FAILURES as error:
            if isinstance(error, ClientError) and code_of(error) in MISSING | EXISTS | ENDED:
                raise
            if not _can_pass(error):
                raise _refusal(error, what) from error
            if time.monotonic() + pause > end:
                raise ServiceError(
                    f"The object store must answer {what}, and did not for {patience_s:g} s "
                    f"({_reason(error)})."
                ) from error
        time.sleep(pause)
    raise AssertionError("pauses never end")


def code_of(error: ClientError) -> str:
    """Return the server's word for an error: ``NoSuchKey``, or the status where it sends none."""
    return str(error.response.get("Error", {}).get("Code", ""))


def _pauses() -> Iterator[float]:
    longest = _FIRST_S
    while True:
        yield _random.uniform(longest / 2, longest)
        longest = min(2 * longest, _LONGEST_S)


def _can_pass(error: Exception) -> bool:
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        is_server = status >= 500 and code_of(error) != "NotImplemented"
        return is_server or status in _PASSING_STATUS or code_of(error) in _PASSING_CODES
    return isinstance(error, _BROKEN) and not isinstance(error, sdk.SSLError)


def _refusal(error: Exception, what: str) -> StorageError:
    """Return what to raise for a failure that will not pass."""
    if isinstance(error, ClientError):
        return StorageError(f"The object store refuses {what} ({_reason(error)}).")
    if isinstance(error, _UNKNOWN):
        return StorageError(
            f"Credentials for {what} must be in the environment (AWS_ACCESS_KEY_ID) or where else "
            f"the SDK looks ({_reason(error)})."
        )
    return StorageError(f"The object store must be able to answer {what} ({_reason(error)}).")


def _reason(error: Exception) -> str:
    if isinstance(error, ClientError):
        detail = str(error.response.get("Error", {}).get("Message", "")).rstrip(".")
        return f"{code_of(error)}: {detail}" if detail else code_of(error)
    return masked(str(error)).rstrip(".")
