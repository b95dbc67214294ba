"""A real run with a distinctive secret at every place where one can enter; none is written down."""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests import postgres
from tests.swift import BUCKET, PLANTED

pytestmark = pytest.mark.service

SECRETS = {
    "s3 key": "test:planted",
    "s3 secret": PLANTED,
    "mlflow user": "planted-user-of-mlflow-03aa",
    "mlflow password": "planted-of-mlflow-91b2",
    "postgresql": "planted-of-postgresql-5d0e",
    "prefect": "planted-of-prefect-c8e4",
    "signing key": "planted-of-the-key-20fd",
    "webhook": "planted-of-the-webhook-6a39",
    "openlineage": "planted-of-openlineage-e417",
}
RUN_FILE = f"""
name: planted
data: {{name: digits, image_size: 16}}
model: {{architecture: test_resnet, train: {{epochs: 1}}}}
strategies: [conservative, aggressive]
fine_tune: {{max_epochs: 0}}
quantize: none
latency: none
engine: {{workers: 1, precision: float32}}
notify: ["${{PLANTED_HOOK}}"]
store: s3://{BUCKET}/planted
"""


@pytest.fixture(scope="module")
def listener():
    """What webhook and OpenLineage reach: hears everything, and refuses it."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.server.heard.append((self.path, self.headers["Authorization"], body))
            self.send_response(403)
            self.end_headers()

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.heard = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """The address of a PostgreSQL for MLflow, with a password in it."""
    with postgres.running(tmp_path_factory.mktemp("database")) as address:
        yield address.replace("@", f":{SECRETS['postgresql']}@", 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The run file, a key that a password protects, and the workspace."""
    folder = tmp_path_factory.mktemp("planted")
    (folder / "run.yaml").write_text(RUN_FILE)
    password = SECRETS["signing key"].encode()
    key, pem = ec.generate_private_key(ec.SECP256R1()), serialization.Encoding.PEM
    protected = serialization.BestAvailableEncryption(password)
    content = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, protected)
    (folder / "key.pem").write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def environment(swift, listener, database, folder):
    here = f"http://127.0.0.1:{listener.server_port}"
    return {
        **os.environ,
        **swift.environment,
        "AWS_ACCESS_KEY_ID": SECRETS["s3 key"],
        "AWS_SECRET_ACCESS_KEY": SECRETS["s3 secret"],
        "MLFLOW_TRACKING_URI": database,
        "MLFLOW_TRACKING_USERNAME": SECRETS["mlflow user"],
        "MLFLOW_TRACKING_PASSWORD": SECRETS["mlflow password"],
        "PREFECT_API_AUTH_STRING": f"admin:{SECRETS['prefect']}",
        "MIXMATCH_SIGNING_KEY": str(folder / "key.pem"),
        "MIXMATCH_SIGNING_KEY_PASSWORD": SECRETS["signing key"],
        "PLANTED_HOOK": f"{here}/{SECRETS['webhook']}",
        "OPENLINEAGE_URL": here,
        "OPENLINEAGE_API_KEY": SECRETS["openlineage"],
        "MIXMATCH_HOME": str(folder / "workspace"),
    }


@pytest.fixture(scope="module")
def outcomes(environment, folder):
    """What the commands that read and write all of it came to, by name."""
    program = str(Path(sys.executable).with_name("mixmatch"))
    commands = {
        "run": ["run", "run.yaml", "--json"],
        "show": ["show", "planted@smallest", "--json"],
        "audit": ["audit", "planted@smallest", "--json", "--html", "audit.html"],
        "doctor": ["doctor", "--json"],
    }
    return {
        name: subprocess.run(
            [program, *arguments],
            env=environment,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        for name, arguments in commands.items()
    }


def found_in(written):
    return [
        (place, what)
        for place, content in written.items()
        for what, secret in SECRETS.items()
        if secret.encode() in content
    ]


def test_every_secret_was_used(outcomes, listener, folder):
    run = outcomes["run"]
    assert run.returncode == 0, run.stderr
    summary = json.loads(run.stdout.splitlines()[-1])
    hook, lineage = summary["warnings"]
    assert hook.endswith("was not told of mixmatch.front.new: it answered 403.")
    assert lineage == "OpenLineage was not told of the run's START: it answered 403."
    paths = [path for path, _, _ in listener.heard]
    assert paths == ["/api/v1/lineage", f"/{SECRETS['webhook']}", "/api/v1/lineage"]
    assert listener.heard[0][1] == f"Bearer {SECRETS['openlineage']}"
    assert list((folder / "workspace").rglob("lineage.json.sig"))
    assert outcomes["audit"].returncode == 0, outcomes["audit"].stderr


def test_nothing_that_was_printed_or_sent_holds_a_secret(outcomes, listener):
    streams = {name: (x.stdout + x.stderr).encode() for name, x in outcomes.items()}
    bodies = {f"to {path}": body for path, _, body in listener.heard}
    assert found_in(streams | bodies) == []


def test_no_file_here_and_no_object_in_the_bucket_holds_a_secret(outcomes, folder, swift):
    files = [x for x in folder.rglob("*") if x.is_file()]
    written = {str(x): x.read_bytes() for x in files}
    assert any(name.endswith("prefect.db") for name in written)
    listed = swift.client.list_objects_v2(Bucket=BUCKET, Prefix="planted/")["Contents"]
    for key in (x["Key"] for x in listed):
        written[key] = swift.client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    assert found_in(written) == []


def test_mlflows_database_holds_no_secret(outcomes, database):
    dump = subprocess.run(
        [postgres.program("pg_dump"), database], capture_output=True, check=True
    ).stdout
    assert b"planted" in dump
    assert found_in({"database": dump}) == []
