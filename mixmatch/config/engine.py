"""Settings of the engine: where jobs run, how many at once, and how they compute."""

import re
from typing import Literal, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, field_validator, model_validator

from mixmatch.config.fields import Settings

_DEVICE = re.compile(r"auto|cpu|cuda")
_SCHEDULER_SCHEMES = ("tcp", "tls")


class EngineSettings(Settings):
    """Where and how the members of the family are computed."""

    kind: Literal["local", "dask"] = Field(
        "local", description="local: worker processes on this machine; dask: at engine.address."
    )
    workers: Literal["auto"] | int = Field(
        "auto", description="Worker processes, 1 to 256; auto: processors / threads_per_job."
    )
    threads_per_job: int = Field(1, ge=1, le=256, description="Threads of one job, CPU only.")
    device: str = Field("auto", description="auto, cpu or cuda; auto: cuda where there is one.")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="auto: bfloat16 where the processor computes in it, else float32."
    )
    compile_: bool = Field(
        False, alias="compile", description="Train through torch.compile; needs a C++ compiler."
    )
    address: str | None = Field(
        None, description="Of the Dask scheduler, tcp://HOST:PORT or tls://HOST:PORT."
    )
    overlap: Literal["queue", "skip"] = Field(
        "queue", description="What a scheduled run does while the one before it still runs."
    )

    @field_validator("workers", mode="before")
    @classmethod
    def _workers_are_auto_or_few(cls, workers: object) -> object:
        # By hand: of a union, pydantic reports every branch and names none of them readably.
        if isinstance(workers, int) and not isinstance(workers, bool) and 1 <= workers <= 256:
            return workers
        if workers != "auto":
            raise ValueError(f"must be auto or a whole number from 1 to 256, got {workers!r}")
        return workers

    @field_validator("device")
    @classmethod
    def _device_is_known(cls, device: str) -> str:
        if not _DEVICE.fullmatch(device):
            raise ValueError(f"must be auto, cpu or cuda, got {device!r}")
        return device

    @field_validator("address")
    @classmethod
    def _address_is_a_scheduler(cls, address: str | None) -> str | None:
        if address is not None and not _is_scheduler(address):
            raise ValueError(f"must be tcp://HOST:PORT or tls://HOST:PORT, got {address!r}")
        return address

    @model_validator(mode="after")
    def _address_belongs_to_dask(self) -> Self:
        if self.kind == "dask" and self.address is None:
            raise ValueError("address must be given where kind is dask, got null")
        if self.kind == "local" and self.address is not None:
            raise ValueError(f"address must be null unless kind is dask, got {self.address!r}")
        if self.kind == "dask" and self.workers != "auto":
            raise ValueError(
                f"workers must be auto where kind is dask, which has its own, got {self.workers}"
            )
        return self


def _is_scheduler(address: str) -> bool:
    """Say whether an address is a scheme, a host and a port, and nothing else."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:  # no number, or none of a port
        return False
    plain = SplitResult(parts.scheme, parts.netloc.rpartition("@")[2], "", "", "")
    return parts.scheme in _SCHEDULER_SCHEMES and bool(parts.hostname and port) and parts == plain
