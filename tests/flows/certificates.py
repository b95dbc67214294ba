"""An authority of one's own and a certificate by it: what Dask needs for ``tls://``."""

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


def write_certificates(folder):
    """Write ``ca.pem``, and ``own.pem`` and ``own.key`` of one who is known to it."""
    folder.mkdir(parents=True, exist_ok=True)
    authority, key = (
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP256R1()),
    )
    root = _signed("authority", authority.public_key(), "authority", authority, is_authority=True)
    own = _signed("cluster", key.public_key(), "authority", authority, is_authority=False)
    (folder / "ca.pem").write_bytes(root.public_bytes(Encoding.PEM))
    (folder / "own.pem").write_bytes(own.public_bytes(Encoding.PEM))
    (folder / "own.key").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return folder


def settings_of(folder, *roles):
    """Return Dask's settings by which ``roles`` use these certificates."""
    settings = {"distributed.comm.tls.ca-file": str(folder / "ca.pem")}
    for role in roles:
        settings[f"distributed.comm.tls.{role}.cert"] = str(folder / "own.pem")
        settings[f"distributed.comm.tls.{role}.key"] = str(folder / "own.key")
    return settings


def variables_of(settings):
    """Return the same settings as variables of the environment."""
    named = {name.upper().replace(".", "__").replace("-", "_"): x for name, x in settings.items()}
    return {f"DASK_{name}": value for name, value in named.items()}


def _signed(name, public_key, issuer, issuer_key, *, is_authority):
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_named(name))
        .issuer_name(_named(issuer))
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .sign(issuer_key, hashes.SHA256())
    )


def _named(name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
