"""The compression flow: fetch, base, sensitivity, plan, fan-out, front, register, version, report."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from prefect import flow

from flows.fan_out import FanOutcome, fan_out
from flows.server import begin_server
from flows.stages import Prepared, prepare
from flows.steps import as_task, run_cached
from flows.watch import Watch
from mixmatch.config import RunConfig
from mixmatch.digests import json_digest
from mixmatch.errors import FamilyError
from mixmatch.records import FamilyRecord, MemberRecord, Record
from tasks.family import assemble, registered
from tasks.jobs import Job
from tasks.member import make_member
from tasks.orders import Member, members
from tasks.publish import Publication, open_publication, publish
from tasks.site import Site
from tasks.summary import RunSummary
from tasks.tracking import prepare_tracking

R = TypeVar("R", bound=Record)


@dataclass(slots=True)
class _Session:
    """What one run of the flow holds in this process; nothing of it crosses a wire."""

    config: RunConfig
    site: Site
    watch: Watch
    hits: int = 0
    misses: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    summary: RunSummary | None = None

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the body's wall time to ``stage``."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.monotonic() - started

    def count(self, *, hit: bool) -> None:
        """Count a step as found or computed."""
        self.hits += hit
        self.misses += not hit


# The flow's parameters are plain JSON that Prefect records; what is not, is found here.
_SESSION: ContextVar[_Session] = ContextVar("session")


def compress(config: RunConfig, site: Site, *, watch: Watch) -> RunSummary:
    """Turn one trained network into a tracked, registered, versioned family.

    Raises:
        InputError: what the run file names is missing or wrong.
        FamilyError: no member of the family could be computed.
        ServiceError: Prefect's server did not start.
    """
    session = _Session(config, site, watch)
    workspace = site.open_workspace()
    started = time.monotonic()
    watch.on_stage("services", "Prefect's local server, MLflow's database")
    with begin_server(workspace) as server:
        prepare_tracking(site)
        server.wait()
        token = _SESSION.set(session)
        try:
            _compress(config.model_dump(mode="json", by_alias=True), site.model_dump())
        except FamilyError:
            if session.summary is None:
                raise
        finally:
            _SESSION.reset(token)
            server.settle()
    assert session.summary is not None
    seconds = {**session.seconds, "total": time.monotonic() - started}
    return session.summary.model_copy(update={"seconds": seconds})
