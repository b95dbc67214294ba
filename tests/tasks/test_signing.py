import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from mixmatch.errors import LineageError
from tasks.signing import is_signed, sign


@pytest.fixture
def make_keys(tmp_path):
    def make(name):
        key = ec.generate_private_key(ec.SECP256R1())
        private, public = tmp_path / f"{name}.pem", tmp_path / f"{name}.pub"
        pem, spki = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        pkcs8, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        private.write_bytes(key.private_bytes(pem, pkcs8, plain))
        public.write_bytes(key.public_key().public_bytes(pem, spki))
        return private, public

    return make


def test_a_signature_holds_for_its_content_and_its_key_alone(make_keys):
    (private, public), (_, stranger) = make_keys("own"), make_keys("other")
    signature = sign(b"lineage", private)
    assert is_signed(b"lineage", signature, public)
    assert not is_signed(b"lineagE", signature, public)
    assert not is_signed(b"lineage", signature, stranger)
    assert not is_signed(b"lineage", b"{}", public)


def test_what_is_no_key_is_refused(tmp_path):
    file = tmp_path / "key.pem"
    file.write_text("no key")
    with pytest.raises(LineageError, match="MIXMATCH_SIGNING_KEY must name a PEM file"):
        sign(b"lineage", file)
