"""One boto3 client per process and environment."""

import os
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from mixmatch.addresses import masked
from mixmatch.errors import StorageError

_AMAZON = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")
_CONNECT_S, _READ_S = 10, 60
_ATTEMPTS = 3  # of botocore, at once; what takes longer is waited for by ``patiently``
_CONNECTIONS = 16


def open_client() -> Any:  # noqa: ANN401  boto3's clients are made at run time
    """Return the client for the environment as it is now; threads may share it.

    Raises:
        StorageError: the SDK's configuration is wrong.
    """
    variables = sorted((k, v) for k, v in os.environ.items() if k.startswith("AWS_"))
    return _client(os.getpid(), tuple(variables))


def is_amazons(client: Any) -> bool:  # noqa: ANN401  as above
    """Say whether the client speaks to Amazon rather than to a compatible server."""
    host = urlsplit(client.meta.endpoint_url).hostname or ""
    return host.endswith(_AMAZON)


@lru_cache(maxsize=4)
def _client(process: int, variables: tuple[tuple[str, str], ...]) -> Any:  # noqa: ANN401  as above
    del process, variables  # of a forked process, connections are another's
    client = _made()
    return client if is_amazons(client) else _made_for_others()


def _made_for_others() -> Any:  # noqa: ANN401  as above
    """Return a client that asks no more than what every compatible server understands."""
    return _made(
        {"addressing_style": "path"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )


def _made(s3: dict[str, object] | None = None, **options: str) -> Any:  # noqa: ANN401  as above
    import boto3  # noqa: PLC0415  only a run with an object store loads it
    from botocore.config import Config  # noqa: PLC0415  likewise
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415  likewise

    config = Config(
        signature_version="s3v4",
        # The signature then covers the SHA-256 of the body, which the server compares.
        s3={"payload_signing_enabled": True, **(s3 or {})},
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        connect_timeout=_CONNECT_S,
        read_timeout=_READ_S,
        max_pool_connections=_CONNECTIONS,
        **options,
    )
    try:
        # A session of its own: boto3's default one is not safe for threads.
        return boto3.session.Session().client("s3", config=config)
    except (BotoCoreError, ValueError) as error:  # the latter: an endpoint that is no address
        # Without its cause, which shows the endpoint as it was set.
        raise StorageError(
            f"The SDK's configuration of S3 must be usable: {masked(str(error))}."
        ) from None
