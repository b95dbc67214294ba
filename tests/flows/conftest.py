"""One real Prefect server for all tests of the flows; a module directs itself to it."""

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from flows.server import local_server
from flows.server.managed import ServerHold
from tasks.signing import PUBLIC_VARIABLE, sign
from tasks.site import Site
from tasks.tracking.evidence import version_evidence, version_files
from tasks.workspace import Workspace
from tests.flows.command import run_command
from tests.flows.tampering import created

TINY_RUN = """
name: tiny
data: {name: digits, image_size: 16}
model: {architecture: test_resnet, train: {epochs: 1}}
strategies: [conservative, aggressive]
fine_tune: {max_epochs: 1}
latency: none
engine: {workers: 1, precision: float32}
"""


@pytest.fixture(scope="session")
def server_workspace(tmp_path_factory):
    workspace = Workspace.open(tmp_path_factory.mktemp("flows"))
    hold = ServerHold(workspace)
    hold.wait()
    yield workspace
    hold.release()


@pytest.fixture(scope="module")
def server_site(server_workspace):
    with local_server(server_workspace):
        yield Site.at(server_workspace)


@pytest.fixture(scope="session")
def audited_site(tmp_path_factory):
    """A tiny family as the command registers it; tests that change it put everything back."""
    run_file = tmp_path_factory.mktemp("audit") / "run.yaml"
    run_file.write_text(TINY_RUN)
    workspace = run_file.with_name("workspace")
    outcome = run_command(workspace, run_file)
    assert outcome.exit_code == 0, outcome.stderr
    return Site.at(Workspace(workspace))


@pytest.fixture(scope="module")
def version(site):
    """What the registry says of the smallest version in the ``site`` of the module that asks."""
    return version_evidence(site, "tiny@smallest")


@pytest.fixture(scope="module")
def papers(site, version):
    """Return the folder with the files of that version."""
    with version_files(site, version.reference) as folder:
        return folder


@pytest.fixture
def signed(papers, tmp_path, monkeypatch):
    """Sign the version's lineage, and configure the public key."""
    key = ec.generate_private_key(ec.SECP256R1())
    private, public = tmp_path / "own.pem", tmp_path / "own.pub"
    pem, spki = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    pkcs8, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    private.write_bytes(key.private_bytes(pem, pkcs8, plain))
    public.write_bytes(key.public_key().public_bytes(pem, spki))
    monkeypatch.setenv(PUBLIC_VARIABLE, str(public))
    content = sign((papers / "lineage.json").read_bytes(), private)
    with created(papers / "lineage.json.sig", content):
        yield
