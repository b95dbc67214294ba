"""Signatures by a local key, written and checked by ``model-signing`` without any network.

The private key is a PEM file of an elliptic curve (P-256, P-384, P-521) that MIXMATCH_SIGNING_KEY
names, with MIXMATCH_SIGNING_KEY_PASSWORD where it is encrypted; the public one MIXMATCH_PUBLIC_KEY.
"""

import os
import tempfile
from pathlib import Path
from typing import Any

from mixmatch.errors import LineageError

KEY_VARIABLE = "MIXMATCH_SIGNING_KEY"
PASSWORD_VARIABLE = "MIXMATCH_SIGNING_KEY_PASSWORD"
PUBLIC_VARIABLE = "MIXMATCH_PUBLIC_KEY"

_SIGNED_NAME = "lineage.json"  # a signature covers names too


def sign_if_configured(content: bytes) -> bytes | None:
    """Sign a lineage file's content; None where no key is configured.

    Raises:
        LineageError: the key cannot be read, or is of another kind.
    """
    key = os.environ.get(KEY_VARIABLE)
    return sign(content, Path(key)) if key else None


def sign(content: bytes, key: Path) -> bytes:
    """Return the signature of a lineage file's content, a Sigstore bundle.

    Raises:
        LineageError: the key cannot be read, or is of another kind.
    """
    from model_signing.signing import Config  # noqa: PLC0415  takes a second to load

    make: Any = Config  # without types
    password: Any = (os.environ.get(PASSWORD_VARIABLE) or "").encode() or None
    with tempfile.TemporaryDirectory() as scratch:
        model, signature = _model(Path(scratch), content), Path(scratch) / "signature"
        try:
            signer = make().use_elliptic_key_signer(private_key=key, password=password)
            signer.sign(model, signature)
        except (OSError, ValueError, TypeError) as error:
            raise LineageError(
                f"{KEY_VARIABLE} must name a PEM file with a private key of an elliptic curve, got "
                f"{key.name} ({type(error).__name__})."
            ) from error
        return signature.read_bytes()


def configured_public_key() -> Path | None:
    """Return the public key that signatures are checked with; None where none is configured."""
    key = os.environ.get(PUBLIC_VARIABLE)
    return Path(key) if key else None


def is_signed(content: bytes, signature: bytes, public_key: Path) -> bool:
    """Say whether ``signature`` is of exactly this content and by the key's owner.

    Raises:
        LineageError: the public key cannot be read.
    """
    from model_signing.verifying import Config  # noqa: PLC0415  takes a second to load

    make: Any = Config  # without types
    try:
        verifier = make().use_elliptic_key_verifier(public_key=public_key)
    except (OSError, ValueError) as error:
        raise LineageError(
            f"{PUBLIC_VARIABLE} must name a PEM file with a public key of an elliptic curve, got "
            f"{public_key.name} ({type(error).__name__})."
        ) from error
    with tempfile.TemporaryDirectory() as scratch:
        model, file = _model(Path(scratch), content), Path(scratch) / "signature"
        file.write_bytes(signature)
        try:
            verifier.verify(model, file)
        except Exception:  # whatever a forged bundle makes the parser raise: it is not valid
            return False
    return True


def _model(scratch: Path, content: bytes) -> Path:
    folder = scratch / "model"
    folder.mkdir()
    (folder / _SIGNED_NAME).write_bytes(content)
    return folder
