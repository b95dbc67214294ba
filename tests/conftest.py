"""A real object store for all tests that need one, started by the first of them."""

from uuid import uuid4

import pytest

from tests.swift import BUCKET, Swift


@pytest.fixture(scope="session")
def swift(tmp_path_factory):
    server = Swift(tmp_path_factory.mktemp("swift"))
    try:
        server.start()
        server.client.create_bucket(Bucket=BUCKET)
        yield server
    finally:
        server.stop()


@pytest.fixture
def s3_place(swift, monkeypatch):
    """An address below which nothing is; the SDK of this process finds its server."""
    for name, value in swift.environment.items():
        monkeypatch.setenv(name, value)
    return f"s3://{BUCKET}/{uuid4().hex}"
