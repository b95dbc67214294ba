"""An existing Dask scheduler: reach it, look at its workers, and send them jobs.

Certificates of a ``tls://`` address come from Dask's own configuration or environment.
"""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dask.base import annotate
from distributed import Client, Security

from flows.job_runner import JobRunner
from flows.server.environment import URL_VARIABLE
from flows.worker_facts import WorkerFacts, own_versions, worker_facts
from mixmatch.addresses import shown
from mixmatch.errors import ServiceError
from tasks.scratch import scratch_folder
from tasks.site import Site

GPU = "GPU"  # the Dask resource that a worker declares for its accelerator

_ANSWER_S = 10.0  # a scheduler that is up answers within milliseconds
_RETURN_S = 120.0  # how long one that answered before, or its workers, may be away
_POLL_S = 0.5


@dataclass(frozen=True, slots=True)
class Cluster:
    """An existing cluster that is fit for jobs.

    Attributes:
        runner: sends them there; use it once.
        site: what the workers are told of workspace and store.
    """

    runner: JobRunner
    site: Site


def check_scheduler(address: str, timeout_s: float = _ANSWER_S) -> None:
    """Find out whether the scheduler answers.

    Raises:
        ServiceError: it does not, or its certificates are missing or wrong.
    """
    with _connected(address, timeout_s):
        return


def existing_cluster(address: str, site: Site, *, accelerated: bool) -> Cluster:
    """Wait for the scheduler and a worker, and check that the workers are fit.

    Args:
        address: of the scheduler.
        site: workspace and store.
        accelerated: whether jobs need an accelerator.

    Raises:
        ServiceError: there is no scheduler or worker, or a worker cannot do the work.
    """
    with (
        _marked(_folder(site.store)) as in_store,
        _marked(site.workspace) as in_workspace,
        _connected(address, _RETURN_S) as client,
    ):
        workers = _await_workers(client, address, accelerated=accelerated)
        _check_slots(address, workers)
        facts = _ask(client, address, (in_store, in_workspace), list(workers))
    _check_facts(address, site, facts, in_store)
    told = site if all(in_workspace in x.seen for x in facts.values()) else site.elsewhere()
    return Cluster(JobRunner(address=address, client_kwargs={"timeout": _ANSWER_S}), told)


def needing(*, accelerated: bool) -> AbstractContextManager[object]:
    """Return the context in which jobs are submitted; one on an accelerator takes all of it."""
    return annotate(resources={GPU: 1}) if accelerated else nullcontext()


class WorkerWatch:
    """Notices when a cluster has been without workers for too long, for nobody else would."""

    def __init__(self, client: Client, timeout_s: float = _RETURN_S) -> None:
        """Begin to watch over ``client``'s cluster."""
        self._client, self._timeout_s = client, timeout_s
        self._last_seen = time.monotonic()

    def is_forsaken(self) -> bool:
        """Say whether there has been no worker for the whole time that is allowed."""
        if self._client.status == "running" and _workers(self._client):
            self._last_seen = time.monotonic()
        return time.monotonic() - self._last_seen > self._timeout_s

    def give_up(self, futures: list[Any]) -> None:
        """Cancel ``futures``, which then end as if their worker had died."""
        self._client.cancel(futures, force=True)  # type: ignore[no-untyped-call]  # as all of Dask


@contextmanager
def _marked(root: str | None) -> Iterator[str]:
    """Yield a folder below ``root`` that is there for the block; empty where there is no root.

    Whoever sees it shares ``root``: a path alone may name another folder on another machine.
    """
    if root is None:
        yield ""
        return
    with scratch_folder(Path(root) / "scratch", prefix="seen-") as folder:
        yield str(folder)


@contextmanager
def _connected(address: str, timeout_s: float) -> Iterator[Client]:
    """Yield a client for the block; it tries for ``timeout_s``."""
    _check_certificates(address)
    try:
        client = Client(  # type: ignore[no-untyped-call]
            address, timeout=timeout_s, set_as_default=False
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise ServiceError(
            f"engine.address must be the address of a Dask scheduler that answers, got "
            f"{shown(address)!r} ({_reason(error)})."
        ) from error
    with client:
        yield client


def _check_certificates(address: str) -> None:
    if not address.startswith("tls://"):
        return
    try:
        security: Any = Security()  # type: ignore[no-untyped-call]
        is_there = security.get_connection_args("client").get("ssl_context") is not None
        reason = "none is set"
    except (OSError, ValueError) as error:
        is_there, reason = False, _reason(error)
    if not is_there:
        names = ("CA_FILE", "CLIENT__CERT", "CLIENT__KEY")
        variables = ", ".join(f"DASK_DISTRIBUTED__COMM__TLS__{name}" for name in names)
        raise ServiceError(
            f"engine.address {shown(address)!r} needs certificates, which {variables} or Dask's "
            f"own configuration must name ({reason})."
        )


def _await_workers(client: Client, address: str, *, accelerated: bool) -> Mapping[str, Any]:
    deadline = time.monotonic() + _RETURN_S
    while True:
        workers = _workers(client)
        fit = [x for x in workers.values() if not accelerated or x["resources"].get(GPU)]
        if fit:
            return workers
        if time.monotonic() > deadline:
            kind = f"a worker that declares the resource {GPU}=1" if accelerated else "a worker"
            raise ServiceError(
                f"The Dask scheduler {shown(address)} must have {kind}, and of its {len(workers)} "
                f"workers none came in {_RETURN_S:g} s."
            )
        time.sleep(_POLL_S)


def _workers(client: Client) -> Mapping[str, Any]:
    found: Mapping[str, Any] = client.scheduler_info(n_workers=-1)["workers"]
    return found


def _check_slots(address: str, workers: Mapping[str, Any]) -> None:
    """Refuse workers with several jobs in one process: torch's settings are the process's own."""
    wide = sorted(worker for worker, facts in workers.items() if facts["nthreads"] != 1)
    if wide:
        raise ServiceError(
            f"Every worker of {shown(address)} must run one job at a time (dask worker "
            f"--nthreads 1), and {wide[0]} has {workers[wide[0]]['nthreads']} threads."
        )


def _ask(
    client: Client, address: str, folders: tuple[str, ...], workers: list[str]
) -> Mapping[str, WorkerFacts]:
    url = os.environ.get(URL_VARIABLE, "")
    try:
        found: Mapping[str, WorkerFacts] = client.run(worker_facts, folders, url, workers=workers)
    except ModuleNotFoundError as error:
        raise ServiceError(
            f"Every worker of {shown(address)} must have mixmatch installed, and one cannot "
            f"import it ({error})."
        ) from error
    return found


def _check_facts(address: str, site: Site, facts: Mapping[str, WorkerFacts], in_store: str) -> None:
    ours = own_versions()
    for worker, found in facts.items():
        other = {x: v for x, v in found.versions.items() if v != ours[x]}
        if other:
            name, version = next(iter(other.items()))
            raise ServiceError(
                f"The worker {worker} of {shown(address)} must have {name} {ours[name]} as this "
                f"machine, and has {version}."
            )
        if in_store and in_store not in found.seen:
            raise ServiceError(
                f"The worker {worker} of {shown(address)} must reach the store {site.store}, and "
                "has no such folder; set store to a place that all workers share."
            )
        if not found.reaches_api:
            raise ServiceError(
                f"The worker {worker} of {shown(address)} must reach Prefect's server at "
                f"{shown(os.environ.get(URL_VARIABLE, ''))}; set {URL_VARIABLE} to one that all "
                "workers reach."
            )


def _folder(store: str) -> str | None:
    """Return the folder of a store; None where it is an address, which the SDK finds by itself."""
    return None if "://" in store else store


def _reason(error: BaseException) -> str:
    """Say in few words what went wrong; Dask wraps the cause several times."""
    while error.__cause__ is not None:
        error = error.__cause__
    return " ".join(str(error).split()) or type(error).__name__
