"""An endpoint with credentials in it: what goes wrong is said without them."""

import traceback

import pytest

from mixmatch.errors import ServiceError, StorageError
from tasks.objects import Bucket
from tasks.objects.client import open_client


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


def test_an_endpoint_that_is_none_is_shown_without_them(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://me:hunter2@@:bad")
    with pytest.raises(StorageError, match=r"Invalid endpoint: http://\*\*\*@:bad\.$") as raised:
        open_client()
    assert "hunter2" not in "".join(traceback.format_exception(raised.value))


def test_a_server_that_does_not_answer_is_shown_without_them(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://me:hunter2@127.0.0.1:9")
    with pytest.raises(ServiceError, match=r"http://\*\*\*@127\.0\.0\.1:9/shelf") as raised:
        Bucket("shelf", patience_s=0.0).read("x")
    assert "hunter2" not in str(raised.value)
