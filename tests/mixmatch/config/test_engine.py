import pytest
from pydantic import ValidationError

from mixmatch.config import EngineSettings


@pytest.mark.parametrize(
    "address", ["tcp://scheduler:8786", "tls://10.0.0.1:8786", "tcp://[::1]:1"]
)
def test_a_scheduler_is_named_by_scheme_host_and_port(address):
    assert EngineSettings(kind="dask", address=address).address == address


@pytest.mark.parametrize(
    "address",
    [
        *("scheduler:8786", "http://scheduler:8786", "tcp://scheduler", "tcp://:8786"),
        *("tcp://scheduler:many", "tcp://scheduler:99999", "tcp://scheduler:1/path"),
        *("tcp://user:secret@scheduler:1", "tcp://scheduler:1?x=1", ""),
    ],
)
def test_anything_else_is_no_scheduler(address):
    with pytest.raises(ValidationError, match=r"must be tcp://HOST:PORT or tls://HOST:PORT, got"):
        EngineSettings(kind="dask", address=address)
